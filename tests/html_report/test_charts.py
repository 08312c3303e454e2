import re

import numpy as np
import pytest

from kerassent.html_report.axes import linear_axis, log_axis, named_axis
from kerassent.html_report.charts import (
    PLOT_HEIGHT,
    PLOT_WIDTH,
    Chart,
    Series,
)


def chart(*series, x=None, y=None):
    x = x or linear_axis("x", 0, 10)
    y = y or linear_axis("y", 0, 4)
    return Chart("title", "alt", x, y, series)


def points(path):
    return [
        (float(x), float(y))
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)
    ]


def test_a_line_goes_up_from_the_bottom_left():
    (line,) = chart(Series("", [0, 5, 10], [0, 1, 4])).drawn
    assert points(line.path) == [
        (0.0, float(PLOT_HEIGHT)),
        (PLOT_WIDTH / 2, 0.75 * PLOT_HEIGHT),
        (float(PLOT_WIDTH), 0.0),
    ]


def test_a_line_breaks_where_there_is_no_number():
    y = [0, 1, np.nan, 2, np.inf, 3, 4]
    (line,) = chart(Series("", range(7), y)).drawn
    assert [part[0] for part in re.findall(r"[ML][^ML]+", line.path)] == list(
        "MLMML"
    )


def test_a_log_axis_has_equal_ways_for_equal_ratios():
    axis = log_axis("rate", 1e-6, 1e-2)
    assert axis.share(np.array([1e-6, 1e-5, 1e-4, 1e-2])) == pytest.approx(
        [0, 0.25, 0.5, 1]
    )
    assert [text for _, text in axis.ticks] == [
        f"1e{power}" for power in range(-6, -1)
    ]


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (90, 100, ["90", "92", "94", "96", "98", "100"]),
        (0, 2, ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        (0, 1.2e4, ["0", "2,500", "5,000", "7,500", "10,000"]),
        (0.11, 0.13, ["0.110", "0.115", "0.120", "0.125", "0.130"]),
    ],
)
def test_ticks_are_round_and_say_what_they_are(low, high, written):
    axis = linear_axis("", low, high)
    assert [text for _, text in axis.ticks] == written
    for value, text in axis.ticks:
        assert float(text.replace(",", "")) == pytest.approx(value)
        assert low <= value <= high + 1e-9


def test_an_axis_of_one_value_has_some_room():
    axis = linear_axis("", 3, 3)
    assert axis.low < 3 < axis.high


def test_bars_stand_on_the_bottom():
    (bars,) = chart(
        Series("", [1, 3], [2, 4], "bars", width=1.0), x=linear_axis("", 0, 4)
    ).drawn
    quarter = PLOT_WIDTH / 4
    assert bars.path == (
        f"M{0.5 * quarter:.1f} {PLOT_HEIGHT}V{PLOT_HEIGHT / 2:.1f}"
        f"H{1.5 * quarter:.1f}V{PLOT_HEIGHT}Z"
        f"M{2.5 * quarter:.1f} {PLOT_HEIGHT}V0.0"
        f"H{3.5 * quarter:.1f}V{PLOT_HEIGHT}Z"
    )


def test_dots_have_whiskers():
    series = Series("", [0, 1], [2, 3], "dots", low=[1, 2], high=[3, 4])
    (dots,) = chart(series, x=named_axis("", ["a", "b"])).drawn
    assert dots.dots == (
        (PLOT_WIDTH / 4, PLOT_HEIGHT / 2),
        (3 * PLOT_WIDTH / 4, PLOT_HEIGHT / 4),
    )
    quarter = PLOT_HEIGHT / 4
    assert dots.path == (
        f"M{PLOT_WIDTH / 4:.1f} {3 * quarter:.1f}V{quarter:.1f}"
        f"M{3 * PLOT_WIDTH / 4:.1f} {2 * quarter:.1f}V0.0"
    )


def test_a_long_line_is_thinned_but_keeps_its_ends_and_peak():
    x = np.linspace(0, 10, 20_001)
    y = np.where(np.abs(x - 5) < 0.5, 4.0, 1.0)
    (line,) = chart(Series("", x, y)).drawn
    kept = points(line.path)
    assert len(kept) <= 160
    assert kept[0][0] == 0 and kept[-1][0] == PLOT_WIDTH
    assert min(down for _, down in kept) == 0


def test_a_legend_is_there_if_it_takes_one():
    one = chart(Series("a", [0], [0]), Series("", [0], [0]))
    assert one.legend == []
    two = chart(Series("a", [0], [0]), Series("b", [0], [0]))
    assert [each.name for each in two.legend] == ["a", "b"]
