"""A load test as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep

_COLUMNS = ("load", "answers/s", "p50", "p95", "p99", "max", "failed", "unsent")


def milliseconds(value: float | None) -> str:
    """Returns a latency to read: three digits, or a dash for no answer.

    Args:
        value: Milliseconds, or `None`.
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def load_tables(result: LoadResult) -> tuple[Any, ...]:
    """Returns what to print of one load.

    Args:
        result: What `run_open_loop` or `run_closed_loop` returned.
    """
    table = _table(
        f"{result.model_name} at {result.url}: {result.num_requests:,} "
        f"requests in {result.seconds:.4g} s, latencies in ms"
    )
    table.add_row(*_cells(result))
    return table, *_failures([result]), *notes([result])


def sweep_tables(sweep: Sweep) -> tuple[Any, ...]:
    """Returns what to print of a sweep.

    Args:
        sweep: What `run_sweep` returned.
    """
    alone = sweep.alone
    table = _table(
        f"{alone.model_name} at {alone.url}: {alone.seconds:.4g} s each, "
        "latencies in ms"
    )
    table.add_column("")
    results = [alone, *([sweep.crowd] if sweep.crowd else [])]
    for result in results:
        table.add_row(*_cells(result), "")
    table.add_section()
    for step in sweep.steps:
        at_knee = step.result.rate == sweep.knee
        table.add_row(
            *_cells(step.result),
            step.problem or ("the knee" if at_knee else ""),
            style="bold" if at_knee else "",
        )
    results += [step.result for step in sweep.steps]
    return table, knee_line(sweep), *_failures(results), *notes(results)


def knee_line(sweep: Sweep) -> str:
    """Returns the sweep's outcome in a sentence.

    Args:
        sweep: What `run_sweep` returned.
    """
    limit = f"95 % of requests within {milliseconds(sweep.max_latency_ms)} ms"
    if sweep.knee is None:
        return (
            f"No rate was sustained with {limit}: not even "
            f"{sweep.steps[0].result.rate:.4g} requests a second."
        )
    knee = f"{sweep.knee:.4g} requests a second are sustained, {limit}"
    if all(step.problem is None for step in sweep.steps):
        return f"At least {knee}; no higher rate was tried."
    return f"{knee}."


def notes(results: Sequence[LoadResult]) -> tuple[str, ...]:
    """Returns what to know about the load test itself.

    Args:
        results: What was measured.
    """
    shares = [result.generator.processor_share for result in results]
    late = [
        result.generator.lateness_ms["p99"]
        for result in results
        if result.generator.lateness_ms
    ]
    held = sum(result.generator.num_held_back for result in results)
    cores = results[0].generator.cores
    line = f"The load test used up to {max(shares):.2f} of {cores} processors"
    if late:
        line += f" and sent 99 % within {max(late):.2g} ms of their time"
    if held:
        line += (
            f"; {held:,} requests waited for a free client, which is in their "
            "latency"
        )
    warnings = [
        f"{result.load}: {result.generator.warning}"
        for result in results
        if result.generator.warning
    ]
    return (f"{line}.", *warnings)


def _table(title: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(result: LoadResult) -> tuple[str, ...]:
    latency = result.latency_ms
    return (
        result.load,
        f"{result.throughput:.4g}",
        *(milliseconds(latency[name]) for name in ("p50", "p95", "p99", "max")),
        f"{result.num_failed:,}",
        f"{result.num_unsent:,}",
    )


def _failures(results: Sequence[LoadResult]) -> tuple[Table, ...]:
    rows = [
        (result.load, failures)
        for result in results
        for failures in result.failures
    ]
    if not rows:
        return ()
    table = Table(title="failed", title_justify="left")
    for name in ("load", "kind", "requests", "the first"):
        table.add_column(name, overflow="fold")
    for load, failures in rows:
        table.add_row(
            load,
            failures.kind,
            f"{failures.count:,}",
            escape(failures.example),
        )
    return (table,)
