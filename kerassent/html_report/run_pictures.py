"""How a run went, as charts."""

import csv
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerassent import contract
from kerassent.html_report.axes import Axis, linear_axis, log_axis
from kerassent.html_report.charts import Chart, Series, Table
from kerassent.html_report.wording import decimal, percent, rate
from kerassent.learning_curves import smooth_losses
from kerassent.lr_curve import LRCurve
from kerassent.lr_drawing import shown_range

Rows = Sequence[Mapping[str, float]]


def run_charts(run: str | os.PathLike[str]) -> list[Chart]:
    """Returns the learning curves, and that of the learning-rate finder.

    Args:
        run: A run directory.

    Raises:
        ValueError: A file of it is damaged.
    """
    directory = pathlib.Path(run)
    epochs = _read_numbers(directory / contract.HISTORY, "epoch")
    steps = _read_numbers(
        directory / contract.STEP_LOSSES, "epoch", "loss", "learning_rate"
    )
    charts = []
    if epochs:
        charts.append(_loss_chart(epochs, steps))
        if any(math.isfinite(r.get("accuracy", math.nan)) for r in epochs):
            charts.append(_accuracy_chart(epochs))
    if any(math.isfinite(row["learning_rate"]) for row in steps):
        charts.append(_rate_chart(steps))
    curve = _read_curve(directory / contract.LR_CURVE)
    if curve is not None:
        charts.append(lr_chart(curve))
    return charts


def _loss_chart(epochs: Rows, steps: Rows) -> Chart:
    series = []
    losses = np.array([row["loss"] for row in steps])
    if len(losses):
        at = [row["epoch"] for row in steps]
        series = [
            Series("", at, losses, "thin", 1),
            Series("training", at, smooth_losses(losses), "line", 1),
        ]
    else:
        series = _by_epoch(epochs, "loss", "training", "line", 1)
    series += _by_epoch(epochs, "val_loss", "validation", "dashed", 2)
    seen = np.concatenate(
        [np.percentile(losses, [1, 99]) if len(losses) else []]
        + [np.array(each.y, float) for each in series if each.kind == "dots"]
    )
    seen = seen[np.isfinite(seen)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    last = epochs[-1]
    return Chart(
        "Loss",
        "Training and validation loss over the epochs. At the end "
        f"{decimal(last.get('loss'))} and {decimal(last.get('val_loss'))}.",
        _epoch_axis(epochs, steps),
        linear_axis("loss", float(low - room), float(high + room)),
        tuple(series),
        _epoch_table(epochs, "loss", decimal),
    )


def _accuracy_chart(epochs: Rows) -> Chart:
    series = _by_epoch(epochs, "accuracy", "training", "line", 1)
    series += _by_epoch(epochs, "val_accuracy", "validation", "dashed", 2)
    seen = np.concatenate([np.array(each.y, float) for each in series])
    seen = seen[np.isfinite(seen)]
    last = epochs[-1]
    return Chart(
        "Accuracy",
        "Training and validation accuracy over the epochs. At the end "
        f"{percent(last.get('accuracy'))} and "
        f"{percent(last.get('val_accuracy'))}.",
        _epoch_axis(epochs, ()),
        linear_axis(
            "right, %", math.floor(20 * min(seen.min(), 0.9)) * 5.0, 100.0
        ),
        tuple(
            Series(
                each.name,
                each.x,
                100 * np.array(each.y),
                each.kind,
                each.colour,
            )
            for each in series
        ),
        _epoch_table(epochs, "accuracy", percent),
    )


def _rate_chart(steps: Rows) -> Chart:
    rates = np.array([row["learning_rate"] for row in steps])
    peak = float(np.nanmax(rates))
    return Chart(
        "Learning rate",
        f"The learning rate of each step; its peak is {rate(peak)}, at epoch "
        f"{steps[int(np.nanargmax(rates))]['epoch']:.2g}.",
        _epoch_axis((), steps),
        Axis(
            "learning rate",
            0.0,
            1.08 * peak,
            ((0.0, "0"), (peak / 2, rate(peak / 2)), (peak, rate(peak))),
        ),
        (Series("", [row["epoch"] for row in steps], rates, "line", 3),),
        Table(
            ("epochs", "learning rate"),
            tuple(
                (decimal(row["epoch"], 2), rate(row["learning_rate"]))
                for row in steps[:: -(-len(steps) // 20)]
            ),
        ),
    )


def lr_chart(curve: LRCurve) -> Chart:
    """Returns what the learning-rate finder saw.

    Args:
        curve: What `find_lr` returned.
    """
    judged = curve.losses if curve.val_losses is None else curve.val_losses
    low, high = shown_range(judged, curve.smoothed_losses)
    suggestions = {} if curve.doubt else curve.suggestions
    return Chart(
        "Learning-rate finder",
        "The loss over the learning rate. "
        + (
            f"The suggestion is {rate(curve.suggestion)}."
            if suggestions
            else f"No suggestion: {curve.doubt}."
        ),
        log_axis(
            "learning rate",
            float(curve.learning_rates[0]),
            float(curve.learning_rates[-1]),
        ),
        linear_axis("loss", low, high),
        (
            Series("", curve.learning_rates, judged, "thin", 1),
            Series("", curve.learning_rates, curve.smoothed_losses, "line", 1),
            Series("", list(suggestions.values())[:1], [0.0], "upright", 2),
        ),
        Table(
            ("suggestion", "learning rate"),
            tuple((name, rate(value)) for name, value in suggestions.items()),
        )
        if suggestions
        else None,
        f"The upright line is the suggestion, {rate(curve.suggestion)}."
        if suggestions
        else f"No suggestion: {curve.doubt}.",
    )


def _by_epoch(
    rows: Rows, column: str, name: str, kind: Any, colour: int
) -> list[Series]:
    x = [row["epoch"] + 1 for row in rows]
    y = [row.get(column, math.nan) for row in rows]
    if not any(map(math.isfinite, y)):
        return []
    return [
        Series(name, x, y, kind, colour),
        Series("", x, y, "dots", colour),
    ]


def _epoch_axis(epochs: Rows, steps: Rows) -> Axis:
    last = max(
        [row["epoch"] + 1 for row in epochs] + [row["epoch"] for row in steps]
    )
    return linear_axis("epochs", 0.0, last)


def _epoch_table(rows: Rows, column: str, written: Any) -> Table:
    step = -(-len(rows) // 20)
    return Table(
        ("epoch", "training", "validation"),
        tuple(
            (
                f"{row['epoch'] + 1:.0f}",
                written(row.get(column)),
                written(row.get(f"val_{column}")),
            )
            for row in rows[::step]
        ),
    )


def _read_numbers(path: pathlib.Path, *needed: str) -> list[dict[str, float]]:
    """Returns a CSV file's rows, `[]` if there is no such file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                {
                    name: float(value) if value else math.nan
                    for name, value in row.items()
                }
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    missing = [name for name in needed if rows and name not in rows[0]]
    if missing:
        raise _damaged(path, f"it has no column {missing[0]!r}")
    return rows


def _read_curve(path: pathlib.Path) -> LRCurve | None:
    if not path.is_file():
        return None
    try:
        return LRCurve.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, why: object) -> ValueError:
    return ValueError(
        f"{path} is damaged: {why}. Remove it, and the page has no such curve."
    )
