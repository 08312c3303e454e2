"""What a load test found, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Failures:
    """Requests that failed in one way.

    Args:
        kind: The error's class, such as `"Overloaded"`.
        count: How many.
        example: The first one's message.
    """

    kind: str
    count: int
    example: str


@dataclass(frozen=True)
class Slice:
    """A part of the time.

    Args:
        second: Where it begins, from the end of the warmup.
        num_requests: How many were to be sent in it.
        num_failed: How many of these failed.
        throughput: Answers that came in it, a second.
        p50_ms: Of the latencies of what was to be sent in it.
        max_ms: Likewise; `None` where there is no answer.
    """

    second: float
    num_requests: int
    num_failed: int
    throughput: float
    p50_ms: float | None
    max_ms: float | None


@dataclass(frozen=True)
class Generator:
    """How well the load test itself kept up.

    Args:
        lateness_ms: How much later than due requests were sent although a
            client was free; `"p50"`, `"p99"`, `"max"`. Closed loops have none.
        num_held_back: How many waited since `max_in_flight` were under way.
        processor_share: Seconds of processor time of this process in a second.
            Python's threads share one processor, so 1 is all it can do.
        cores: How many processors this machine lets it use.
        warning: What makes the figures doubtful, or `None`.
    """

    lateness_ms: dict[str, float]
    num_held_back: int
    processor_share: float
    cores: int
    warning: str | None


@dataclass(frozen=True)
class LoadResult:
    """What became of the requests of one load.

    Latencies are from when a request was to be sent to its answer. A request
    that failed or could not be sent counts as longer than any other: where a
    percentile falls on one it is `None`.

    Args:
        url: Whom was asked.
        model_name: For which model.
        model_spec: The same, with the version or signature asked for.
        rate: Requests a second of an open loop, or `None`.
        clients: Clients of a closed loop, or `None`.
        texts_per_request: Texts in a request.
        num_texts: How many different ones there were.
        mean_bytes: How long they are on average.
        seconds: How long it lasted, without the warmup.
        num_requests: How many requests were to be sent.
        num_answered: How many of them got an answer.
        num_in_step: How many of them got it no longer after the end than the
            first ones took. Where requests pile up it is fewer.
        num_unsent: How many could not be sent before the end.
        failures: The rest, by kind.
        throughput: Answers a second.
        latency_ms: `"p50"`, `"p90"`, `"p95"`, `"p99"`, `"p99_9"`, `"max"`, and
            `"mean"`, which is of the answered ones.
        curve: Percentiles, 0 to 100, and the latency at each.
        slices: The same over time.
        generator: How well the load test kept up.
    """

    url: str
    model_name: str
    model_spec: str
    rate: float | None
    clients: int | None
    texts_per_request: int
    num_texts: int
    mean_bytes: float
    seconds: float
    num_requests: int
    num_answered: int
    num_in_step: int
    num_unsent: int
    failures: tuple[Failures, ...]
    throughput: float
    latency_ms: dict[str, float | None]
    curve: tuple[tuple[float, float | None], ...]
    slices: tuple[Slice, ...]
    generator: Generator

    @property
    def num_failed(self) -> int:
        """How many requests failed, in whatever way."""
        return sum(failures.count for failures in self.failures)

    @property
    def load(self) -> str:
        """The load in words: `"20/s"` or `"8 clients"`."""
        if self.rate is not None:
            return f"{self.rate:.4g}/s"
        return f"{self.clients} client{'s' * (self.clients != 1)}"

    def to_dict(self) -> dict[str, Any]:
        """Returns it as what JSON can hold."""
        return asdict(self) | {"num_failed": self.num_failed}
