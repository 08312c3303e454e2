"""Figures of labels alone: all that follows from a confusion matrix."""

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import (
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from kerassent.evaluation_parts import Averages


def label_figures(counts: np.ndarray) -> dict[str, Any]:
    """Returns what an `Evaluation` has of labels, by its names.

    Args:
        counts: The confusion matrix, `[true][predicted]`, int64; a review or
            more.
    """
    # To scikit-learn each cell is a review with a weight: as exact as all
    # reviews, and not slower where they are millions.
    y_true, y_pred = np.nonzero(counts)
    weights = counts[y_true, y_pred]
    classes = list(range(len(counts)))
    by_class, macro, weighted = (
        precision_recall_fscore_support(
            y_true,
            y_pred,
            labels=classes,
            average=average,
            sample_weight=weights,
            zero_division=0.0,
        )[:3]
        for average in (None, "macro", "weighted")
    )
    precision, recall, f1 = (tuple(each.tolist()) for each in by_class)
    num_right, num_reviews = int(np.trace(counts)), int(counts.sum())
    # One label throughout, and always right: scikit-learn warns.
    constant = len(weights) == 1 and num_right == num_reviews
    return {
        "num_reviews": num_reviews,
        "accuracy": num_right / num_reviews,
        "accuracy_interval": wilson_interval(num_right, num_reviews),
        "balanced_accuracy": float(
            np.mean(by_class[1][counts.sum(axis=1) > 0])
        ),
        "matthews_corrcoef": 0.0
        if constant
        else float(matthews_corrcoef(y_true, y_pred, sample_weight=weights)),
        "cohen_kappa": None
        if constant
        else float(cohen_kappa_score(y_true, y_pred, sample_weight=weights)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "macro": Averages(*map(float, macro)),
        "weighted": Averages(*map(float, weighted)),
        "confusion_matrix": tuple(tuple(row) for row in counts.tolist()),
    }


def wilson_interval(num_right: int, num_reviews: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a share.

    Args:
        num_right: How many of them.
        num_reviews: Out of how many, 1 or more.

    Reference:
        Wilson, 1927: Probable inference, the law of succession, and
        statistical inference.
    """
    test = binomtest(num_right, num_reviews)
    low, high = test.proportion_ci(confidence_level=0.95, method="wilson")
    return float(low), float(high)
