"""A load test as one HTML page, without scripts or anything from outside."""

import os
import pathlib
from typing import Any, Final

import jinja2

from kerassent.load_test.curves import Chart, Points, draw
from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep
from kerassent.load_test.tables import knee_line, milliseconds, notes
from kerassent.version import __version__

# Percentiles by how many requests are slower: one in two, in ten, …
_CURVE_TICKS: Final = (
    (0.0, "0"),
    (1.0, "90"),
    (2.0, "99"),
    (3.0, "99.9"),
    (4.0, "99.99"),
)


def write_load_page(
    measured: LoadResult | Sweep, path: str | os.PathLike[str]
) -> None:
    """Writes a page with the figures and the curves.

    Args:
        measured: What a load test returned.
        path: The file to write; it is replaced whole or not at all.
    """
    file = pathlib.Path(path)
    beside = file.with_name(f".writing-{file.name}")
    beside.write_text(load_page(measured), "utf-8")
    beside.replace(file)


def load_page(measured: LoadResult | Sweep) -> str:
    """Returns the page.

    Args:
        measured: What a load test returned.
    """
    if isinstance(measured, Sweep):
        results = [measured.alone, measured.crowd]
        results += [step.result for step in measured.steps]
        problems = {step.result.load: step.problem for step in measured.steps}
        verdict = knee_line(measured)
        charts = _sweep_charts(measured)
    else:
        results, problems = [measured], {}
        verdict = _verdict(measured)
        charts = _load_charts(measured)
    found = [result for result in results if result is not None]
    first = found[0]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerassent.load_test"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ms"] = milliseconds
    return environment.get_template("load_test.html").render(
        title=f"Load test of {first.model_name}",
        verdict=verdict,
        first=first,
        results=found,
        problems=problems,
        knee=measured.knee if isinstance(measured, Sweep) else None,
        charts=[chart for chart in charts if chart],
        notes=notes(found),
        version=__version__,
    )


def _verdict(result: LoadResult) -> str:
    p50, p99 = (
        f"{milliseconds(result.latency_ms[name])} ms"
        if result.latency_ms[name] is not None
        else "no answer"
        for name in ("p50", "p99")
    )
    return (
        f"{result.load}: {result.throughput:.4g} answers a second, half of "
        f"the requests within {p50}, 99 % within {p99}; "
        f"{result.num_failed:,} of {result.num_requests:,} failed, "
        f"{result.num_unsent:,} could not be sent."
    )


def _sweep_charts(sweep: Sweep) -> list[Chart | None]:
    steps = [step.result for step in sweep.steps]
    knee = (sweep.knee, "knee") if sweep.knee is not None else None
    common: dict[str, Any] = {
        "x_label": "requests a second",
        "mark": knee,
        "description": knee_line(sweep),
    }
    return [
        draw(
            "Latency against rate",
            {
                name: [(r.rate or 0.0, r.latency_ms[name]) for r in steps]
                for name in ("p99", "p95", "p50")
            },
            y_label="ms",
            log_y=True,
            **common,
        ),
        draw(
            "Answers against rate",
            {
                "asked": [(r.rate or 0.0, r.rate) for r in steps],
                "answered": [(r.rate or 0.0, r.throughput) for r in steps],
            },
            y_label="a second",
            **common,
        ),
        _curve_chart({r.load: r for r in _few(steps)}),
    ]


def _few(steps: list[LoadResult]) -> list[LoadResult]:
    """Returns at most four of the steps, the first and the last among them."""
    if len(steps) <= 4:
        return steps
    last = len(steps) - 1
    return [steps[round(i * last / 3)] for i in range(4)]


def _load_charts(result: LoadResult) -> list[Chart | None]:
    slices = result.slices
    return [
        _curve_chart({"all requests": result}),
        draw(
            "Latency over time",
            {
                "slowest": [(s.second, s.max_ms) for s in slices],
                "p50": [(s.second, s.p50_ms) for s in slices],
            },
            x_label="second",
            y_label="ms",
            log_y=True,
            description="The slowest and the median of each part of the time.",
        ),
        draw(
            "Answers over time",
            {
                "answered": [(s.second, s.throughput) for s in slices],
                "failed": [(s.second, float(s.num_failed)) for s in slices],
            },
            x_label="second",
            y_label="a second",
            description="Answers a second in each part of the time.",
        ),
    ]


def _curve_chart(results: dict[str, LoadResult]) -> Chart | None:
    return draw(
        "Latency by percentile",
        {name: _by_rarity(result) for name, result in results.items()},
        x_label="percentile",
        y_label="ms",
        log_y=True,
        x_ticks=_CURVE_TICKS,
        description="How long how many of the requests took; the figures are "
        "in the table.",
    )


def _by_rarity(result: LoadResult) -> Points:
    """Places each percentile by how rare what is slower is, in tens."""
    import math

    return [
        (-math.log10(1 - percent / 100), latency)
        for percent, latency in result.curve
        # Where there are too few requests, a percentile is the slowest one.
        if percent < 100 and (100 - percent) / 100 * result.num_requests >= 1
    ]
