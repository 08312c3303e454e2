"""A load test's curves."""

import math
from collections.abc import Sequence
from typing import Final

from kerassent.html_report.axes import Axis, linear_axis
from kerassent.html_report.charts import Chart, Series
from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep
from kerassent.load_test.tables import knee_line

# Each step is a request in ten times as many.
_PERCENTILE_AXIS: Final = Axis(
    "percentile",
    0.0,
    4.3,
    ((0.0, "0"), (1.0, "90"), (2.0, "99"), (3.0, "99.9"), (4.0, "99.99")),
)
_MOST_CURVES: Final = 4
# Above the highest point.
_ROOM: Final = 1.08


def load_pictures(result: LoadResult) -> tuple[Chart, ...]:
    """Returns the curves of one load: by percentile, and over time.

    Args:
        result: What `run_open_loop` or `run_closed_loop` returned.
    """
    slices = result.slices
    middles = [
        part.second + result.seconds / len(slices) / 2 for part in slices
    ]
    time = linear_axis("second", 0.0, result.seconds)
    answers = [part.throughput for part in slices]
    failed = [part.num_failed * len(slices) / result.seconds for part in slices]
    return (
        _percentiles([result]),
        _latencies(
            "Latency over time",
            "The slowest and the median request of each part of the time.",
            time,
            (
                _curve("slowest", middles, [s.max_ms for s in slices], 2),
                _curve("p50", middles, [s.p50_ms for s in slices], 1),
            ),
        ),
        Chart(
            title="Answers over time",
            alt="Answers and failures a second in each part of the time.",
            x=time,
            y=linear_axis("a second", 0.0, _ROOM * max(*answers, *failed, 1.0)),
            series=(
                _curve("failed", middles, failed, 2),
                _curve("answered", middles, answers, 1),
            ),
        ),
    )


def sweep_pictures(sweep: Sweep) -> tuple[Chart, ...]:
    """Returns the curves of a sweep: by rate, and by percentile.

    Args:
        sweep: What `run_sweep` returned.
    """
    steps = [step.result for step in sweep.steps]
    rates = [result.rate or 0.0 for result in steps]
    answers = [result.throughput for result in steps]
    highest = _ROOM * max(rates + answers)
    axis = linear_axis("requests a second", 0.0, _ROOM * max(rates))
    knee: tuple[Series, ...] = ()
    if sweep.knee is not None:
        knee = (Series("the knee", [sweep.knee], [1.0], "upright", 0),)
    percentiles = (("p99", 2), ("p95", 3), ("p50", 1))
    return (
        _latencies(
            "Latency against rate",
            knee_line(sweep),
            axis,
            (
                *knee,
                *(
                    _curve(
                        name, rates, [r.latency_ms[name] for r in steps], colour
                    )
                    for name, colour in percentiles
                ),
            ),
        ),
        Chart(
            title="Answers against rate",
            alt=knee_line(sweep),
            x=axis,
            y=linear_axis("answers a second", 0.0, highest),
            series=(
                *knee,
                Series("asked for", rates, rates, "dashed", 0),
                _curve("answered", rates, answers, 1),
            ),
        ),
        _percentiles(_some(steps)),
    )


def _percentiles(results: Sequence[LoadResult]) -> Chart:
    series = []
    for colour, result in enumerate(results, 1):
        # Where there are too few requests, a percentile is the slowest one.
        points = [
            (-math.log10(1 - percent / 100), latency)
            for percent, latency in result.curve
            if percent < 100
            and (100 - percent) / 100 * result.num_requests >= 1
        ]
        series.append(
            _curve(
                result.load,
                [x for x, _ in points],
                [y for _, y in points],
                colour,
            )
        )
    return _latencies(
        "Latency by percentile",
        "How long how many of the requests took; the table has the figures.",
        _PERCENTILE_AXIS,
        tuple(series),
    )


def _some(results: list[LoadResult]) -> list[LoadResult]:
    """Returns the first, the last, and of those between as many as fit."""
    last = len(results) - 1
    count = min(len(results), _MOST_CURVES)
    return [results[round(i * last / max(1, count - 1))] for i in range(count)]


def _curve(
    name: str, x: Sequence[float], y: Sequence[float | None], colour: int
) -> Series:
    values = [math.nan if each is None else each for each in y]
    # A line of one point is not seen.
    seen = sum(map(math.isfinite, values))
    return Series(name, x, values, "line" if seen > 1 else "dots", colour)


def _latencies(
    title: str, alt: str, x: Axis, series: tuple[Series, ...]
) -> Chart:
    values = [
        float(y)
        for each in series
        if each.kind != "upright"
        for y in each.y
        if math.isfinite(y) and y > 0
    ]
    marks = _marks(min(values, default=1.0), max(values, default=10.0))
    ticks = tuple((mark, _short(mark)) for mark in marks)
    y = Axis("ms", marks[0], marks[-1], ticks, log=True)
    return Chart(title=title, alt=alt, x=x, y=y, series=series)


def _short(mark: float) -> str:
    """Returns a mark in the room that there is beside an axis."""
    return f"{mark / 1000:g}k" if mark >= 10_000 else f"{mark:,g}"


def _marks(lowest: float, highest: float) -> list[float]:
    """Returns round numbers from below the lowest to above the highest."""
    low, high = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    factors = (1, 2, 5) if high - low <= 2 else (1,)
    marks = [f * 10.0**n for n in range(low, high + 2) for f in factors]
    first = max(i for i, mark in enumerate(marks) if mark <= lowest)
    last = min(i for i, mark in enumerate(marks) if mark >= highest)
    return marks[first : max(last, first + 1) + 1]
