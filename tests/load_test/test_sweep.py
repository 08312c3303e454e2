import time

import pytest

from kerassent.errors import ServingError
from kerassent.load_test import Connections, Payloads, run_sweep
from kerassent.load_test.open_loop import _moments
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.summary import summarize
from kerassent.load_test.sweep import problem

TEXTS = Payloads(["a text"])


class Nobody:
    url, model_name, model_spec = "grpc://nowhere:1", "m", "m"


@pytest.fixture(params=["grpc"])
def protocol(request):
    """Each sweep takes its time, and the loops are tested over both."""
    return request.param


def test_the_knee_is_what_the_server_can_do(
    timed, connections, one_at_a_time, undisturbed
):
    """Ten milliseconds each, one at a time: a hundred a second."""
    timed.serve = one_at_a_time(0.01)
    seen = []

    def measure():
        seen.clear()
        return run_sweep(
            connections, TEXTS, seconds=0.7, warmup=0.2, say=seen.append
        )

    found = undisturbed(measure, tolerated=0.05)
    assert found.alone.latency_ms["p50"] == pytest.approx(11, abs=2)
    assert found.crowd.throughput == pytest.approx(95, abs=8)
    assert 0.65 * found.crowd.throughput < found.knee < 105
    assert found.max_latency_ms == 5 * found.alone.latency_ms["p50"]
    rates = [step.result.rate for step in found.steps]
    assert rates == sorted(rates)
    assert len(seen) == len(rates) + 2
    # All up to the knee are sustained, the next one is not.
    at = rates.index(found.knee)
    assert not any(step.problem for step in found.steps[: at + 1])
    assert found.steps[at + 1].problem
    # And between the two is no more than there was room for.
    assert rates[at + 1] - found.knee < 0.3 * found.crowd.throughput


def test_rates_can_be_given(timed, connections, one_at_a_time, undisturbed):
    timed.serve = one_at_a_time(0.01)
    found = undisturbed(
        lambda: run_sweep(
            connections,
            TEXTS,
            rates=[400, 10, 20],
            max_latency_ms=2000,
            seconds=1,
            warmup=0.3,
        ),
        tolerated=0.2,
    )
    assert [step.result.rate for step in found.steps] == [10, 20, 400]
    assert found.knee == 20
    assert "answers" in found.steps[2].problem
    assert found.crowd is None
    slow = run_sweep(
        connections,
        TEXTS,
        rates=[20],
        max_latency_ms=5,
        seconds=0.5,
        warmup=0,
    )
    assert slow.knee is None
    assert slow.steps[0].problem == "p95 over 5 ms"


STATUS = "RESOURCE_EXHAUSTED"


def test_a_rate_with_failures_is_not_sustained(timed, connections):
    timed.serve = lambda number: STATUS if number % 20 == 7 else None
    found = run_sweep(connections, TEXTS, rates=[50], seconds=1, warmup=0)
    assert found.knee is None
    assert found.steps[0].problem.endswith("% failed")


def due(moments, latency, *, rate, window=(1.0, 6.0)):
    """Returns the result of requests that take so long if due so late."""
    recording = Recording()
    for moment in moments:
        done = moment + latency(moment)
        recording.events.append(Event(moment, moment, moment, done, None))
    return summarize(
        recording,
        server=Nobody(),
        payloads=TEXTS,
        window=window,
        num_requests=sum(moment >= window[0] for moment in moments),
        rate=rate,
    )


@pytest.mark.parametrize("rate", [6.0, 50.0])
def test_no_rate_is_too_much_because_chance_asked_for_less(rate):
    offered = []
    for seed in range(50):
        moments = _moments(rate, 1.0, 5.0, "poisson", seed)
        found = due(moments, lambda moment: 0.002, rate=rate)
        offered.append(found.num_requests / found.seconds)
        assert problem(found, 10.0) is None
    assert min(offered) < 0.95 * rate < rate < max(offered)


EVEN = {rate: _moments(rate, 1.0, 5.0, "even", 0) for rate in (1.0, 2.0, 50.0)}


@pytest.mark.parametrize("rate", EVEN)
@pytest.mark.parametrize("seconds", [0.9, 1.5, 4.0, 30.0])
def test_a_server_that_is_slow_but_keeps_up_sustains_a_rate(rate, seconds):
    found = due(EVEN[rate], lambda moment: seconds, rate=rate)
    assert problem(found, 1e3 * seconds + 1) is None
    assert found.num_in_step == found.num_requests == 5 * rate
    # Two in five are quick, also among the first.
    mixed = due(
        EVEN[rate],
        lambda moment: seconds if round(moment * rate) % 5 < 3 else 0.01,
        rate=rate,
    )
    assert problem(mixed, 1e3 * seconds + 1) is None


@pytest.mark.parametrize("seconds", [0.01, 1.5])
@pytest.mark.parametrize(
    "rate, part", [(1.0, 0.5), (2.0, 0.7), (50.0, 0.25), (50.0, 0.9)]
)
def test_requests_that_pile_up_are_too_much_whatever_the_limit(
    rate, part, seconds
):
    """The server can answer a part of the rate."""
    found = due(
        EVEN[rate],
        lambda moment: seconds + moment * (1 / part - 1),
        rate=rate,
    )
    assert problem(found, 1e6).startswith("answers ")
    assert found.num_answered == found.num_requests > found.num_in_step


def test_a_server_that_takes_longer_than_the_warmup_sustains_a_rate(
    timed, connections
):
    """It answers all at a time, so that no rate is too much."""
    timed.serve = lambda number: time.sleep(0.5 if number else 0)
    found = run_sweep(
        connections,
        TEXTS,
        rates=[5, 40],
        max_latency_ms=3000,
        seconds=1,
        warmup=0.1,
    )
    assert [step.problem for step in found.steps] == [None, None]
    assert found.steps[1].result.throughput < 35


def test_a_rate_of_which_nothing_was_due_is_not_sustained():
    assert problem(due([], None, rate=0.2), 10.0) == "no request was due"


def test_a_server_that_answers_nothing_is_an_error(timed, connections):
    def serve(number):
        time.sleep(0.01)
        return STATUS if number else None

    timed.serve = serve
    with pytest.raises(ServingError, match="None of .* got an answer.*as told"):
        run_sweep(connections, TEXTS, seconds=0.2, warmup=0)


def test_requests_that_outlast_their_timeout_and_the_load_are_an_error(timed):
    timed.serve = lambda number: time.sleep(0.6 if number else 0)
    with (
        Connections(
            timed.urls["grpc"], model_name="sentiment", timeout=0.4
        ) as connections,
        pytest.raises(ServingError, match="None of 1 requests got an answer"),
    ):
        run_sweep(connections, TEXTS, seconds=0.2, warmup=0.1)


def test_answers_that_come_after_the_load_are_an_error(timed, connections):
    """There is no rate to begin with."""
    timed.serve = lambda number: time.sleep(0.6 if number else 0)
    with pytest.raises(ServingError, match="1 client, no answer .* 0.2 s"):
        run_sweep(connections, TEXTS, seconds=0.2, warmup=0.1)
    # With rates it is no matter.
    found = run_sweep(connections, TEXTS, rates=[5], seconds=0.2, warmup=0.1)
    assert found.alone.latency_ms["p50"] == pytest.approx(600, abs=150)
