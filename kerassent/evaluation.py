"""How good a model is on labelled reviews, as plain data."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from kerassent.prediction import Model, open_model
from kerassent.review_base import ReviewsBase
from kerassent.text_windows import windows


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured. Definitions are scikit-learn's.

    Args:
        num_reviews: How many reviews were asked for.
        class_names: The classes, in the order of all that follows.
        accuracy: The share of reviews with the right label.
        log_loss: Mean negative log of the right label's probability, in nats.
        precision: By class.
        recall: By class.
        f1: By class.
        confusion_matrix: Counts, `[true][predicted]`.
    """

    num_reviews: int
    class_names: tuple[str, ...]
    accuracy: float
    log_loss: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold."""
        return asdict(self)


def evaluate(
    model: Model | str | os.PathLike[str], reviews: ReviewsBase
) -> Evaluation:
    """Returns how well a model labels reviews.

    Args:
        model: A `SentimentClassifier`, a `Client`, or the path of a run or an
            export.
        reviews: Labelled reviews. Their classes are matched by name, so their
            order may be another than the model's. Of a stream no more than
            8,192 texts are in memory at once.

    Raises:
        ValueError: The reviews have no labels, or labels that the model
            doesn't know.
    """
    if reviews.labels is None:
        raise ValueError(
            "`reviews` must have labels: pass `label=` to `load_reviews` "
            "(`--label`)."
        )
    if isinstance(model, (str, os.PathLike)):
        model = open_model(model)
    names = tuple(model.class_names)
    unknown = sorted(
        reviews.class_names[i]
        for i in np.unique(reviews.label_ids)
        if reviews.class_names[i] not in names
    )
    if unknown:
        raise ValueError(
            f"`reviews` have labels that the model doesn't know: {unknown}. "
            f"The model's are {list(names)}."
        )
    ids = [names.index(n) if n in names else -1 for n in reviews.class_names]
    y_true = np.array(ids)[reviews.label_ids]
    probabilities = np.concatenate(
        [model.predict_proba(window) for window in windows(reviews.texts)]
    )
    return _measured(names, y_true, probabilities)


def _measured(
    class_names: Sequence[str], y_true: np.ndarray, probabilities: np.ndarray
) -> Evaluation:
    classes = list(range(len(class_names)))
    y_pred = probabilities.argmax(axis=1)
    # float32 rows miss a sum of 1 by more than scikit-learn allows.
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    precision, recall, f1, _ = precision_recall_fscore_support(
        y_true, y_pred, labels=classes, zero_division=0.0
    )
    counts = confusion_matrix(y_true, y_pred, labels=classes)
    return Evaluation(
        num_reviews=len(y_true),
        class_names=tuple(class_names),
        accuracy=float(accuracy_score(y_true, y_pred)),
        log_loss=float(log_loss(y_true, probabilities, labels=classes)),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f1=tuple(f1.tolist()),
        confusion_matrix=tuple(tuple(row) for row in counts.tolist()),
    )
