"""ROC and precision-recall curves, one class against the rest."""

import numpy as np
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from kerassent.answers import Answers
from kerassent.evaluation_parts import ClassCurves

# Enough for a picture; with more classes than this nobody looks at each.
_MOST_POINTS = 101
_MOST_CLASSES = 20


def ranking_curves(answers: Answers) -> tuple[ClassCurves, ...]:
    """Returns each class's curves and the areas under them.

    Probabilities rank reviews as the model gave them, in float32: made to sum
    to 1 first, those that are equal might no longer be.

    Args:
        answers: What a model said.
    """
    return tuple(
        _curves(
            name,
            answers.y_true == k,
            answers.probabilities[:, k],
            with_points=len(answers.class_names) <= _MOST_CLASSES,
        )
        for k, name in enumerate(answers.class_names)
    )


def mean_area(areas: list[float | None]) -> float | None:
    """Returns the classes' mean, `None` if one of them is undefined.

    Args:
        areas: The classes' areas.
    """
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None


def _curves(
    name: str, positive: np.ndarray, scores: np.ndarray, *, with_points: bool
) -> ClassCurves:
    roc: np.ndarray = np.zeros((0, 2))
    precision_recall: np.ndarray = np.zeros((0, 2))
    roc_auc = average_precision = None
    undefined = ""
    if not positive.any():
        undefined = f"no review has the label {name!r}"
    else:
        precision, recall, _ = precision_recall_curve(positive, scores)
        # As average_precision_score, which would sort all once more.
        steps = -np.diff(recall) * precision[:-1]
        average_precision = float(steps.sum())
        precision_recall = np.stack([recall, precision], axis=1)[::-1]
        if positive.all():
            undefined = f"all reviews have the label {name!r}"
        else:
            false_rate, true_rate, _ = roc_curve(positive, scores)
            roc_auc = float(auc(false_rate, true_rate))
            roc = np.stack([false_rate, true_rate], axis=1)
    return ClassCurves(
        class_name=name,
        roc_auc=roc_auc,
        average_precision=average_precision,
        undefined=undefined,
        roc=_thinned(roc) if with_points else (),
        precision_recall=_thinned(precision_recall) if with_points else (),
    )


def _thinned(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Returns some of the points, evenly spaced on the way along them."""
    if len(points) > _MOST_POINTS:
        way = np.abs(np.diff(points, axis=0)).sum(axis=1).cumsum()
        way = np.concatenate([[0.0], way])
        even = np.linspace(0.0, way[-1], _MOST_POINTS)
        chosen = np.unique(np.searchsorted(way, even).clip(0, len(way) - 1))
        points = points[np.union1d(chosen[:-1], [0, len(points) - 1])]
    return tuple((float(x), float(y)) for x, y in points)
