import json

import numpy as np
import pytest

from kerassent.load_test.open_loop import _moments
from kerassent.load_test.page import load_page
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.summary import percentile, summarize
from kerassent.load_test.tables import load_tables


class Nobody:
    url, model_name = "grpc://nowhere:1", "m"
    model_spec = "m, version 3"


def result_of(events, *, share=0.1, window=(0.0, 10.0), **options):
    recording = Recording()
    recording.events.extend(events)
    recording.processor_share = share
    options = {"num_requests": len(events), "rate": 10.0} | options
    return summarize(
        recording,
        server=Nobody(),
        payloads=Payloads(["ab", "abcd"]),
        window=window,
        **options,
    )


def event(intended, latency, *, late=0.0, held=0.0, error=None):
    ready = intended + held
    return Event(intended, ready, ready + late, intended + latency, error)


def test_percentiles_are_by_nearest_rank():
    values = [float(n) for n in range(1, 101)]
    for percent, expected in ((0, 1), (50, 50), (99, 99), (99.9, 100)):
        assert percentile(values, percent, 100) == expected
    for percent in (1, 10, 50, 90, 99, 99.9, 100):
        assert percentile(values, percent, 100) == np.percentile(
            values, percent, method="inverted_cdf"
        )
    # Those without an answer come after all others.
    assert percentile(values[:90], 90, 100) == 90
    assert percentile(values[:90], 91, 100) is None
    assert percentile([], 50, 0) is None


def test_latency_is_from_the_intended_start():
    found = result_of([event(n / 10, 0.25, held=0.2) for n in range(100)])
    assert found.latency_ms["p50"] == pytest.approx(250)
    assert found.throughput == pytest.approx(10, abs=0.3)
    assert found.generator.num_held_back == 100
    # Nobody was free: that is not this process's lateness.
    assert found.generator.lateness_ms["max"] == pytest.approx(0, abs=1e-9)


def test_what_is_late_is_said():
    events = [event(n / 10, 0.1, late=0.03) for n in range(100)]
    found = result_of(events)
    assert found.generator.lateness_ms["p99"] == pytest.approx(30)
    assert "30.0 ms late" in found.generator.warning
    calm = [event(n / 10, 0.1, late=0.001) for n in range(100)]
    assert result_of(calm).generator.warning is None
    busy = result_of(calm, share=0.9)
    assert "90% of a processor" in busy.generator.warning


def test_the_warmup_does_not_count():
    events = [event(n / 10, 5.0 if n < 50 else 0.01) for n in range(100)]
    found = result_of(events, window=(5.0, 10.0), num_requests=50)
    assert found.latency_ms["max"] == pytest.approx(10)
    assert found.seconds == 5
    assert sum(part.num_requests for part in found.slices) == 50
    # The warmup's answers that come later were the server's work, too.
    assert found.throughput == pytest.approx((50 + 50) / 5, abs=0.5)


def test_what_a_closed_loop_waits_for_throughout_counts():
    """Three clients: one is held up, one fails, one is answered quickly."""
    late = ("DeadlineExceeded", "x")
    events = [event(0, 9), event(0, 8, error=late), event(0.5, 1)]
    events += [event(n, 0.5) for n in (2, 3, 4)]
    closed = {"num_requests": None, "rate": None, "clients": 3}
    found = result_of(events, window=(1.0, 5.0), **closed)
    # That of the warmup which ended in time does not.
    assert (found.num_requests, found.num_failed) == (5, 1)
    assert found.latency_ms["p50"] == pytest.approx(500)
    assert found.latency_ms["max"] is None
    assert found.throughput == 1  # with that of the warmup
    assert sum(part.num_requests for part in found.slices) == 5
    assert (found.slices[0].num_requests, found.slices[0].num_failed) == (2, 1)
    assert found.slices[0].max_ms == pytest.approx(9000)


def test_what_was_due_in_the_warmup_of_an_open_loop_never_counts():
    events = [event(0, 9), event(2, 0.5)]
    found = result_of(events, window=(1.0, 5.0), num_requests=1)
    assert (found.num_requests, found.num_unsent) == (1, 0)
    assert found.latency_ms["max"] == pytest.approx(500)


def test_slices_say_when():
    events = [
        event(n / 10, 0.01, error=("Overloaded", "x") if n >= 90 else None)
        for n in range(100)
    ]
    found = result_of(events)
    assert [part.second for part in found.slices] == list(range(10))
    assert [part.num_failed for part in found.slices] == [0] * 9 + [10]
    assert [part.throughput for part in found.slices] == [10] * 9 + [0]
    assert found.slices[9].max_ms is None
    assert found.slices[0].p50_ms == pytest.approx(10)


def test_table_and_page_say_which_model():
    found = result_of([event(0, 0.1)])
    spec = "m, version 3 at grpc://nowhere:1"
    assert load_tables(found)[0].title.startswith(spec)
    assert f"<title>Load test of {spec}</title>" in load_page(found)


def test_it_is_plain_data():
    found = result_of([event(0, 0.1), event(1, 0, error=("Overloaded", "x"))])
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["failures"] == [
        {"kind": "Overloaded", "count": 1, "example": "x"}
    ]
    assert data["latency_ms"]["max"] is None
    assert data["num_failed"] == 1
    assert data["mean_bytes"] == 3


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("rate", [0.7, 3.0, 30.0, 999.0])
def test_even_arrivals_are_even_and_as_many_as_they_should_be(rate, warmup):
    moments = _moments(rate, warmup, 3.0, "even", 0)
    counted = moments[moments >= warmup]
    assert len(counted) == pytest.approx(rate * 3, abs=1)
    assert counted[0] == warmup
    assert moments[0] >= -1e-9
    assert np.diff(moments) == pytest.approx(1 / rate)
    assert moments[-1] < warmup + 3.0


def test_poisson_arrivals_are_at_random():
    moments = _moments(200, 1.0, 49.0, "poisson", 0)
    assert len(moments) == pytest.approx(10_000, abs=400)  # 4 deviations
    gaps = np.diff(moments)
    assert gaps.min() >= 0
    # Exponential: the deviation is the mean.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert gaps.mean() == pytest.approx(1 / 200, rel=0.05)
    assert (moments != _moments(200, 1.0, 49.0, "poisson", 1)[:1]).all()
