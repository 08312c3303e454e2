"""A learning-rate curve as a figure, and as a few lines of text."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, which the colour-blind tell apart.
_CURVE = "#0072B2"
_MARKS = {
    "valley": ("#D55E00", "o"),
    "steepest": ("#009E73", "s"),
    "slide": ("#CC79A7", "^"),
    "minimum": ("#E69F00", "D"),
}
_LABELS = {"minimum": "minimum / 10"}


def draw_axes(
    ax: "Axes | None",
    learning_rates: np.ndarray,
    losses: np.ndarray,
    smoothed_losses: np.ndarray,
    suggestions: Mapping[str, float],
    *,
    name: str = "loss",
) -> "Axes":
    """Draws raw and smoothed losses over the log of the rate.

    Args:
        ax: Where to draw; `None` makes a figure of its own.
        learning_rates: float `(num_steps,)`, increasing.
        losses: float `(num_steps,)`.
        smoothed_losses: float `(num_steps,)`.
        suggestions: Rates by the rule that made them.
        name: What the losses are.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.2, 3.4), dpi=150, layout="constrained")
    ax.set_xscale("log")
    ax.plot(
        learning_rates,
        losses,
        color=_CURVE,
        alpha=0.3,
        linewidth=1,
        label=f"{name} of a step",
    )
    ax.plot(
        learning_rates,
        smoothed_losses,
        color=_CURVE,
        linewidth=2,
        label="smoothed",
    )
    for rule, rate in suggestions.items():
        color, marker = _MARKS[rule]
        loss = np.interp(
            math.log(rate), np.log(learning_rates), smoothed_losses
        )
        if rule == next(iter(suggestions)):
            ax.axvline(rate, color=color, linewidth=1, linestyle=(0, (4, 3)))
        ax.plot(
            rate,
            loss,
            marker,
            color=color,
            markersize=7,
            markeredgecolor="white",
            zorder=3,
            label=f"{_LABELS.get(rule, rule)}  {_written(rate)}",
        )
    ax.set_ylim(*shown_range(losses, smoothed_losses))
    if len(learning_rates):
        ax.set_xlim(learning_rates[0], learning_rates[-1])
    ax.set_xlabel("learning rate")
    ax.set_ylabel(name)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25, linewidth=0.6)
    ax.legend(frameon=False, fontsize="small")
    return ax


def shown_range(
    losses: np.ndarray, smoothed_losses: np.ndarray, margin: float = 0.06
) -> tuple[float, float]:
    """Shows the fall well: an explosion may leave the figure at its top.

    Args:
        losses: float `(num_steps,)`.
        smoothed_losses: float `(num_steps,)`.
        margin: Room above and below, as a share of the range.
    """
    if not len(losses):
        return 0.0, 1.0
    lowest = int(smoothed_losses.argmin())
    low = float(min(losses[: lowest + 1].min(), smoothed_losses[lowest]))
    start = float(max(losses[: lowest + 1].max(), smoothed_losses[0]))
    high = min(float(max(losses.max(), start)), start + 0.6 * (start - low))
    room = margin * (high - low)
    return low - room, high + room if high > low else low + 1.0


def draw_text(
    learning_rates: np.ndarray,
    smoothed_losses: np.ndarray,
    marked: float | None,
    *,
    width: int = 56,
    height: int = 7,
) -> str:
    """Returns the smoothed curve in Braille dots, with both axes' ends.

    Args:
        learning_rates: float `(num_steps,)`, increasing.
        smoothed_losses: float `(num_steps,)`.
        marked: A rate to point at, if any.
        width: Of the curve, in characters.
        height: Of the curve, in lines.
    """
    if len(learning_rates) < 2:
        return "no curve"
    low, high = shown_range(smoothed_losses, smoothed_losses, margin=0.0)
    at = np.log(learning_rates)
    columns = np.linspace(at[0], at[-1], 2 * width)
    values = np.interp(columns, at, smoothed_losses)
    share = (high - values) / (high - low) if high > low else 0 * values
    rows = np.rint(share * (4 * height - 1)).astype(int)
    cells = np.zeros((height, width), int)
    before = np.concatenate([rows[:1], rows[:-1]])
    for column, (row, last) in enumerate(zip(rows, before, strict=True)):
        # Dots from the last column's height to this one's, so as not to break.
        step = 1 if row > last else -1
        between = range(last + step, row, step) if row != last else ()
        for dot in (*between, row):
            if 0 <= dot < 4 * height:
                cells[dot // 4, column // 2] |= _DOTS[dot % 4][column % 2]
    labels = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"]
    margin = max(map(len, labels))
    lines = [
        f"{label:>{margin}} │" + "".join(chr(0x2800 + cell) for cell in line)
        for label, line in zip(labels, cells, strict=True)
    ]
    first, last = (f"{rate:.0e}" for rate in learning_rates[[0, -1]])
    lines.append(f"{'':>{margin}} └" + "─" * width)
    ends = first + " " * (width - len(first) - len(last)) + last
    if marked is not None:
        column = round(
            (math.log(marked) - at[0]) / (at[-1] - at[0]) * (width - 1)
        )
        lines[-1] = (
            lines[-1][: margin + 2 + column] + "▲" + "─" * (width - column - 1)
        )
        ends = _beneath(ends, column, _written(marked))
    return "\n".join([*lines, f"{'':>{margin}}  {ends}"])


# The bits of a Braille character: four rows of two dots.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def _beneath(line: str, column: int, text: str) -> str:
    """Writes over the middle of a line if the ends leave room."""
    start = min(max(column - len(text) // 2, 0), len(line) - len(text))
    if line[max(start - 1, 0) : start + len(text) + 1].strip():
        return line
    return line[:start] + text + line[start + len(text) :]


def _written(rate: float) -> str:
    return f"{rate:.1e}".replace("e-0", "e-").replace("e+0", "e+")
