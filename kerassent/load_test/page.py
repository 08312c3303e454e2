"""A load test as one HTML page, without scripts or anything from outside."""

import os
from collections.abc import Sequence

from kerassent.html_report.rendering import render, write_page
from kerassent.load_test.pictures import load_pictures, sweep_pictures
from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep
from kerassent.load_test.tables import (
    COLUMNS,
    cells,
    conduct,
    knee_line,
    milliseconds,
    sweep_rows,
    warnings,
)


def write_load_page(
    measured: LoadResult | Sweep, path: str | os.PathLike[str]
) -> None:
    """Writes a page with the figures and the curves.

    Args:
        measured: What a load test returned.
        path: The file to write; what is there is replaced once the page is
            whole.
    """
    write_page(load_page(measured), path)


def load_page(measured: LoadResult | Sweep) -> str:
    """Returns the page.

    Args:
        measured: What a load test returned.
    """
    if isinstance(measured, Sweep):
        rows = sweep_rows(measured)
        headline, lead = _knee(measured)
        charts = sweep_pictures(measured)
    else:
        rows = [(measured, "")]
        headline, lead = _verdict(measured)
        charts = load_pictures(measured)
    results = [result for result, _ in rows]
    first = results[0]
    context = {
        "title": f"Load test of {first.model_spec} at {first.url}",
        "headline": headline,
        "lead": lead,
        "charts": charts,
        "columns": (*COLUMNS, "remark"),
        "rows": [(cells(result), note) for result, note in rows],
        "failures": [(r.load, each) for r in results for each in r.failures],
        "facts": _facts(results),
        "warnings": warnings(results),
    }
    return render("load_test.html", context, "kerassent.load_test")


def _knee(sweep: Sweep) -> tuple[str, str]:
    if sweep.knee is None:
        return "No rate was sustained", knee_line(sweep)
    return f"{sweep.knee:,.4g} requests a second", knee_line(sweep)


def _verdict(result: LoadResult) -> tuple[str, str]:
    kept = [
        f"{share} within {milliseconds(result.latency_ms[name])} ms"
        for share, name in (("half", "p50"), ("99 %", "p99"))
        if result.latency_ms[name] is not None
    ]
    return (
        f"{result.throughput:,.4g} answers a second",
        f"With {result.load}, of {result.num_requests:,} requests "
        + "".join(f"{each}, " for each in kept)
        + f"{result.num_failed:,} failed, {result.num_unsent:,} could not be "
        "sent.",
    )


def _facts(results: Sequence[LoadResult]) -> list[tuple[str, str]]:
    first = results[0]
    return [
        ("server", first.url),
        ("model", first.model_spec),
        (
            "each load" if len(results) > 1 else "time",
            f"{first.seconds:.4g} s, without the warmup",
        ),
        (
            "texts",
            f"{first.num_texts:,}, of {first.mean_bytes:,.0f} bytes on "
            f"average; {first.texts_per_request} in a request",
        ),
        ("the load test itself", conduct(results)),
    ]
