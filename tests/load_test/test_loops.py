import sys
import threading
import time

import pytest

from kerassent.errors import ServerUnavailable
from kerassent.load_test import (
    Connections,
    Payloads,
    run_closed_loop,
    run_open_loop,
)

TEXTS = [f"text {n}" for n in range(7)]


@pytest.fixture
def payloads():
    return Payloads(TEXTS)


def test_the_rate_is_held_whatever_the_answers_do(
    timed, connections, payloads, undisturbed
):
    timed.serve = lambda number: time.sleep(0.1)

    def measure():
        timed.texts.clear()
        return run_open_loop(
            connections, payloads, rate=80, seconds=1.5, warmup=0.5
        )

    begin = time.perf_counter()
    found = measure()
    assert 2.0 < time.perf_counter() - begin < 6.0
    assert found.num_requests == found.num_answered == 120
    # Forty to warm up, and the one that is asked before all.
    assert timed.num_requests == 120 + 40 + 1
    assert (found.num_failed, found.num_unsent) == (0, 0)
    found = undisturbed(measure)
    assert found.throughput == pytest.approx(80, rel=0.05)
    assert found.latency_ms["p50"] == pytest.approx(105, abs=10)
    assert found.latency_ms["mean"] == pytest.approx(105, abs=10)
    assert found.generator.num_held_back == 0


@pytest.mark.parametrize("max_in_flight", [256, 1])
def test_a_stalled_server_shows_in_the_percentiles_of_an_open_loop(
    timed, connections, payloads, one_at_a_time, undisturbed, max_in_flight
):
    """No coordinated omission: half a second of stall in two seconds."""

    def measure():
        timed.serve = one_at_a_time(0.0005, stall=0.5, stall_after=0.8)
        return run_open_loop(
            connections,
            payloads,
            rate=100,
            seconds=2,
            warmup=0,
            max_in_flight=max_in_flight,
        )

    found = undisturbed(measure)
    assert found.num_requests == found.num_answered == 200
    # Fifty requests fall into it and wait 500, 490, … ms. A tenth of
    # all, twenty, waited 310 ms or longer.
    assert found.latency_ms["p50"] < 30
    assert found.latency_ms["p90"] == pytest.approx(310, abs=60)
    assert found.latency_ms["p99"] == pytest.approx(490, abs=60)
    assert found.latency_ms["max"] == pytest.approx(500, abs=60)
    held = found.generator.num_held_back
    # With one client fifty and more could not be sent in time.
    assert held == 0 if max_in_flight == 256 else 40 <= held <= 100


def test_a_stalled_server_hardly_shows_in_a_closed_loop(
    timed, connections, payloads, one_at_a_time, undisturbed
):
    def measure():
        timed.serve = one_at_a_time(0.005, stall=0.5, stall_after=0.8)
        return run_closed_loop(connections, payloads, seconds=2, warmup=0)

    found = undisturbed(measure)
    # One client that waits meets the stall once: it asks less meanwhile.
    assert found.latency_ms["max"] > 490
    assert found.latency_ms["p99"] < 50


def test_a_closed_loop_has_as_many_under_way_as_clients(
    timed, connections, payloads, undisturbed
):
    timed.serve = lambda number: time.sleep(0.05)
    found = undisturbed(
        lambda: run_closed_loop(
            connections, payloads, clients=4, seconds=1, warmup=0.2
        )
    )
    assert found.throughput == pytest.approx(4 / 0.05, rel=0.15)
    assert found.latency_ms["p50"] == pytest.approx(52, abs=5)
    assert found.load == "4 clients"
    assert found.generator.lateness_ms == {}


def test_a_count_ends_a_loop(timed, connections, payloads):
    """That answers may come after the end is no matter here."""
    found = run_closed_loop(
        connections, payloads, clients=3, requests=20, warmup=0, seconds=60
    )
    assert found.num_requests == 20
    assert timed.num_requests == 21
    assert found.seconds < 5
    found = run_open_loop(
        connections, payloads, rate=50, requests=10, warmup=0, seconds=60
    )
    assert found.num_requests == found.num_answered == 10
    assert found.seconds == pytest.approx(0.2)
    assert 0 < found.throughput <= 50
    found = run_open_loop(
        connections,
        payloads,
        rate=200,
        requests=20,
        warmup=0,
        seconds=60,
        arrivals="poisson",
    )
    assert found.num_requests == 20


STATUS = {
    "grpc": ("RESOURCE_EXHAUSTED", "NOT_FOUND"),
    "rest": (429, 404),
}


