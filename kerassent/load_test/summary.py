"""A load test's recording, summed up."""

import math
from collections.abc import Sequence
from typing import Final

from kerassent.load_test.connections import Connections
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.results import (
    Failures,
    Generator,
    LoadResult,
    Slice,
)
from kerassent.run_record import num_cores

PERCENTILES: Final = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99_9": 99.9}

# Where the curve of all percentiles has its points.
_CURVE: Final = (
    *range(0, 90, 5),
    *(90, 92, 94, 95, 96, 97, 98, 99, 99.5, 99.9, 99.95, 99.99, 100),
)
_MAX_SLICES: Final = 60
# One in so many of the requests shows how long they take at first.
_FIRST: Final = 5

# Beyond these the generator itself is part of what it measures.
_MAX_PROCESSOR_SHARE: Final = 0.8
_MAX_LATENESS_MS: Final = 2.0
_MAX_LATENESS_PART: Final = 0.2
# A request that waited longer for a free client was held back.
_HELD_BACK_SECONDS: Final = 0.001


def percentile(
    latencies: Sequence[float], percent: float, count: int
) -> float | None:
    """Returns a percentile by nearest rank.

    Args:
        latencies: Those of the answers, sorted.
        percent: 0 to 100.
        count: How many requests there were. Those without an answer come
            after all others.
    """
    rank = max(1, math.ceil(round(percent / 100 * count, 6)))
    return latencies[rank - 1] if rank <= len(latencies) else None


def summarize(
    recording: Recording,
    *,
    server: Connections,
    payloads: Payloads,
    window: tuple[float, float],
    num_requests: int | None,
    rate: float | None = None,
    clients: int | None = None,
) -> LoadResult:
    """Returns the result of a recording.

    Args:
        recording: What happened.
        server: Whom was asked.
        payloads: With what.
        window: What counts begins and ends here; before it is warmup.
        num_requests: How many requests were to be sent in it, or `None` for
            those that were, or that were under way throughout.
        rate: The open loop's rate.
        clients: The closed loop's clients.
    """
    begin, end = window
    # A client of a closed loop that waits for one answer all the time sends
    # nothing in it: without that request its waiting would not be seen.
    events = [
        e
        for e in recording.events
        if e.intended >= begin or (num_requests is None and e.done > end)
    ]
    if num_requests is None:
        num_requests = len(events)
    answered = sorted(
        1e3 * (e.done - e.intended) for e in events if not e.error
    )
    in_time = sum(
        begin <= e.done <= end and not e.error for e in recording.events
    )

    def at(percent: float) -> float | None:
        return percentile(answered, percent, num_requests)

    latency = {name: at(percent) for name, percent in PERCENTILES.items()}
    latency["max"] = at(100)
    latency["mean"] = sum(answered) / len(answered) if answered else None
    return LoadResult(
        url=server.url,
        model_name=server.model_name,
        model_spec=server.model_spec,
        rate=rate,
        clients=clients,
        texts_per_request=payloads.texts_per_request,
        num_texts=payloads.num_texts,
        mean_bytes=payloads.mean_bytes,
        seconds=end - begin,
        num_requests=num_requests,
        num_answered=len(answered),
        num_in_step=_in_step(events, end),
        num_unsent=num_requests - len(events),
        failures=_failures(events),
        throughput=in_time / (end - begin),
        latency_ms=latency,
        curve=tuple((float(percent), at(percent)) for percent in _CURVE),
        slices=_slices(events, recording.events, begin, end),
        generator=_generator(
            recording, events, median=latency["p50"], is_open=rate is not None
        ),
    )


def _failures(events: Sequence[Event]) -> tuple[Failures, ...]:
    """Returns the kinds of errors, the commonest first."""
    messages: dict[str, list[str]] = {}
    for event in events:
        if event.error:
            kind, message = event.error
            messages.setdefault(kind, []).append(message)
    found = [
        Failures(kind, len(all_), all_[0]) for kind, all_ in messages.items()
    ]
    return tuple(sorted(found, key=lambda failures: -failures.count))


def _in_step(events: Sequence[Event], end: float) -> int:
    """Returns how many answers came in step with the requests.

    If each takes the same time, the last answers come by that much later than
    the end, however long it is. They come later still if requests pile up.
    """
    answered = sorted(
        (e for e in events if not e.error), key=lambda e: e.intended
    )
    first = answered[: max(1, len(answered) // _FIRST)]
    took = percentile(
        sorted(e.done - e.intended for e in first), 95, len(first)
    )
    return sum(e.done <= end + (took or 0.0) for e in answered)


def _slices(
    counted: Sequence[Event], events: Sequence[Event], begin: float, end: float
) -> tuple[Slice, ...]:
    count = max(1, min(_MAX_SLICES, round(end - begin)))
    width = (end - begin) / count
    sent: list[list[Event]] = [[] for _ in range(count)]
    came = [0] * count
    for event in counted:
        place = int((event.intended - begin) / width)
        sent[max(0, min(count - 1, place))].append(event)
    for event in events:
        if begin <= event.done < end and not event.error:
            came[min(count - 1, int((event.done - begin) / width))] += 1
    slices = []
    for i, part in enumerate(sent):
        latencies = sorted(
            1e3 * (e.done - e.intended) for e in part if not e.error
        )
        slices.append(
            Slice(
                second=i * width,
                num_requests=len(part),
                num_failed=len(part) - len(latencies),
                throughput=came[i] / width,
                p50_ms=percentile(latencies, 50, len(latencies)),
                max_ms=latencies[-1] if latencies else None,
            )
        )
    return tuple(slices)


def _generator(
    recording: Recording,
    events: Sequence[Event],
    *,
    median: float | None,
    is_open: bool,
) -> Generator:
    lateness = sorted(1e3 * (e.sent - max(e.intended, e.ready)) for e in events)
    late: dict[str, float] = {}
    if is_open and lateness:
        for name, percent in (("p50", 50), ("p99", 99), ("max", 100)):
            late[name] = percentile(lateness, percent, len(lateness)) or 0.0
    warning = None
    allowed = max(_MAX_LATENESS_MS, _MAX_LATENESS_PART * (median or 0.0))
    if recording.processor_share > _MAX_PROCESSOR_SHARE:
        warning = (
            f"This process was busy for {recording.processor_share:.0%} of a "
            "processor, and Python's threads share one: the load test may be "
            "the bottleneck. Run several, or from another machine, or send "
            "less."
        )
    elif late.get("p99", 0.0) > allowed:
        warning = (
            f"One in a hundred requests was sent {late['p99']:.1f} ms late or "
            "later: this machine was too busy to send in time, and latencies "
            "include that. Send less, or from another machine."
        )
    return Generator(
        lateness_ms=late,
        num_held_back=sum(
            e.ready - e.intended > _HELD_BACK_SECONDS for e in events
        ),
        processor_share=recording.processor_share,
        cores=num_cores(),
        warning=warning,
    )
