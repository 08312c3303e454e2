"""A load test as tables for the terminal."""

from collections.abc import Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep

COLUMNS: Final = (
    "load",
    "answers/s",
    "p50",
    "p95",
    "p99",
    "max",
    "failed",
    "unsent",
)

_KNEE: Final = "the knee"


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
        f"{result.model_spec} at {result.url}: {result.num_requests:,} "
        f"requests in {result.seconds:.4g} s, latencies in ms"
    )
    table.add_row(*cells(result))
    return table, *_failures([result]), *notes([result])


def sweep_tables(sweep: Sweep) -> tuple[Any, ...]:
    """Returns what to print of a sweep.

    Args:
        sweep: What `run_sweep` returned.
    """
    alone = sweep.alone
    table = _table(
        f"{alone.model_spec} at {alone.url}: {alone.seconds:.4g} s each, "
        "latencies in ms"
    )
    table.add_column("")
    rows = sweep_rows(sweep)
    for result, note in rows:
        if result is sweep.steps[0].result:
            table.add_section()
        table.add_row(
            *cells(result), note, style="bold" if note == _KNEE else ""
        )
    results = [result for result, _ in rows]
    return table, knee_line(sweep), *_failures(results), *notes(results)


def sweep_rows(sweep: Sweep) -> list[tuple[LoadResult, str]]:
    """Returns all loads of a sweep, each with what there is to say of it.

    Args:
        sweep: What `run_sweep` returned.
    """
    rows = [(sweep.alone, "")]
    if sweep.crowd is not None:
        rows.append((sweep.crowd, ""))
    for step in sweep.steps:
        at_knee = step.result.rate == sweep.knee
        rows.append((step.result, step.problem or (_KNEE if at_knee else "")))
    return rows


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
    return (conduct(results), *warnings(results))


def conduct(results: Sequence[LoadResult]) -> str:
    """Returns how well the load test kept up, in a sentence.

    Args:
        results: What was measured.
    """
    generators = [result.generator for result in results]
    share = max(each.processor_share for each in generators)
    cores = generators[0].cores
    line = f"The load test used up to {share:.2f} of {cores} processors"
    late = [each.lateness_ms["p99"] for each in generators if each.lateness_ms]
    if late:
        line += f" and sent 99 % within {max(late):.2g} ms of their time"
    held = sum(each.num_held_back for each in generators)
    if held:
        line += (
            f"; {held:,} requests waited for a free client, which is in their "
            "latency"
        )
    return f"{line}."


def warnings(results: Sequence[LoadResult]) -> tuple[str, ...]:
    """Returns what makes the figures doubtful, if anything.

    Args:
        results: What was measured.
    """
    return tuple(
        f"{result.load}: {result.generator.warning}"
        for result in results
        if result.generator.warning
    )


def _table(title: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def cells(result: LoadResult) -> tuple[str, ...]:
    """Returns a load's figures, in the order of `COLUMNS`.

    Args:
        result: What became of it.
    """
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