def test_errors_are_counted_by_kind_and_not_tried_again(
    timed, connections, payloads, protocol
):
    busy, missing = STATUS[protocol]

    def serve(number):
        if number % 5 == 3:
            return busy
        return missing if number % 10 == 4 else None

    timed.serve = serve
    found = run_open_loop(
        connections, payloads, rate=100, requests=100, warmup=0
    )
    assert timed.num_requests == 101
    assert [(f.kind, f.count) for f in found.failures] == [
        ("Overloaded", 20),
        ("ModelNotFound", 10),
    ]
    assert "as told" in found.failures[0].example
    assert (found.num_failed, found.num_answered) == (30, 70)
    # Three in ten have no answer: the 90th percentile is one of them.
    assert found.latency_ms["p50"] is not None
    assert found.latency_ms["p90"] is None


def test_what_takes_too_long_has_failed(timed, protocol, payloads):
    timed.serve = lambda number: time.sleep(0.6 if number % 4 == 2 else 0)
    with Connections(
        timed.urls[protocol], model_name="sentiment", timeout=0.3
    ) as connections:
        found = run_open_loop(
            connections, payloads, rate=20, requests=20, warmup=0
        )
    assert [(f.kind, f.count) for f in found.failures] == [
        ("DeadlineExceeded", 5)
    ]


def test_what_could_not_be_sent_counts(timed, connections, payloads):
    """Two clients and 0.3 s each: seven requests a second, not forty."""
    timed.serve = lambda number: time.sleep(0.3)
    begin = time.perf_counter()
    found = run_open_loop(
        connections, payloads, rate=40, seconds=1.4, warmup=0, max_in_flight=2
    )
    assert time.perf_counter() - begin < 3.0
    assert found.num_requests == 56
    assert found.num_answered + found.num_unsent == 56
    assert 6 <= found.num_answered <= 12
    assert 4 < found.throughput <= 2 / 0.3
    assert found.latency_ms["p50"] is None
    assert found.generator.num_held_back >= 5


def test_a_busy_process_says_so(timed, connections, payloads):
    """A thread that holds on to Python makes sends late."""
    timed.serve = lambda number: time.sleep(0.02)
    stop = threading.Event()

    def hog():
        while not stop.is_set():
            pass

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=hog)
    sys.setswitchinterval(0.03)
    thread.start()
    try:
        found = run_open_loop(
            connections, payloads, rate=20, seconds=1, warmup=0
        )
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert found.generator.lateness_ms["p99"] > 10
    # Others want the processors, too.
    assert found.generator.processor_share > 0.15
    assert found.generator.warning


def test_a_quiet_process_says_how_quiet(timed, connections, payloads):
    found = run_open_loop(connections, payloads, rate=20, seconds=1, warmup=0)
    assert found.generator.processor_share < 0.5
    assert 0 < found.generator.lateness_ms["p50"] < 10


def test_a_server_that_is_not_there_is_an_error_at_once(payloads):
    with Connections("http://127.0.0.1:9", model_name="m") as connections:
        with pytest.raises(ServerUnavailable, match="Nothing answers"):
            run_open_loop(connections, payloads, rate=10)
        with pytest.raises(ServerUnavailable, match="Nothing answers"):
            run_closed_loop(connections, payloads)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": float("nan")},
        {"seconds": 0},
        {"seconds": 1e9},
        {"requests": 0},
        {"warmup": -1},
        {"arrivals": "odd"},
        {"max_in_flight": 0},
        {"rate": 1e6, "seconds": 1e4},
    ],
)
def test_nonsense_is_refused_before_anything_is_sent(timed, payloads, wrong):
    with Connections(timed.urls["rest"], model_name="m") as connections:
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
            run_open_loop(connections, payloads, **{"rate": 10} | wrong)
    assert timed.num_requests == 0


def test_all_texts_are_sent_in_an_order_of_their_own(
    timed, connections, protocol
):
    payloads = Payloads(TEXTS, texts_per_request=2, seed=3)
    run_closed_loop(connections, payloads, requests=7, warmup=0)
    sent = [text.decode() for texts in timed.texts[1:] for text in texts]
    assert len(sent) == 14
    assert sorted(sent) == sorted(TEXTS * 2)
    assert sent[:7] != TEXTS
    again = Payloads(TEXTS, texts_per_request=2, seed=3)
    assert [t.decode() for n in range(7) for t in again.request(n)] == sent


def test_a_request_is_one_request(timed, connections):
    payloads = Payloads(TEXTS, texts_per_request=300)
    found = run_closed_loop(connections, payloads, requests=2, warmup=0)
    assert [len(texts) for texts in timed.texts] == [300, 300, 300]
    assert found.num_answered == 2
