"""An evaluation's figures as tables."""

from dataclasses import dataclass
from typing import Final

from kerassent.comparison import Comparison
from kerassent.evaluation import Evaluation
from kerassent.html_report.charts import Table
from kerassent.html_report.wording import count, decimal, percent

# More classes than that have no table of all against all.
MOST_CONFUSED_CLASSES: Final = 20
_MOST_CONFUSIONS: Final = 25
_MOST_CLASSES: Final = 60


@dataclass(frozen=True)
class Figure:
    """A number and what it says.

    Args:
        name: Its name.
        value: It.
        means: What it says.
    """

    name: str
    value: str
    means: str


def main_figures(evaluation: Evaluation) -> list[Figure]:
    """Returns the figures that one number is enough for.

    Args:
        evaluation: What `evaluate` returned.
    """
    many = len(evaluation.class_names) > 2
    return [
        Figure(
            "Accuracy",
            percent(evaluation.accuracy),
            "reviews with the right label",
        ),
        Figure(
            "Balanced accuracy",
            percent(evaluation.balanced_accuracy),
            "the same, were all classes equally frequent",
        ),
        Figure(
            "F1, mean of the classes",
            decimal(evaluation.macro.f1),
            "precision and recall in one, 0 to 1",
        ),
        Figure(
            "Matthews correlation",
            decimal(evaluation.matthews_corrcoef),
            "0 is guessing, 1 is perfect",
        ),
        Figure(
            "Cohen’s kappa",
            decimal(evaluation.cohen_kappa),
            "agreement beyond chance, up to 1",
        ),
        Figure(
            "Area under ROC",
            decimal(evaluation.roc_auc),
            "how well probabilities rank, 0.5 is guessing",
        ),
        Figure(
            "Average precision",
            decimal(evaluation.average_precision),
            "area under precision over recall",
        ),
        Figure(
            "Log loss",
            decimal(evaluation.log_loss),
            "0 is certain and right; sure mistakes cost most",
        ),
        Figure(
            "Brier score",
            decimal(evaluation.brier_score),
            f"squared error of probabilities, 0 to {2 if many else 1}",
        ),
        Figure(
            "Calibration error",
            decimal(evaluation.expected_calibration_error),
            "mean distance from score to accuracy",
        ),
    ]


def comparison_table(comparison: Comparison) -> Table:
    """Returns both models' figures beside each other.

    Args:
        comparison: What `compare` returned.
    """
    sides = [
        [*main_figures(side), *speed_figures(side)[:2]]
        for side in (comparison.old, comparison.new)
    ]
    return Table(
        ("figure", "old", "new"),
        tuple(
            (old.name, old.value, new.value)
            for old, new in zip(*sides, strict=True)
        ),
    )


def speed_figures(evaluation: Evaluation) -> list[Figure]:
    """Returns how long answers took.

    Args:
        evaluation: What `evaluate` returned.
    """
    latency = evaluation.latency
    figures = [
        Figure(
            "Reviews a second",
            count(latency.reviews_per_second)
            if latency.reviews_per_second >= 10
            else decimal(latency.reviews_per_second, 1),
            f"all {count(evaluation.num_reviews)}, in batches",
        )
    ]
    if latency.median_ms is not None:
        figures += [
            Figure(
                "Median latency",
                f"{decimal(latency.median_ms, 1)} ms",
                f"one review at a time, {count(latency.num_timed)} of them",
            ),
            Figure(
                "95th percentile",
                f"{decimal(latency.percentile_95_ms, 1)} ms",
                "one in twenty takes longer",
            ),
        ]
    return figures


def class_table(evaluation: Evaluation) -> Table:
    """Returns precision, recall and F1 by class, the worst first if many.

    Args:
        evaluation: What `evaluate` returned.
    """
    order = list(range(len(evaluation.class_names)))
    if len(order) > _MOST_CLASSES:
        order = sorted(order, key=lambda i: evaluation.f1[i])[:_MOST_CLASSES]
    rows = [
        (
            evaluation.class_names[i],
            percent(evaluation.precision[i]),
            percent(evaluation.recall[i]),
            decimal(evaluation.f1[i]),
            decimal(evaluation.curves[i].roc_auc),
            count(sum(evaluation.confusion_matrix[i])),
        )
        for i in order
    ]
    for name, mean in (
        ("mean", evaluation.macro),
        ("weighted mean", evaluation.weighted),
    ):
        rows.append(
            (
                name,
                percent(mean.precision),
                percent(mean.recall),
                decimal(mean.f1),
                decimal(evaluation.roc_auc) if name == "mean" else "",
                count(evaluation.num_reviews),
            )
        )
    return Table(
        ("class", "precision", "recall", "F1", "ROC area", "reviews"),
        tuple(rows),
    )


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix.

    Args:
        count: How many reviews.
        share: Of those with the true label, in percent.
        heat: 0 to 10.
        right: Whether true and predicted are the same.
    """

    count: str
    share: str
    heat: int
    right: bool


def confusion_cells(evaluation: Evaluation) -> list[tuple[str, list[Cell]]]:
    """Returns the rows of the confusion matrix with the true class's name.

    Args:
        evaluation: What `evaluate` returned.
    """
    return [
        (
            name,
            [
                Cell(
                    count(number),
                    percent(number / total if total else None),
                    round(10 * number / total) if total else 0,
                    i == j,
                )
                for j, number in enumerate(row)
            ],
        )
        for i, (name, row) in enumerate(
            zip(
                evaluation.class_names,
                evaluation.confusion_matrix,
                strict=True,
            )
        )
        for total in (sum(row),)
    ]


def confusion_pairs(evaluation: Evaluation) -> Table:
    """Returns the most frequent confusions, for many classes.

    Args:
        evaluation: What `evaluate` returned.
    """
    names = evaluation.class_names
    pairs = sorted(
        (
            (-number, i, j)
            for i, row in enumerate(evaluation.confusion_matrix)
            for j, number in enumerate(row)
            if number and i != j
        )
    )[:_MOST_CONFUSIONS]
    return Table(
        ("true label", "predicted", "reviews", "of the true label"),
        tuple(
            (
                names[i],
                names[j],
                count(-number),
                percent(-number / sum(evaluation.confusion_matrix[i])),
            )
            for number, i, j in pairs
        ),
    )
