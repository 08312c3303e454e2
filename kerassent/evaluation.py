"""How good a model is on labelled reviews, as plain data."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from kerassent.evaluation_parts import (
    Averages,
    ClassCurves,
    Latency,
    LengthBin,
    Mistake,
    Provenance,
    ReliabilityBin,
    ThresholdRow,
)
from kerassent.plain_data import from_plain
from kerassent.prediction import Model, open_model
from kerassent.review_base import ReviewsBase
from kerassent.text_windows import windows


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured, as plain data of bounded size.

    Definitions are scikit-learn's. What is undefined is `None`, never NaN, so
    that JSON can hold all of it. Two evaluations are equal if their figures
    are, however long the model took.

    Args:
        num_reviews: How many reviews were asked for.
        class_names: The classes, in the order of all that follows.
        accuracy: The share of reviews with the right label.
        accuracy_interval: Wilson's, 95 %: where the accuracy on all reviews of
            this kind may be.
        balanced_accuracy: The mean recall of the classes that there are
            reviews of.
        log_loss: Mean negative log of the right label's probability, in nats.
        brier_score: Mean squared error of the probabilities, 0 to 1 with two
            classes, 0 to 2 with more.
        expected_calibration_error: Mean distance between score and accuracy in
            the bins of `reliability`, each weighted by its reviews.
        matthews_corrcoef: -1 to 1, 0 for guesses; 0 too where one side is
            constant.
        cohen_kappa: Agreement beyond chance, up to 1; `None` where chance
            alone would agree in all.
        roc_auc: The mean of the classes' areas, one against the rest; `None`
            where one is undefined (`curves` says why).
        average_precision: The same of the precision-recall curves.
        precision: By class; 0 where no review got the label.
        recall: By class; 0 where no review has the label.
        f1: By class; 0 where there is neither.
        macro: The mean over the classes.
        weighted: The mean over the classes, weighted by their reviews.
        confusion_matrix: Counts, `[true][predicted]`.
        curves: ROC and precision-recall curves, by class.
        reliability: The reliability curve: score against accuracy, of the bins
            of a fifteenth that have reviews.
        lengths: Accuracy by length, in up to 8 bins of about equal size.
        thresholds: What abstaining below a score brings, thresholds rising.
        num_mistakes: How many reviews got the wrong label.
        mistakes: The up to 50 worst, those that the model is surest of first.
        num_likely_mislabelled: How many mistakes are more likely the label's.
        likely_mislabelled: Up to 50 of them, the likeliest first. With two
            classes they are among `mistakes`.
        latency: How long the model took.
        provenance: What was evaluated with what.
    """

    num_reviews: int
    class_names: tuple[str, ...]
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    log_loss: float
    brier_score: float
    expected_calibration_error: float
    matthews_corrcoef: float
    cohen_kappa: float | None
    roc_auc: float | None
    average_precision: float | None
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    macro: Averages
    weighted: Averages
    confusion_matrix: tuple[tuple[int, ...], ...]
    curves: tuple[ClassCurves, ...]
    reliability: tuple[ReliabilityBin, ...]
    lengths: tuple[LengthBin, ...]
    thresholds: tuple[ThresholdRow, ...]
    num_mistakes: int
    mistakes: tuple[Mistake, ...]
    num_likely_mislabelled: int
    likely_mislabelled: tuple[Mistake, ...]
    latency: Latency = field(compare=False)
    provenance: Provenance = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Returns the evaluation that `to_dict` was called on.

        Args:
            data: What it returned, through JSON or not.

        Raises:
            ValueError: It is something else; the message says where.
        """
        return from_plain(cls, data)


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
