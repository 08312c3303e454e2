"""The pictures of docs/benchmarks.md."""

import pathlib
from collections.abc import Iterable
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import OURS, Spread, name_of, number

# Okabe and Ito's, which the colour-blind tell apart: a peer has one of them,
# and what has fewer bits than float32 has dashes.
COLOURS = {
    "keras_nlp": "#D55E00",
    "torch": "#E69F00",
    "fastapi": "#E69F00",
    "onnx": "#009E73",
    "ktrain": "#CC79A7",
    "tokenizers": "#009E73",
}
OUR_COLOUR = "#0072B2"
MARKS = {"keras_nlp": "s", "torch": "^", "fastapi": "^", "onnx": "D"}

# Both figures stand on white, which a dark page shows as a card.
# Text stays text, which is small and can be searched for.
STYLE = {
    "svg.hashsalt": "kerassent",
    "svg.fonttype": "none",
    "font.size": 9,
}


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a picture beside and renames it: the same figures, the same."""
    beside = path.with_name(f".writing-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        figure.savefig(beside, format="svg", metadata={"Date": None})
    beside.replace(path)


def look(row: str) -> dict[str, Any]:
    """Returns a row's colour, dashes and mark."""
    peer = next((each for each in COLOURS if row.startswith(each)), "")
    fewer = "bfloat16" in row or "int8" in row
    return {
        "color": OUR_COLOUR if row in OURS else COLOURS[peer],
        "linestyle": "--" if fewer else "-",
        "marker": "o" if row in OURS else MARKS.get(peer, "v"),
        "markerfacecolor": "white" if fewer else None,
    }


def draw_bars(panels: dict[str, tuple[str, dict[str, Spread]]]) -> Figure:
    """Returns a panel of bars for each task, two beside each other.

    Args:
        panels: Unit, and figures by row, by the panel's title.
    """
    height = sum(1 + 0.24 * len(rows) for _, rows in panels.values()) / 2
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, max(height, 2.0) * 1.12))
        figure.set_layout_engine("constrained")
        num_lines = (len(panels) + 1) // 2
        all_axes = list(figure.subplots(num_lines, 2, squeeze=False).flat)
        for ax, (title, (unit, rows)) in zip(
            all_axes, panels.items(), strict=False
        ):
            bars(ax, f"{title}, {unit}", rows)
        for ax in all_axes[len(panels) :]:
            ax.set_axis_off()
    return figure


def bars(ax: Axes, title: str, rows: dict[str, Spread]) -> None:
    """Draws a bar for each row, the fastest first, least to most as a line."""
    fewer_is_better = title.endswith("ms")
    order = sorted(
        rows, key=lambda row: rows[row]["median"], reverse=fewer_is_better
    )
    for place, row in enumerate(order):
        spread, style = rows[row], look(row)
        ax.barh(
            place,
            spread["median"],
            color=style["color"],
            alpha=0.55 if style["linestyle"] == "--" else 1.0,
        )
        ax.plot(
            [spread["min"], spread["max"]], [place, place], "k-", linewidth=1
        )
        ax.annotate(
            number(spread["median"]),
            (spread["max"], place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(range(len(order)), [name_of(row, True) for row in order])
    for label, row in zip(ax.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if row in OURS else "normal")
    most = max(each["max"] for each in rows.values())
    if fewer_is_better:
        # They may be a thousand times apart.
        ax.set_xscale("log")
        least = min(each["min"] for each in rows.values())
        ax.set_xlim(0.5 * least, most * (most / least) ** 0.2)
        title = f"{title}, log scale"
    else:
        ax.set_xlim(0, 1.14 * most)
    ax.set_title(title, fontsize=9, loc="left")
    ax.spines[["top", "right"]].set_visible(False)


def draw_growth(
    panels: dict[str, tuple[str, dict[int, dict[str, Spread]]]],
) -> Figure:
    """Returns a panel of curves for each thing that grows.

    Args:
        panels: What the figures are, and spreads by row and size, by what the
            sizes are.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 1.2 + 3.2 * ((len(panels) + 1) // 2)))
        figure.set_layout_engine("constrained")
        num_lines = (len(panels) + 1) // 2
        all_axes = list(figure.subplots(num_lines, 2, squeeze=False).flat)
        handles: dict[str, Any] = {}
        for ax, (name, (unit, sizes)) in zip(
            all_axes, panels.items(), strict=False
        ):
            handles |= curves(ax, sizes)
            ax.set_xlabel(name)
            ax.set_ylabel(unit)
        for ax in all_axes[len(panels) :]:
            ax.set_axis_off()
        figure.legend(
            handles.values(),
            handles,
            loc="outside lower center",
            ncols=3,
            frameon=False,
        )
    return figure


def curves(ax: Axes, sizes: dict[int, dict[str, Spread]]) -> dict[str, Any]:
    """Draws a curve for each row; returns the curves by name."""
    handles = {}
    rows = dict.fromkeys(row for by_row in sizes.values() for row in by_row)
    for row in rows:
        known = [size for size in sizes if row in sizes[size]]
        spreads = [sizes[size][row] for size in known]
        style = look(row)
        [handle] = ax.plot(
            known,
            [each["median"] for each in spreads],
            **style,
            linewidth=2 if row in OURS else 1.2,
            markersize=4,
        )
        ax.fill_between(
            known,
            [each["min"] for each in spreads],
            [each["max"] for each in spreads],
            color=style["color"],
            alpha=0.12,
            linewidth=0,
        )
        handles[name_of(row, True)] = handle
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(list(sizes), [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return handles


def write(
    directory: pathlib.Path, figures: Iterable[tuple[str, Figure]]
) -> None:
    """Writes pictures, by name."""
    for name, figure in figures:
        save(figure, directory / f"{name}.svg")
