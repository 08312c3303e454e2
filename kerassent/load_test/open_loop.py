"""An open loop: requests go out at a rate, whatever the answers do."""

import itertools
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from kerassent.load_test.bounds import (
    checked_bounds,
    checked_count,
    checked_positive,
)
from kerassent.load_test.connections import Connections, failure
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.results import LoadResult
from kerassent.load_test.summary import summarize

Arrivals = Literal["even", "poisson"]

MAX_IN_FLIGHT: Final = 256

# A thread that wakes late still sends what was due before the end.
_GRACE_SECONDS: Final = 0.25
_MAX_REQUESTS: Final = 10_000_000


def run_open_loop(
    server: Connections,
    payloads: Payloads,
    *,
    rate: float,
    seconds: float = 10.0,
    requests: int | None = None,
    warmup: float = 1.0,
    arrivals: Arrivals = "even",
    max_in_flight: int = MAX_IN_FLIGHT,
    seed: int = 0,
) -> LoadResult:
    """Sends requests at a rate and returns what became of them.

    When each is to be sent is fixed beforehand. A server that stalls doesn't
    put that off: what should have been sent meanwhile counts from then, not
    from when it could be sent (no coordinated omission).

    Args:
        server: Where to send.
        payloads: What to send.
        rate: Requests a second.
        seconds: How long, without the warmup.
        requests: How many at most, without the warmup.
        warmup: Seconds at the same rate before, which are not counted.
        arrivals: `"even"` spaces the requests evenly, `"poisson"` as people
            do who know nothing of each other; it has bursts.
        max_in_flight: How many may be under way. More wait for a free client,
            and their waiting counts.
        seed: Of the arrivals.

    Raises:
        ServingError: The first request of all gets no answer.
        ValueError: An argument has no sense.
    """
    checked_positive("rate", rate)
    checked_count("max_in_flight", max_in_flight)
    checked_bounds(seconds, requests, warmup)
    if arrivals not in get_args(Arrivals):
        raise ValueError(
            "`arrivals` must be 'even' or 'poisson'. Received: "
            f"arrivals={arrivals!r}"
        )
    if rate * (warmup + seconds) > _MAX_REQUESTS:
        raise ValueError(
            f"`rate` times `seconds` must be at most {_MAX_REQUESTS:,} "
            f"requests. Received: rate={rate!r}, seconds={seconds!r}"
        )
    moments = _moments(rate, warmup, seconds, arrivals, seed)
    end = warmup + seconds
    first = int(np.searchsorted(moments, warmup))  # of those that count
    if requests is not None and len(moments) - first > requests:
        end = float(moments[first + requests])
        moments = moments[: first + requests]
    server.check(payloads.request(0))
    recording = Recording()
    tickets = itertools.count()  # next() is atomic
    last_send = end + _GRACE_SECONDS

    def work(_: int) -> None:
        # Each takes the next request and sleeps until it is due. A request is
        # only ever taken by a client that is free.
        for number in tickets:
            if number >= len(moments):
                return
            moment = float(moments[number])
            ready = recording.now()
            if not recording.wait_until(moment) or recording.now() > last_send:
                return
            client = server.take()
            sent = recording.now()
            error = failure(client, payloads.request(number))
            done = recording.now()
            recording.events.append(Event(moment, ready, sent, done, error))
            server.give_back(client)

    recording.run(work, min(max_in_flight, len(moments)))
    return summarize(
        recording,
        server=server,
        payloads=payloads,
        window=(warmup, end),
        num_requests=len(moments) - first,
        rate=rate,
    )


def _moments(
    rate: float, warmup: float, seconds: float, arrivals: Arrivals, seed: int
) -> npt.NDArray[np.float64]:
    """Returns when each request is to be sent, in seconds from the start."""
    if arrivals == "even":
        # One is at the very end of the warmup, the first that counts. The tiny
        # number keeps 0.3 seconds at 10 from being four.
        before = np.floor(rate * warmup + 1e-9)
        return (
            warmup + np.arange(-before, np.ceil(rate * seconds - 1e-9)) / rate
        )
    # Given their number, the moments of a Poisson process are uniform.
    generator = np.random.default_rng(seed)
    count = generator.poisson(rate * (warmup + seconds))
    return np.sort(generator.uniform(0, warmup + seconds, count))
