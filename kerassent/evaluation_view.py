"""Evaluations, comparisons and calibrations as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from kerassent.calibration import Calibration
from kerassent.comparison import Comparison, Difference
from kerassent.evaluation import Evaluation

_SHOWN = 5
_SHOWN_CHARACTERS = 160


def evaluation_tables(evaluation: Evaluation) -> tuple[Any, ...]:
    """Returns what to print of an evaluation, the verdict first.

    Args:
        evaluation: What `evaluate` returned.
    """
    low, high = evaluation.accuracy_interval
    summary = Text(
        f"accuracy {evaluation.accuracy:.4f} ({low:.4f} to {high:.4f}), log "
        f"loss {evaluation.log_loss:.4f}, {evaluation.num_reviews:,} reviews",
        style="bold",
    )
    return (
        summary,
        _figures(evaluation),
        _classes(evaluation),
        _confusions(evaluation),
        _thresholds(evaluation),
        _lengths(evaluation),
        *_mistakes(evaluation),
    )


def comparison_tables(comparison: Comparison) -> tuple[Any, ...]:
    """Returns what to print of a comparison, the verdict first.

    Args:
        comparison: What `compare` returned.
    """
    low, high = comparison.accuracy_difference_interval
    summary = Text(
        f"accuracy {comparison.old.accuracy:.4f} -> "
        f"{comparison.new.accuracy:.4f}: "
        f"{comparison.accuracy_difference:+.4f} ({low:+.4f} to {high:+.4f}), "
        f"McNemar's p {comparison.mcnemar_p_value:.2g}: "
        + {
            "better": "the new model is better",
            "worse": "the new model is worse",
            "no proof": "no proof that either is better",
        }[comparison.verdict],
        style="bold",
    )
    counts = _table("reviews", "", ">new right", ">new wrong")
    counts.add_row(
        "old right",
        f"{comparison.both_right:,}",
        f"{comparison.only_old_right:,}",
    )
    counts.add_row(
        "old wrong",
        f"{comparison.only_new_right:,}",
        f"{comparison.both_wrong:,}",
    )
    figures = _table("", "figure", ">old", ">new")
    for name, old, new in zip(
        _figure_names(comparison.old),
        _figure_names(comparison.old).values(),
        _figure_names(comparison.new).values(),
        strict=True,
    ):
        figures.add_row(name, _number(old), _number(new))
    return (
        summary,
        counts,
        figures,
        *_differences("only the old model is right", comparison.lost),
        *_differences("only the new model is right", comparison.gained),
    )


def calibration_table(calibration: Calibration) -> Table:
    """Returns what to print of a calibration.

    Args:
        calibration: What `calibrate` returned.
    """
    table = _table(
        f"{calibration.num_reviews:,} reviews", "", ">before", ">after"
    )
    for name, before, after in (
        (
            "temperature",
            calibration.previous_temperature,
            calibration.temperature,
        ),
        ("log loss", calibration.log_loss_before, calibration.log_loss_after),
        (
            "calibration error",
            calibration.calibration_error_before,
            calibration.calibration_error_after,
        ),
    ):
        table.add_row(name, _number(before), _number(after))
    return table


def _figure_names(evaluation: Evaluation) -> dict[str, float | None]:
    return {
        "balanced accuracy": evaluation.balanced_accuracy,
        "F1, mean of classes": evaluation.macro.f1,
        "area under ROC": evaluation.roc_auc,
        "average precision": evaluation.average_precision,
        "log loss": evaluation.log_loss,
        "Brier score": evaluation.brier_score,
        "calibration error": evaluation.expected_calibration_error,
        "Matthews": evaluation.matthews_corrcoef,
        "Cohen's kappa": evaluation.cohen_kappa,
        "ms a review, median": evaluation.latency.median_ms,
        "reviews a second": evaluation.latency.reviews_per_second,
    }


def _figures(evaluation: Evaluation) -> Table:
    table = _table("", "figure", ">")
    for name, value in _figure_names(evaluation).items():
        table.add_row(name, _number(value))
    return table


def _classes(evaluation: Evaluation) -> Table:
    table = _table(
        "", "class", ">precision", ">recall", ">F1", ">ROC", ">reviews"
    )
    for i, name in enumerate(evaluation.class_names):
        table.add_row(
            plain(name),
            f"{evaluation.precision[i]:.4f}",
            f"{evaluation.recall[i]:.4f}",
            f"{evaluation.f1[i]:.4f}",
            _number(evaluation.curves[i].roc_auc),
            f"{sum(evaluation.confusion_matrix[i]):,}",
        )
    return table


def _confusions(evaluation: Evaluation) -> Table:
    table = _table("true \\ predicted", "")
    for name in evaluation.class_names:
        table.add_column(plain(name), justify="right")
    for i, name in enumerate(evaluation.class_names):
        counts = evaluation.confusion_matrix[i]
        table.add_row(plain(name), *(f"{count:,}" for count in counts))
    return table


def _thresholds(evaluation: Evaluation) -> Table:
    table = _table(
        "if it abstains below a score", ">score", ">answered", ">accuracy"
    )
    for row in evaluation.thresholds:
        table.add_row(
            f"{row.threshold:g}",
            f"{row.share_answered:.1%}",
            _number(row.accuracy),
        )
    return table


def _lengths(evaluation: Evaluation) -> Table:
    table = _table("by length", ">characters", ">reviews", ">accuracy", "")
    for each in evaluation.lengths:
        low, high = each.accuracy_interval
        table.add_row(
            f"{each.shortest:,} to {each.longest:,}",
            f"{each.num_reviews:,}",
            f"{each.accuracy:.4f}",
            f"{low:.3f} to {high:.3f}",
        )
    return table


def _mistakes(evaluation: Evaluation) -> tuple[Any, ...]:
    if not evaluation.num_mistakes:
        return ()
    table = _table(
        f"worst of {evaluation.num_mistakes:,} mistakes "
        f"({evaluation.num_likely_mislabelled:,} likely mislabelled: ?)",
        *("where", "label", "predicted", ">score", "text"),
    )
    for each in evaluation.mistakes[:_SHOWN]:
        doubt = " ?" if each.likely_mislabelled else ""
        table.add_row(
            plain(each.row),
            plain(each.label + doubt),
            plain(each.predicted),
            f"{each.score:.4f}",
            plain(each.text),
        )
    return (table,)


def _differences(
    title: str, differences: Sequence[Difference]
) -> tuple[Any, ...]:
    if not differences:
        return ()
    table = _table(title, "where", "label", "old", "new", "text")
    for each in differences[:_SHOWN]:
        table.add_row(
            plain(each.row),
            plain(each.label),
            plain(f"{each.old_predicted} {each.old_score:.3f}"),
            plain(f"{each.new_predicted} {each.new_score:.3f}"),
            plain(each.text),
        )
    return (table,)


def _table(title: str, *columns: str) -> Table:
    """Returns a table; a column whose name begins with > is a number's."""
    table = Table(title=title or None, title_justify="left")
    for name in columns:
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            overflow="fold",
        )
    return table


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def plain(text: str) -> Text:
    """Returns text of others' as what a terminal can do no more than show.

    No markup, no escape sequences, no change of direction; the beginning of a
    long one.

    Args:
        text: Any.
    """
    shown = " ".join(text[: 2 * _SHOWN_CHARACTERS].split())
    shown = "".join(each if each.isprintable() else "\ufffd" for each in shown)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[: _SHOWN_CHARACTERS - 2]} …"
    return Text(shown)
