"""How a run went, as a picture."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from kerassent.lr_suggestions import smoothed
from kerassent.whole_file import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's, which the colour-blind tell apart.
_TRAINING: Final = "#0072B2"
_VALIDATION: Final = "#D55E00"
_RATE: Final = "#009E73"

# The share of a run's points that the smoothed loss is an average of, and how
# many these are at least.
_SMOOTHED_SHARE: Final = 0.04
_FEWEST_SMOOTHED: Final = 6

# An accuracy that goes up by a thousandth shouldn't look as a great rise.
_LEAST_ACCURACY_RANGE: Final = 0.1


def draw_learning_curves(
    rows: Sequence[Mapping[str, float]],
    step_losses: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
) -> None:
    """Writes an SVG picture of losses, accuracies and the learning rate.

    The same run gives the same file, to the byte, with the same Matplotlib.

    Args:
        rows: A row an epoch, as `RunHistory.rows` has them: `epoch` from 0,
            `loss`, and what there is of `val_loss`, `accuracy` and
            `val_accuracy`.
        step_losses: As `RunHistory.step_losses` has them; arrays may be empty.
        path: The file to write, beside and renamed.
    """
    from matplotlib import rc_context

    figure = learning_curves_figure(rows, step_losses)
    with (
        written_whole(path) as beside,
        rc_context({"svg.hashsalt": "kerassent"}),
    ):
        figure.savefig(beside, format="svg", metadata={"Date": None})


def learning_curves_figure(
    rows: Sequence[Mapping[str, float]], step_losses: Mapping[str, np.ndarray]
) -> "Figure":
    """Returns that picture as a Matplotlib figure.

    Args:
        rows: As in `draw_learning_curves`.
        step_losses: As in `draw_learning_curves`.
    """
    from matplotlib.figure import Figure

    has_accuracy = any("accuracy" in row for row in rows)
    has_rate = bool(np.isfinite(step_losses["learning_rate"]).any())
    heights = [2.6] + [1.9] * has_accuracy + [0.85] * has_rate
    gap, bottom, top = 0.15, 0.5, 0.12
    panels = sum(heights) + gap * (len(heights) - 1)
    width, height = 6.4, bottom + panels + top
    # By hand: Matplotlib's layouts differ in the last bits from run to run.
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(
        len(heights),
        sharex=True,
        squeeze=False,
        height_ratios=heights,
        gridspec_kw={
            "left": 0.85 / width,
            "right": 1 - 0.15 / width,
            "bottom": bottom / height,
            "top": 1 - top / height,
            "hspace": gap * len(heights) / sum(heights),
        },
    )[:, 0]
    _draw_losses(axes[0], rows, step_losses)
    if has_accuracy:
        _draw_accuracies(axes[1], rows)
    if has_rate:
        _draw_rate(axes[-1], step_losses)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.6)
    _number_epochs(axes[-1], rows, step_losses)
    figure.align_ylabels(axes)
    return figure


def smooth_losses(losses: np.ndarray) -> np.ndarray:
    """Returns a moving average of a moving average: forth, and then back.

    So it lags neither behind nor before.

    Args:
        losses: float `(num_points,)`.
    """
    if len(losses) < 2 * _FEWEST_SMOOTHED:
        return losses
    points = max(_SMOOTHED_SHARE * len(losses), _FEWEST_SMOOTHED)
    weight = 1 - 2 / points
    forth = smoothed(losses, weight)
    return smoothed(forth[::-1], weight)[::-1]


def _draw_losses(
    ax: "Axes",
    rows: Sequence[Mapping[str, float]],
    step_losses: Mapping[str, np.ndarray],
) -> None:
    epochs, losses = step_losses["epoch"], step_losses["loss"]
    known = np.isfinite(losses)
    epochs, losses = epochs[known], losses[known]
    smooth = smooth_losses(losses)
    if len(losses):
        ax.plot(epochs, losses, color=_TRAINING, alpha=0.3, linewidth=0.7)
        ax.plot(
            epochs, smooth, color=_TRAINING, linewidth=1.8, label="training"
        )
    else:
        _draw_by_epoch(ax, rows, "loss", _TRAINING, "training")
    _draw_by_epoch(ax, rows, "val_loss", _VALIDATION, "validation")
    ax.set_ylabel("loss")
    _set_limits(ax, losses, _column(rows, "val_loss")[1])
    if ax.lines:
        ax.legend(frameon=False, fontsize="small")


def _draw_accuracies(ax: "Axes", rows: Sequence[Mapping[str, float]]) -> None:
    _draw_by_epoch(ax, rows, "accuracy", _TRAINING, "training")
    _draw_by_epoch(ax, rows, "val_accuracy", _VALIDATION, "validation")
    ax.set_ylabel("accuracy")
    low, high = ax.get_ylim()
    missing = max(_LEAST_ACCURACY_RANGE - (high - low), 0.0)
    ax.set_ylim(low - missing / 2, min(high + missing / 2, 1.0))


def _draw_rate(ax: "Axes", step_losses: Mapping[str, np.ndarray]) -> None:
    rates = step_losses["learning_rate"]
    ax.plot(step_losses["epoch"], rates, color=_RATE, linewidth=1.4)
    highest = float(np.nanmax(rates))
    ax.set_ylim(0, 1.1 * highest)
    ax.set_yticks([0, highest], ["0", f"{highest:.2g}"])
    ax.set_ylabel("learning rate", fontsize="small")


def _draw_by_epoch(
    ax: "Axes",
    rows: Sequence[Mapping[str, float]],
    name: str,
    color: str,
    label: str,
) -> None:
    """Draws what there is at each epoch's end."""
    epochs, values = _column(rows, name)
    if not len(values):
        return
    ax.plot(
        epochs,
        values,
        color=color,
        marker="o",
        markersize=6 if len(values) <= 10 else 4,
        markeredgecolor="white",
        linewidth=1.4,
        label=label,
        clip_on=False,
        zorder=3,
    )


def _column(
    rows: Sequence[Mapping[str, float]], name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many epochs were done, and the values that are finite."""
    points = [
        (row["epoch"] + 1, row[name])
        for row in rows
        if math.isfinite(row.get(name, math.nan))
    ]
    table = np.array(points, float).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _set_limits(ax: "Axes", losses: np.ndarray, val_losses: np.ndarray) -> None:
    """Lets a step that is far off leave the picture."""
    if not len(losses):
        return
    inside = np.append(np.percentile(losses, [1, 99]), val_losses)
    low, high = float(inside.min()), float(inside.max())
    room = 0.06 * (high - low) or 1.0
    ax.set_ylim(low - room, high + room)


def _number_epochs(
    ax: "Axes",
    rows: Sequence[Mapping[str, float]],
    step_losses: Mapping[str, np.ndarray],
) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = [row["epoch"] + 1 for row in rows]
    done = [*step_losses["epoch"], *ends]
    if done:
        first = math.floor(min(done) - 1e-9)
        ax.set_xlim(min(first, min(ends, default=first) - 1), max(done))
        if max(done) - first > 1:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epochs")
