"""Charts as data: what to draw where, for a template that writes SVG.

A chart is as wide as a telephone's page, so that its letters are readable there
and two or three fit beside each other on a desk's. It holds no colours: these
are the page's, light or dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from kerassent.html_report.axes import Axis

WIDTH: Final = 360
HEIGHT: Final = 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 10, 42
PLOT_WIDTH: Final = WIDTH - _LEFT - _RIGHT
PLOT_HEIGHT: Final = HEIGHT - _TOP - _BOTTOM

# More points than that can't be told apart in a picture of this size.
_MOST_POINTS: Final = 160

Kind = Literal["line", "thin", "dashed", "dots", "bars", "upright"]


@dataclass(frozen=True, eq=False)
class Series:
    """Points that belong together.

    Args:
        name: For the legend; "" is not in it.
        x: float `(num_points,)`.
        y: float `(num_points,)`; what is not finite is left out.
        kind: A `"line"`, a `"thin"` or a `"dashed"` one, `"dots"`, `"bars"`
            from the bottom up, or `"upright"` lines from bottom to top.
        colour: 1 to 5, which the page gives; 0 is a quiet grey.
        low: Where the whiskers of the dots begin.
        high: Where they end.
        width: Of bars, in units of x.
    """

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    kind: Kind = "line"
    colour: int = 1
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    width: float = 0.8


@dataclass(frozen=True)
class Drawn:
    """A series as SVG has it.

    Args:
        kind: As in `Series`.
        colour: As in `Series`.
        path: Of lines, bars, whiskers and uprights: a path's `d`.
        dots: Centres.
    """

    kind: Kind
    colour: int
    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers beside a picture, or instead of one.

    Args:
        header: A name a column.
        rows: Each as long as the header; the first is the row's name.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Chart:
    """A picture, in words and numbers too.

    Args:
        title: A few words.
        alt: What one sees, for those who don't.
        x: The horizontal axis.
        y: The vertical axis.
        series: What is drawn, the last on top.
        table: Its numbers.
        note: What to make of it, if anything.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    table: Table | None = None
    note: str = ""

    @property
    def size(self) -> tuple[int, int, int, int, int, int]:
        """Width and height; left and top of the plot; its width and height."""
        return WIDTH, HEIGHT, _LEFT, _TOP, PLOT_WIDTH, PLOT_HEIGHT

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Places from the plot's left, and what is written there."""
        at = np.array([value for value, _ in self.x.ticks], float)
        places = (PLOT_WIDTH * self.x.share(at)).round(1).tolist()
        return list(
            zip(places, (text for _, text in self.x.ticks), strict=True)
        )

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Places from the plot's top, and what is written there."""
        at = np.array([value for value, _ in self.y.ticks], float)
        places = (PLOT_HEIGHT * (1 - self.y.share(at))).round(1).tolist()
        return list(
            zip(places, (text for _, text in self.y.ticks), strict=True)
        )

    @property
    def legend(self) -> list[Series]:
        """The series that have a name, if it takes names to tell them."""
        named = [each for each in self.series if each.name]
        return named if len(named) > 1 else []

    @property
    def drawn(self) -> list[Drawn]:
        """The series in the plot's own coordinates."""
        return [self._drawn(each) for each in self.series]

    def _drawn(self, series: Series) -> Drawn:
        x, y = np.array(series.x, float), np.array(series.y, float)
        across = PLOT_WIDTH * self.x.share(x)
        down = PLOT_HEIGHT * (1 - self.y.share(y))
        dots: tuple[tuple[float, float], ...] = ()
        path = ""
        if series.kind == "dots":
            shown = np.isfinite(across) & np.isfinite(down)
            dots = tuple(
                (round(a, 1), round(d, 1))
                for a, d in zip(
                    across[shown].tolist(), down[shown].tolist(), strict=True
                )
            )
            if series.low is not None and series.high is not None:
                path = self._uprights(
                    across, np.array(series.low), np.array(series.high)
                )
        elif series.kind == "upright":
            path = "".join(f"M{a:.1f} 0V{PLOT_HEIGHT}" for a in across.tolist())
        elif series.kind == "bars":
            half = series.width / 2
            left = PLOT_WIDTH * self.x.share(x - half)
            right = PLOT_WIDTH * self.x.share(x + half)
            path = "".join(
                f"M{a:.1f} {PLOT_HEIGHT}V{d:.1f}H{b:.1f}V{PLOT_HEIGHT}Z"
                for a, b, d in zip(
                    left.tolist(), right.tolist(), down.tolist(), strict=True
                )
                if math.isfinite(d)
            )
        else:
            path = _line(across, down)
        return Drawn(series.kind, series.colour, path, dots)

    def _uprights(
        self, across: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> str:
        first = PLOT_HEIGHT * (1 - self.y.share(low))
        last = PLOT_HEIGHT * (1 - self.y.share(high))
        return "".join(
            f"M{a:.1f} {b:.1f}V{e:.1f}"
            for a, b, e in zip(
                across.tolist(), first.tolist(), last.tolist(), strict=True
            )
            if math.isfinite(b) and math.isfinite(e)
        )


def _line(across: np.ndarray, down: np.ndarray) -> str:
    """Returns a path through the points, broken where one is not finite."""
    across, down = _thinned(across, down)
    parts, begun = [], False
    for a, d in zip(across.tolist(), down.tolist(), strict=True):
        finite = math.isfinite(a) and math.isfinite(d)
        if finite:
            parts.append(f"{'L' if begun else 'M'}{a:.1f} {d:.1f}")
        begun = finite
    return "".join(parts)


def _thinned(
    across: np.ndarray, down: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leaves points out of a long line, evenly along its way."""
    if len(across) <= _MOST_POINTS:
        return across, down
    steps = np.hypot(np.diff(across), np.diff(down))
    way = np.concatenate([[0.0], np.cumsum(np.nan_to_num(steps))])
    wanted = np.linspace(0, way[-1], _MOST_POINTS)
    kept = np.unique(np.searchsorted(way, wanted).clip(0, len(way) - 1))
    return across[kept], down[kept]
