"""A load test as one HTML page, without scripts or anything from outside."""

import os
import pathlib

import jinja2

from kerassent.load_test.pictures import load_pictures, sweep_pictures
from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep
from kerassent.load_test.tables import knee_line, milliseconds, notes
from kerassent.version import __version__


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
        charts = sweep_pictures(measured)
    else:
        results, problems = [measured], {}
        verdict = _verdict(measured)
        charts = load_pictures(measured)
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
        charts=charts,
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
