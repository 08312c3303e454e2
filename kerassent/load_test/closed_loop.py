"""A closed loop: clients that ask again when they have their answer."""

import itertools

from kerassent.load_test.bounds import checked_bounds, checked_count
from kerassent.load_test.connections import Connections, failure
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.results import LoadResult
from kerassent.load_test.summary import summarize


def run_closed_loop(
    server: Connections,
    payloads: Payloads,
    *,
    clients: int = 1,
    seconds: float = 10.0,
    requests: int | None = None,
    warmup: float = 1.0,
) -> LoadResult:
    """Lets clients ask one request after the other.

    It shows what a server can do, as throughput. Its latencies are those of a
    crowd that never grows: a client that waits sends nothing, so a server that
    stalls is asked less. For latencies at a rate see `run_open_loop`.

    Args:
        server: Where to send.
        payloads: What to send.
        clients: How many requests are under way all the time.
        seconds: How long, without the warmup.
        requests: How many at most, without the warmup.
        warmup: Seconds before, which are not counted.

    Raises:
        ServingError: The first request of all gets no answer.
        ValueError: An argument has no sense.
    """
    checked_count("clients", clients)
    checked_bounds(seconds, requests, warmup)
    server.check(payloads.request(0))
    recording = Recording()
    numbers = itertools.count()  # next() is atomic
    counted = itertools.count()
    end = warmup + seconds

    def work(_: int) -> None:
        if not recording.wait_until(0.0):
            return
        client = server.take()
        while recording.wait_until(0.0) and (sent := recording.now()) < end:
            if (
                sent >= warmup
                and requests is not None
                and next(counted) >= requests
            ):
                break
            error = failure(client, payloads.request(next(numbers)))
            done = recording.now()
            recording.events.append(Event(sent, sent, sent, done, error))
        server.give_back(client)

    recording.run(work, clients)
    done = [event.done for event in recording.events]
    if requests is not None and done:
        end = max(warmup + 1e-9, min(end, max(done)))
    return summarize(
        recording,
        server=server,
        payloads=payloads,
        window=(warmup, end),
        num_requests=None,
        clients=clients,
    )
