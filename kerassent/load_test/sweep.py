"""A sweep of rates: where waiting begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kerassent.errors import ServingError
from kerassent.load_test.bounds import checked_positive
from kerassent.load_test.closed_loop import run_closed_loop
from kerassent.load_test.connections import Connections
from kerassent.load_test.open_loop import (
    MAX_IN_FLIGHT,
    Arrivals,
    run_open_loop,
)
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.results import LoadResult

# Of what the server answers when it is never idle.
_PARTS: Final = (0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2)
_CROWD: Final = 32
# Rates tried between the last that was sustained and the first that was not.
_BETWEEN: Final = 2

# What is sustained.
_MAX_BEHIND: Final = 0.05
_MAX_FAILED: Final = 0.01
_SLOWER: Final = 5.0


@dataclass(frozen=True)
class Step:
    """One rate of a sweep.

    Args:
        result: What became of the requests.
        problem: Why the rate is more than the server sustains, or `None`.
    """

    result: LoadResult
    problem: str | None


@dataclass(frozen=True)
class Sweep:
    """What a server does at rising rates.

    Args:
        alone: One client that asks one request after the other.
        crowd: 32 clients that do, or `None` where the rates were given.
        max_latency_ms: The most that 95 % of requests may take.
        steps: The rates, rising.
        knee: The highest rate that is sustained, as are all below it; `None`
            if the first is not.
    """

    alone: LoadResult
    crowd: LoadResult | None
    max_latency_ms: float
    steps: tuple[Step, ...]
    knee: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as what JSON can hold."""
        return {
            "knee": self.knee,
            "max_latency_ms": self.max_latency_ms,
            "alone": self.alone.to_dict(),
            "crowd": self.crowd.to_dict() if self.crowd else None,
            "steps": [
                step.result.to_dict() | {"problem": step.problem}
                for step in self.steps
            ],
        }


def run_sweep(
    server: Connections,
    payloads: Payloads,
    *,
    rates: Sequence[float] | None = None,
    max_latency_ms: float | None = None,
    seconds: float = 5.0,
    requests: int | None = None,
    warmup: float = 1.0,
    arrivals: Arrivals = "even",
    max_in_flight: int = MAX_IN_FLIGHT,
    seed: int = 0,
    say: Callable[[LoadResult], object] = lambda result: None,
) -> Sweep:
    """Finds the highest rate that a server sustains.

    It sustains a rate if it answers 99 % of the requests, 95 % of them within
    `max_latency_ms`, and 95 % in step: no longer after the end than the first
    took, so that they don't pile up. First one client alone and then 32 at
    a time show what it can do; then come rates up to and beyond that, and once
    one is too much, two between it and the one before.

    Args:
        server: Where to send.
        payloads: What to send.
        rates: The rates to try, and no others.
        max_latency_ms: By default five times the median of one client alone.
        seconds: How long each rate is kept up.
        requests: How many requests each has at most.
        warmup: Seconds before, which are not counted.
        arrivals: See `run_open_loop`.
        max_in_flight: See `run_open_loop`.
        seed: See `run_open_loop`.
        say: Called with each result as it comes.

    Raises:
        ServingError: The server answers nothing, or nothing within `seconds`.
        ValueError: An argument has no sense.
    """
    if rates is not None:
        if not rates:
            raise ValueError("`rates` must hold at least one rate.")
        for rate in rates:
            checked_positive("rates", rate)
    if max_latency_ms is not None:
        checked_positive("max_latency_ms", max_latency_ms)

    def closed(clients: int) -> LoadResult:
        result = run_closed_loop(
            server,
            payloads,
            clients=clients,
            seconds=seconds,
            requests=requests,
            warmup=warmup,
        )
        say(result)
        wrong = None
        if not result.num_answered and result.failures:
            wrong = (
                f"None of {result.num_requests} requests got an answer: "
                f"{result.failures[0].example}"
            )
        # The rates are parts of what was answered.
        elif not (result.throughput if rates is None else result.num_answered):
            wrong = (
                f"With {result.load}, no answer came within the "
                f"{result.seconds:.4g} s of a load: make it longer, or send "
                "fewer texts in a request."
            )
        if wrong:
            raise ServingError(
                wrong, model_name=server.model_name, url=server.url
            )
        return result

    alone = closed(1)
    limit = max_latency_ms or _SLOWER * (alone.latency_ms["p50"] or 0.0)

    def step(rate: float) -> Step:
        result = run_open_loop(
            server,
            payloads,
            rate=rate,
            seconds=seconds,
            requests=requests,
            warmup=warmup,
            arrivals=arrivals,
            max_in_flight=max_in_flight,
            seed=seed,
        )
        say(result)
        return Step(result, problem(result, limit))

    steps: dict[float, Step] = {}
    crowd = None
    if rates is not None:
        for rate in sorted(set(rates)):
            steps[rate] = step(rate)
    else:
        crowd = closed(_CROWD)
        good = 0.0
        for part in _PARTS:
            rate = part * crowd.throughput
            steps[rate] = step(rate)
            if steps[rate].problem:
                steps |= _between(step, good, rate)
                break
            good = rate
    ordered = tuple(steps[rate] for rate in sorted(steps))
    return Sweep(alone, crowd, limit, ordered, _knee(ordered))


def _between(
    step: Callable[[float], Step], good: float, bad: float
) -> dict[float, Step]:
    """Returns steps that halve the way from a good to a bad rate."""
    steps = {}
    for _ in range(_BETWEEN):
        rate = (good + bad) / 2
        steps[rate] = step(rate)
        if steps[rate].problem:
            bad = rate
        else:
            good = rate
    return steps


def _knee(steps: Sequence[Step]) -> float | None:
    knee = None
    for each in steps:
        if each.problem:
            break
        knee = each.result.rate
    return knee


def problem(result: LoadResult, max_latency_ms: float) -> str | None:
    """Returns why a rate is more than the server sustains, or `None`.

    Args:
        result: What became of the rate's requests.
        max_latency_ms: The most that 95 % of them may take.
    """
    count = result.num_requests
    if not count:
        return "no request was due"
    if result.num_failed > _MAX_FAILED * count:
        return f"{result.num_failed / count:.1%} failed"
    # Of what was due: at random that may be less than the rate, or more. That
    # a single one of few came late says nothing of the rate.
    if count - result.num_in_step > max(1, _MAX_BEHIND * count):
        return f"answers {result.num_in_step / count:.0%} of it"
    if result.num_unsent > _MAX_FAILED * count:
        return f"{result.num_unsent / count:.1%} could not be sent"
    p95 = result.latency_ms["p95"]
    if p95 is None or p95 > max_latency_ms:
        return f"p95 over {max_latency_ms:.4g} ms"
    return None
