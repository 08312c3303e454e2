"""ROC and precision-recall curves as charts."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kerassent.evaluation import Evaluation
from kerassent.evaluation_parts import ClassCurves
from kerassent.html_report.axes import share_axis
from kerassent.html_report.charts import Chart, Kind, Series, Table
from kerassent.html_report.wording import decimal, listed, percent

# More lines than that can't be told apart.
_MOST_LINES: Final = 5


def curve_charts(evaluation: Evaluation) -> list[Chart]:
    """Returns the ROC and the precision-recall curves.

    Args:
        evaluation: What `evaluate` returned.
    """
    roc = [each for each in evaluation.curves if each.roc]
    ranked = [each for each in evaluation.curves if each.precision_recall]
    charts = []
    if roc:
        charts.append(_roc_chart(roc))
    if ranked:
        charts.append(_precision_recall_chart(ranked))
    return charts


def _roc_chart(curves: Sequence[ClassCurves]) -> Chart:
    shown = sorted(curves, key=lambda each: each.roc_auc or 0)[:_MOST_LINES]
    return Chart(
        "ROC curve",
        "A curve for each class: the share of its reviews found, over the "
        "share of others taken for it. Areas: "
        + listed([f"{c.class_name} {decimal(c.roc_auc)}" for c in shown])
        + ".",
        share_axis("others taken for it, %"),
        share_axis("found, %"),
        (
            Series("", (0, 1), (0, 1), "thin", 0),
            *(
                Series(
                    f"{each.class_name} {decimal(each.roc_auc)}",
                    [x for x, _ in each.roc],
                    [y for _, y in each.roc],
                    _line_kind(i),
                    i + 1,
                )
                for i, each in enumerate(shown)
            ),
        ),
        _curve_table(
            "others taken for it",
            [(each.class_name, each.roc) for each in shown],
        ),
        _left_out(curves, shown),
    )


def _precision_recall_chart(curves: Sequence[ClassCurves]) -> Chart:
    shown = sorted(curves, key=lambda each: each.average_precision or 0)
    shown = shown[:_MOST_LINES]
    return Chart(
        "Precision and recall",
        "A curve for each class: the share of answers that are right, over "
        "the share of its reviews found. Areas: "
        + listed(
            [f"{c.class_name} {decimal(c.average_precision)}" for c in shown]
        )
        + ".",
        share_axis("recall, %"),
        share_axis("precision, %"),
        tuple(
            Series(
                f"{each.class_name} {decimal(each.average_precision)}",
                [x for x, _ in each.precision_recall],
                [y for _, y in each.precision_recall],
                _line_kind(i),
                i + 1,
            )
            for i, each in enumerate(shown)
        ),
        _curve_table(
            "recall",
            [(each.class_name, each.precision_recall) for each in shown],
        ),
        _left_out(curves, shown),
    )


def _line_kind(index: int) -> Kind:
    return "dashed" if index % 2 else "line"


def _curve_table(
    x_name: str,
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]],
) -> Table:
    """Returns curves at eleven places."""
    at = np.linspace(0, 1, 11)
    columns = [
        np.interp(at, [x for x, _ in points], [y for _, y in points])
        for _, points in curves
    ]
    return Table(
        (x_name, *(name for name, _ in curves)),
        tuple(
            (percent(x), *(percent(float(column[i])) for column in columns))
            for i, x in enumerate(at.tolist())
        ),
    )


def _left_out(
    curves: Sequence[ClassCurves], shown: Sequence[ClassCurves]
) -> str:
    if len(shown) == len(curves):
        return ""
    return f"The {len(shown)} weakest of {len(curves)} classes."
