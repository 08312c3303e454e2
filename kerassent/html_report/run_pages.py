"""What a run directory tells of the training: charts and facts."""

import csv
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kerassent import contract
from kerassent.errors import PresetError
from kerassent.html_report.charts import (
    Axis,
    Chart,
    Series,
    Table,
    linear_axis,
    log_axis,
)
from kerassent.html_report.wording import count, decimal, listed, percent
from kerassent.learning_curves import smooth_losses
from kerassent.lr_curve import LRCurve
from kerassent.lr_drawing import shown_range
from kerassent.run_record import read_info

Rows = Sequence[Mapping[str, float]]


def run_charts(run: str | os.PathLike[str]) -> list[Chart]:
    """Returns the learning curves, and that of the learning-rate finder.

    Args:
        run: A run directory.
    """
    directory = pathlib.Path(run)
    epochs = _read_numbers(directory / contract.HISTORY)
    steps = _read_numbers(directory / contract.STEP_LOSSES)
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


def run_facts(run: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Returns with what a run was made, as names and values.

    Args:
        run: A run directory.

    Raises:
        PresetError: It is none.
    """
    if not pathlib.Path(run, contract.TRAIN_INFO).is_file():
        raise PresetError(
            f"There is no run of `train` at {os.fspath(run)!r}: it has no "
            f"{contract.TRAIN_INFO}. Leave `run` out, and the page says "
            "nothing of the training."
        )
    info = read_info(run)
    return [(name, value) for name, value in _facts(info) if value]


def _facts(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in (
        "preset",
        "epochs",
        "batch_size",
        "max_lr",
        "seed",
        "sequence_length",
        "truncate",
        "precision",
    ):
        if info.get(name) is not None:
            value = info[name]
            yield name, rate(value) if name == "max_lr" else str(value)
    counts = info.get("num_reviews") or {}
    yield (
        "reviews",
        listed([f"{count(n)} {part}" for part, n in counts.items()])
        if counts
        else "",
    )
    for name, value in (info.get("sha256") or {}).items():
        yield f"SHA-256 of {name}", str(value or "")
    yield "finished", str(info.get("finished", ""))
    seconds = info.get("seconds")
    yield "took", f"{seconds / 60:,.0f} minutes" if seconds else ""
    yield "machine", machine_text(info.get("machine") or {})
    yield "versions", versions_text(info.get("versions") or {})


def machine_text(machine: Mapping[str, Any]) -> str:
    """Returns what machine it was, in a line.

    Args:
        machine: As `run_record.machine` returns it.
    """
    parts = [str(machine[k]) for k in ("processor", "system") if machine.get(k)]
    if machine.get("cores"):
        parts.append(f"{machine['cores']} cores")
    return ", ".join(parts)


def versions_text(versions: Mapping[str, Any]) -> str:
    """Returns versions in a line.

    Args:
        versions: By the name of what has them.
    """
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def rate(value: float) -> str:
    """Returns a learning rate shortly: 2.1e-5.

    Args:
        value: Above 0.
    """
    digits, _, power = f"{value:.1e}".partition("e")
    written = f"{digits.removesuffix('.0')}e{int(power)}"
    return written.replace("-", "\u2212")


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


def _read_numbers(path: pathlib.Path) -> list[dict[str, float]]:
    """Returns a CSV file's rows, `[]` if there is no such file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                {
                    name: float(value) if value else math.nan
                    for name, value in row.items()
                }
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _read_curve(path: pathlib.Path) -> LRCurve | None:
    if not path.is_file():
        return None
    try:
        return LRCurve.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is damaged: {error}. Remove it, and the page has no such "
        "curve."
    )
