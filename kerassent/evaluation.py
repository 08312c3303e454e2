"""How good a model is on labelled reviews, as plain data."""

import os
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.metrics import confusion_matrix

from kerassent.answers import Answers, ask
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
from kerassent.label_figures import label_figures
from kerassent.mistakes import likely_mislabelled, mistakes_of
from kerassent.plain_data import from_plain
from kerassent.prediction import Model, as_model, path_of
from kerassent.probability_figures import (
    accuracy_by_length,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability,
    thresholds,
)
from kerassent.provenance import provenance_of
from kerassent.ranking_curves import mean_area, ranking_curves
from kerassent.review_base import ReviewsBase, check_reviews

_NO_FIGURES = (
    "curves",
    "reliability",
    "lengths",
    "thresholds",
    "mistakes",
    "likely_mislabelled",
    "latency",
    "provenance",
)


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

    def figures(self) -> dict[str, Any]:
        """Returns the figures alone, without curves and texts: for a record."""
        whole = self.to_dict()
        return {name: whole[name] for name in whole if name not in _NO_FIGURES}

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
    model: Model | str | os.PathLike[str],
    reviews: ReviewsBase,
    *,
    num_timed: int = 30,
) -> Evaluation:
    """Returns how well a model labels reviews.

    Args:
        model: Anything with `class_names` and `predict_proba(texts)`: a
            `SentimentClassifier`, a `Client`; or the path of a run or an
            export.
        reviews: Labelled reviews. Their classes are matched by name, so their
            order may be another than the model's. Of a stream no more than
            8,192 texts are in memory at once.
        num_timed: How many reviews the model is asked again one by one, for
            the latency; 0 or more.

    Raises:
        TypeError: `model` or `reviews` is something else.
        ValueError: The reviews have no labels, or labels that the model
            doesn't know; or what it answers are no probabilities.

    Example:
        ```python
        evaluation = evaluate("runs/imdb", reviews)
        evaluation.accuracy, evaluation.accuracy_interval
        ```
    """
    check_reviews(reviews)
    asked = as_model(model)
    answers = ask(asked, reviews, num_timed=num_timed)
    made_of = provenance_of(asked, path_of(model), reviews, answers.data_sha256)
    return evaluation_of(answers, reviews, made_of)


def evaluation_of(
    answers: Answers, reviews: ReviewsBase, provenance: Provenance
) -> Evaluation:
    """Returns the evaluation of what a model has said.

    Args:
        answers: What it said.
        reviews: Of these reviews.
        provenance: How it came to be.
    """
    classes = range(len(answers.class_names))
    counts = confusion_matrix(answers.y_true, answers.y_pred, labels=classes)
    curves = ranking_curves(answers)
    bins = reliability(answers)
    worst, mislabelled = mistakes_of(answers, reviews)
    labels = label_figures(counts)
    return Evaluation(
        **labels,
        class_names=answers.class_names,
        log_loss=log_loss(answers),
        brier_score=brier_score(answers),
        expected_calibration_error=expected_calibration_error(bins),
        roc_auc=mean_area([each.roc_auc for each in curves]),
        average_precision=mean_area(
            [each.average_precision for each in curves]
        ),
        curves=curves,
        reliability=bins,
        lengths=accuracy_by_length(answers),
        thresholds=thresholds(answers),
        num_mistakes=int(counts.sum() - counts.trace()),
        mistakes=worst,
        num_likely_mislabelled=int(likely_mislabelled(answers).sum()),
        likely_mislabelled=mislabelled,
        latency=_latency(answers),
        provenance=provenance,
    )


def _latency(answers: Answers) -> Latency:
    single = answers.single_ms
    median, percentile_95 = (
        np.percentile(single, [50, 95]).tolist() if single else (None, None)
    )
    return Latency(
        total_seconds=answers.total_seconds,
        reviews_per_second=len(answers.y_true)
        / max(answers.total_seconds, 1e-9),
        num_timed=len(single),
        median_ms=median,
        percentile_95_ms=percentile_95,
    )
