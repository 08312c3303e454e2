"""Figures of probabilities: what they promise, and what comes true."""

from collections.abc import Iterator

import numpy as np

from kerassent.answers import Answers
from kerassent.evaluation_parts import LengthBin, ReliabilityBin, ThresholdRow
from kerassent.label_figures import wilson_interval

# As many as Guo et al., 2017 (https://arxiv.org/abs/1706.04599) take.
_RELIABILITY_BINS = 15

_LENGTH_BINS = 8

_THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def log_loss(answers: Answers) -> float:
    """Returns the mean negative log of the right label's probability.

    As scikit-learn's of the same numbers in float64: rows are made to sum to
    1, and probabilities are at least 2.2e-16.

    Args:
        answers: What a model said.
    """
    smallest = np.finfo(np.float64).eps
    probabilities = answers.label_probabilities / _row_sums(answers)
    clipped = np.clip(probabilities, smallest, 1 - smallest)
    return float(-np.log(clipped).mean())


def brier_score(answers: Answers) -> float:
    """Returns the mean squared error of the probabilities.

    As scikit-learn's: half of the sum over the classes if they are two, the
    whole if they are more.

    Args:
        answers: What a model said.
    """
    sums = _row_sums(answers)
    num_classes = len(answers.class_names)
    total = 0.0
    for k in range(num_classes):
        errors = answers.probabilities[:, k] / sums - (answers.y_true == k)
        total += float(np.mean(errors**2))
    return total / 2 if num_classes == 2 else total


def reliability(answers: Answers) -> tuple[ReliabilityBin, ...]:
    """Returns score against accuracy, in fifteen bins without the empty ones.

    Args:
        answers: What a model said.
    """
    scores = answers.scores
    right = answers.y_pred == answers.y_true
    bounds = np.linspace(0.0, 1.0, _RELIABILITY_BINS + 1)
    bins = np.searchsorted(bounds[1:-1], scores)
    return tuple(
        ReliabilityBin(
            low=float(bounds[i]),
            high=float(bounds[i + 1]),
            num_reviews=int(inside.sum()),
            mean_score=float(scores[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for i, inside in _members(bins)
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Returns the mean distance between score and accuracy.

    Args:
        bins: What `reliability` returned; they weigh as many reviews as they
            have.

    Reference:
        [Guo et al., 2017](https://arxiv.org/abs/1706.04599).
    """
    total = sum(each.num_reviews for each in bins)
    return sum(
        each.num_reviews / total * abs(each.accuracy - each.mean_score)
        for each in bins
    )


def accuracy_by_length(answers: Answers) -> tuple[LengthBin, ...]:
    """Returns the accuracy of short and of long texts.

    Texts of one length are in one bin, so that bins can be fewer than eight
    and of unequal size.

    Args:
        answers: What a model said.
    """
    lengths = answers.lengths
    right = answers.y_pred == answers.y_true
    shares = np.arange(1, _LENGTH_BINS) / _LENGTH_BINS
    bounds = np.unique(np.quantile(lengths, shares, method="lower"))
    return tuple(
        LengthBin(
            shortest=int(lengths[inside].min()),
            longest=int(lengths[inside].max()),
            num_reviews=int(inside.sum()),
            accuracy=float(right[inside].mean()),
            accuracy_interval=wilson_interval(
                int(right[inside].sum()), int(inside.sum())
            ),
        )
        for _, inside in _members(np.searchsorted(bounds, lengths))
    )


def thresholds(answers: Answers) -> tuple[ThresholdRow, ...]:
    """Returns what abstaining below a score brings.

    Args:
        answers: What a model said.
    """
    scores, y_pred = answers.scores, answers.y_pred
    right = y_pred == answers.y_true
    classes = range(len(answers.class_names))
    rows = []
    for threshold in _THRESHOLDS:
        answered = scores >= threshold
        rows.append(
            ThresholdRow(
                threshold=threshold,
                num_answered=int(answered.sum()),
                share_answered=float(answered.mean()),
                accuracy=_mean(right[answered]),
                precision=tuple(
                    _mean(right[answered & (y_pred == k)]) for k in classes
                ),
            )
        )
    return tuple(rows)


def _row_sums(answers: Answers) -> np.ndarray:
    # float32 rows miss a sum of 1 by more than scikit-learn allows.
    sums: np.ndarray = answers.probabilities.sum(axis=1, dtype=np.float64)
    return sums


def _members(bins: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields each bin that is not empty, and which reviews are in it."""
    for i in np.unique(bins):
        yield int(i), bins == i


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
