"""Batches: what is merged, when, and what is told to whom."""

import threading
import time

import numpy as np
import pytest

from kerassent.server.batch_threads import BatchThreads
from kerassent.server.batching import BatchingSession
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.metrics import Metrics
from kerassent.server.status import Code, StatusError


class Doubling:
    """A session that notes what it runs, and waits for a gate."""

    def __init__(self):
        self.runs = []
        self.timeouts = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def run(self, feeds, fetches, *, timeout_ms=None):
        self.runs.append({name: a.copy() for name, a in feeds.items()})
        self.timeouts.append(timeout_ms)
        self.entered.set()
        assert self.gate.wait(20)
        return [self.answer(name, feeds["x"]) for name in fetches]

    def answer(self, name, x):
        if name == "error":
            raise StatusError(Code.INVALID_ARGUMENT, "no good")
        if name == "bug":
            raise ZeroDivisionError
        if name == "scalar":
            return np.float32(1)
        if name == "short":
            return x[:-1]
        return 2 * x if name == "double" else -x


@pytest.fixture
def session():
    return Doubling()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def make(session, metrics):
    opened = []

    def make(threads=1, **parameters):
        pool = BatchThreads(threads)
        batching = BatchingSession(
            session, BatchingParameters(**parameters), pool, metrics
        )
        opened.append((batching, pool))
        return batching

    yield make
    session.gate.set()
    for batching, pool in opened:
        batching.close()
        pool.close()


def x(*values):
    return {"x": np.array(values, np.float32)}


class Call(threading.Thread):
    def __init__(self, batching, feeds, fetches=("double",), **kwargs):
        super().__init__()
        self.work = lambda: batching.run(feeds, fetches, **kwargs)
        self.answer = None
        self.start()

    def run(self):
        try:
            self.answer = self.work()
        except StatusError as error:
            self.answer = error

    def result(self):
        self.join(20)
        assert not self.is_alive()
        return self.answer


def hold(batching, session):
    """Occupies the only thread, so that others queue up."""
    session.gate.clear()
    session.entered.clear()
    call = Call(batching, x(100))
    assert session.entered.wait(20)
    return call


def queue(calls, batching):
    """Starts calls one after the other, in order."""
    started = []
    for call in calls:
        before = waiting(batching)
        started.append(call())
        deadline = time.monotonic() + 20
        while waiting(batching) == before and started[-1].is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return started


def waiting(batching):
    return sum(
        len(batch.pieces)
        for q in batching._queues.values()
        for batch in q._batches
    )


def test_requests_that_wait_together_run_together(make, session):
    batching = make(max_batch_size=4)
    first = hold(batching, session)
    calls = queue(
        [
            lambda: Call(batching, x(1, 2)),
            lambda: Call(batching, x(3)),
            lambda: Call(batching, x(4, 5)),
        ],
        batching,
    )
    session.gate.set()
    assert first.result()[0].tolist() == [200]
    answers = [call.result()[0].tolist() for call in calls]
    assert answers == [[2, 4], [6], [8, 10]]
    assert [run["x"].tolist() for run in session.runs] == [
        [100],
        [1, 2, 3],
        [4, 5],
    ]


def test_full_batch_does_not_wait_and_another_waits_its_time(make, session):
    batching = make(max_batch_size=2, batch_timeout_micros=300_000)
    start = time.monotonic()
    batching.run(x(1, 2), ["double"])
    assert time.monotonic() - start < 0.2
    batching.run(x(1), ["double"])
    assert 0.3 < time.monotonic() - start < 5


def test_outputs_come_in_the_order_asked_for(make, session):
    batching = make()
    values = batching.run(x(1, 2), ["negative", "double"])
    assert [value.tolist() for value in values] == [[-1, -2], [2, 4]]
    values = batching.run(x(3), ["double", "negative", "double"])
    assert [value.tolist() for value in values] == [[6], [-3], [6]]


def test_inputs_merge_in_any_order(make, session):
    session.answer = lambda name, x: x - session.runs[-1]["z"]
    batching = make()
    first = Call(batching, {**x(1), "z": np.float32([1])})
    first.result()
    session.gate.clear()
    session.entered.clear()
    held = Call(batching, {**x(1), "z": np.float32([1])})
    assert session.entered.wait(20)
    calls = queue(
        [
            lambda: Call(batching, {**x(5), "z": np.float32([1])}),
            lambda: Call(batching, {"z": np.float32([2]), **x(9)}),
        ],
        batching,
    )
    session.gate.set()
    assert held.result()[0].tolist() == [0]
    assert [call.result()[0].tolist() for call in calls] == [[4], [7]]
    assert len(session.runs) == 3


def test_each_set_of_outputs_has_a_queue(make, session):
    batching = make()
    first = hold(batching, session)
    calls = queue(
        [
            lambda: Call(batching, x(1), ["double"]),
            lambda: Call(batching, x(2), ["negative"]),
        ],
        batching,
    )
    session.gate.set()
    first.result()
    assert [call.result()[0].tolist() for call in calls] == [[2], [-2]]
    assert len(session.runs) == 3


def test_batch_is_filled_up_to_an_allowed_size(make, session):
    batching = make(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    first = hold(batching, session)
    calls = queue(
        [
            lambda: Call(batching, x(1, 2)),
            lambda: Call(batching, x(7, 8, 9)),
        ],
        batching,
    )
    session.gate.set()
    first.result()
    assert [call.result()[0].tolist() for call in calls] == [
        [2, 4],
        [14, 16, 18],
    ]
    # The last request's first row fills up.
    assert session.runs[1]["x"].tolist() == [1, 2, 7, 8, 9, 7, 7, 7]


def test_large_request_is_split_and_put_together(make, session):
    batching = make(
        max_batch_size=10,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    first = hold(batching, session)
    calls = queue(
        [
            lambda: Call(batching, x(1, 2, 3)),
            lambda: Call(batching, x(*range(10, 16))),
        ],
        batching,
    )
    session.gate.set()
    first.result()
    assert calls[0].result()[0].tolist() == [2, 4, 6]
    assert calls[1].result()[0].tolist() == [20, 22, 24, 26, 28, 30]
    assert [run["x"].tolist() for run in session.runs[1:]] == [
        [1, 2, 3, 10],
        [11, 12, 13, 14],
        [15],
    ]


def test_error_of_a_piece_is_the_whole_requests(make, session):
    batching = make(
        max_batch_size=10,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )

    def answer(name, x):
        if 5 in x:
            raise StatusError(Code.INVALID_ARGUMENT, "no fives")
        return 2 * x

    session.answer = answer
    first = hold(batching, session)
    (split,) = queue([lambda: Call(batching, x(*range(8)))], batching)
    session.gate.set()
    first.result()
    assert message(split) == "INVALID_ARGUMENT: no fives"
    assert batching.run(x(*range(5)), ["double"])[0].tolist() == [0, 2, 4, 6, 8]


def message(call):
    return str(call.result())


def test_full_queue_refuses(make, session):
    batching = make(max_batch_size=2, max_enqueued_batches=2)
    first = hold(batching, session)
    calls = queue([lambda: Call(batching, x(1, 2)) for _ in range(2)], batching)
    refused = Call(batching, x(5))
    assert message(refused) == (
        "UNAVAILABLE: The batch scheduling queue to which this task was "
        "submitted is full; currently 2 batches enqueued and "
        "max_enqueued_batches is 2"
    )
    session.gate.set()
    for call in [first, *calls]:
        assert isinstance(call.result(), list)


def test_full_queue_refuses_with_splitting(make, session):
    batching = make(
        max_batch_size=10,
        max_enqueued_batches=2,
        enable_large_batch_splitting=True,
        max_execution_batch_size=4,
    )
    first = hold(batching, session)
    (call,) = queue([lambda: Call(batching, x(1, 2, 3, 4, 5))], batching)
    assert message(Call(batching, x(*range(9)))) == (
        "UNAVAILABLE: The batch scheduling queue to which this task was "
        "submitted is full; task size is 9 but scheduling capacity is only 3 "
        "(num_enqueued_batches=2, max_enqueued_batches=2, open_batch_size=1, "
        "max_execution_batch_size=4)"
    )
    session.gate.set()
    first.result()
    assert call.result()[0].tolist() == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("feeds", "expected"),
    [
        pytest.param(
            {"x": np.zeros(5)},
            "Task size 5 is larger than maximum input batch size 4",
            id="too large",
        ),
        pytest.param(
            {"x": np.float32(1)},
            "Batching Run() input tensors must have at least one dimension",
            id="no axis",
        ),
        pytest.param(
            {"x": np.zeros(2), "z": np.zeros(3)},
            "Batching Run() input tensors must have equal 0th-dimension size",
            id="unequal axes",
        ),
    ],
)
def test_request_that_cannot_be_merged_is_refused(make, feeds, expected):
    with pytest.raises(StatusError) as caught:
        make(max_batch_size=4).run(feeds, ["double"])
    assert str(caught.value) == f"INVALID_ARGUMENT: {expected}"


@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        pytest.param("error", "INVALID_ARGUMENT: no good", id="of the graph"),
        pytest.param(
            "bug", "INTERNAL: ZeroDivisionError() in a batch", id="of ours"
        ),
        pytest.param(
            "scalar",
            "FAILED_PRECONDITION: Batched output tensor has 0 dimensions",
            id="output without an axis",
        ),
        pytest.param(
            "short",
            "FAILED_PRECONDITION: Batched output tensor's 0th dimension does "
            "not equal the sum of the 0th dimension sizes of the input "
            "tensors",
            id="output of another size",
        ),
    ],
)
def test_error_is_everybodys(make, session, fetch, expected):
    batching = make()
    first = hold(batching, session)
    calls = queue(
        [lambda: Call(batching, x(1), [fetch]) for _ in range(2)], batching
    )
    session.gate.set()
    first.result()
    assert [message(call) for call in calls] == [expected] * 2
    # The thread goes on.
    assert batching.run(x(1), ["double"])[0].tolist() == [2]


def test_other_shapes_merge_only_with_padding(make, session):
    wide = {"x": np.ones((1, 3), np.float32)}
    narrow = {"x": np.ones((2, 2), np.float32)}
    batching = make()
    first = hold(batching, session)
    calls = queue(
        [lambda: Call(batching, wide), lambda: Call(batching, narrow)],
        batching,
    )
    session.gate.set()
    first.result()
    for call in calls:
        assert message(call).startswith(
            "FAILED_PRECONDITION: Tensors with name 'x' from different tasks "
            "have different shapes and padding is turned off."
        )
    padding = make(pad_variable_length_inputs=True)
    first = hold(padding, session)
    calls = queue(
        [lambda: Call(padding, wide), lambda: Call(padding, narrow)], padding
    )
    session.gate.set()
    first.result()
    assert session.runs[-1]["x"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
    assert calls[1].result()[0].tolist() == [[2, 2, 0], [2, 2, 0]]


def test_request_that_waited_too_long_is_told(make, session):
    batching = make()
    first = hold(batching, session)
    (late,) = queue([lambda: Call(batching, x(1), timeout_ms=50)], batching)
    time.sleep(0.1)
    session.gate.set()
    first.result()
    assert message(late) == (
        "RESOURCE_EXHAUSTED: Run() timeout exceeded while waiting in batching "
        "queue"
    )
    assert len(session.runs) == 1


def test_run_has_the_longest_of_the_timeouts(make, session):
    batching = make()
    first = hold(batching, session)
    queue(
        [
            lambda: Call(batching, x(1), timeout_ms=5_000),
            lambda: Call(batching, x(2), timeout_ms=60_000),
        ],
        batching,
    )
    session.gate.set()
    first.result()
    deadline = time.monotonic() + 20
    while len(session.timeouts) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert session.timeouts[0] is None
    assert 50_000 < session.timeouts[1] <= 60_000


def test_empty_request_is_run(make, session):
    (answer,) = make(allowed_batch_sizes=(1000,)).run(x(), ["double"])
    assert answer.shape == (0,)


def test_texts_merge_whatever_their_length(make, session):
    session.answer = lambda name, x: x
    batching = make()
    first = hold(batching, session)
    texts = [np.array([b"a"], object), np.array([b"", b"\0" * 9], object)]
    calls = queue(
        [
            lambda: Call(batching, {"x": texts[0]}),
            lambda: Call(batching, {"x": texts[1]}),
        ],
        batching,
    )
    session.gate.set()
    first.result()
    assert [c.result()[0].tolist() for c in calls] == [[b"a"], [b"", b"\0" * 9]]


# --- Metrics


def observed(metrics, name, labels=""):
    """Returns the sum and the count of a histogram of batching_session."""
    start = f":tensorflow:serving:batching_session:{name}"
    lines = dict(line.rsplit(" ", 1) for line in metrics.page().splitlines())
    return tuple(
        float(lines[f"{start}_{part}{{{labels}}}"]) for part in ("sum", "count")
    )


def test_sizes_and_runs_are_counted(make, session, metrics):
    batching = make(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    first = hold(batching, session)
    calls = queue(
        [
            lambda: Call(batching, x(1, 2)),
            lambda: Call(batching, x(7, 8, 9)),
        ],
        batching,
    )
    session.gate.set()
    for call in [first, *calls]:
        call.result()
    # One of 1 row, filled up to 2, and one of 2 and 3 rows, filled up to 8.
    assert observed(metrics, "input_batch_size") == (6, 3)
    assert observed(metrics, "processed_batch_size") == (10, 2)
    for size, padding in (("2", 1), ("8", 3)):
        label = f'execution_batch_size="{size}"'
        assert observed(metrics, "padding_size", label) == (padding, 1)
    # One that fits is not filled up.
    batching.run(x(1, 2, 3, 4), ["double"])
    label = 'execution_batch_size="4"'
    assert observed(metrics, "padding_size", label) == (0, 1)
    assert session.runs[-1]["x"].tolist() == [1, 2, 3, 4]
    runs = ":tensorflow:serving:batching_session:wrapped_run_count"
    lines = metrics.page().splitlines()
    assert f"# TYPE {runs} counter" in lines
    assert f"{runs}{{}} 3" in lines
    sizes = ":tensorflow:serving:batching_session:processed_batch_size_bucket"
    for bound, count in (("2", 0), ("4", 1), ("8", 2), ("8192", 3)):
        assert f'{sizes}{{le="{bound}"}} {count}' in lines


def test_waiting_is_measured_in_microseconds(make, session, metrics):
    batching = make()
    first = hold(batching, session)
    (waited,) = queue([lambda: Call(batching, x(1))], batching)
    time.sleep(0.2)
    session.gate.set()
    for call in (first, waited):
        call.result()
    total, count = observed(metrics, "queuing_latency", 'thread_pool_name=""')
    assert count == 2
    assert 200_000 <= total < 5e6


def test_request_that_is_refused_is_not_counted(make, metrics):
    with pytest.raises(StatusError):
        make().run({"x": np.zeros(2), "z": np.zeros(3)}, ["double"])
    assert "input_batch_size_count" not in metrics.page()


# --- Parameters


def test_parameters_are_read(tmp_path):
    file = tmp_path / "batching.pbtxt"
    file.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 0 }\n"
        "max_enqueued_batches { value: 7 } num_batch_threads { value: 3 }\n"
        'thread_pool_name { value: "pool" } allowed_batch_sizes: 32\n'
        "allowed_batch_sizes: 64 pad_variable_length_inputs: true\n"
        "enable_large_batch_splitting { value: true }\n"
        "max_execution_batch_size { value: 64 }\n"
    )
    assert BatchingParameters.from_file(str(file)) == BatchingParameters(
        max_batch_size=128,
        batch_timeout_micros=0,
        max_enqueued_batches=7,
        num_batch_threads=3,
        allowed_batch_sizes=(32, 64),
        pad_variable_length_inputs=True,
        enable_large_batch_splitting=True,
        max_execution_batch_size=64,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "max_batch_size { value: 0 }",
            "input_batch_size_limit must be positive; was 0",
            id="max_batch_size",
        ),
        pytest.param(
            "num_batch_threads { value: 0 }",
            "num_batch_threads must be positive; was 0",
            id="num_batch_threads",
        ),
        pytest.param(
            "batch_timeout_micros { value: -1 }",
            "batch_timeout_micros must be non-negative; was -1",
            id="batch_timeout_micros",
        ),
        pytest.param(
            "max_enqueued_batches { value: 0 }",
            "max_enqueued_batches must be positive; was 0",
            id="max_enqueued_batches",
        ),
        pytest.param(
            "allowed_batch_sizes: 4 allowed_batch_sizes: 2",
            "allowed_batch_sizes entries must be monotonically increasing",
            id="sizes not sorted",
        ),
        pytest.param(
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            "last entry was 4; expected 8",
            id="last size",
        ),
        pytest.param(
            "max_batch_size { value: 8 } allowed_batch_sizes: 9",
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            "last entry was 9; expected 8",
            id="last size too large",
        ),
        pytest.param(
            "max_batch_size { value: 8 } max_execution_batch_size { value: 9 }",
            "When enable_large_batch_splitting is true, "
            "input_batch_size_limit must be greater than or equal to "
            "max_execution_batch_size.",
            id="execution size",
        ),
    ],
)
def test_parameters_are_refused(tmp_path, text, expected):
    file = tmp_path / "batching.pbtxt"
    file.write_text(text)
    with pytest.raises(StatusError) as caught:
        BatchingParameters.from_file(str(file))
    assert str(caught.value) == f"INVALID_ARGUMENT: {expected}"


def test_file_that_is_no_text_proto_is_named(tmp_path):
    file = tmp_path / "batching.pbtxt"
    file.write_bytes(b"max_batch_size 3")
    with pytest.raises(StatusError, match="Invalid protobuf file: '.*pbtxt'"):
        BatchingParameters.from_file(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(StatusError, match="Invalid protobuf file: '.*pbtxt'"):
        BatchingParameters.from_file(str(file))
    with pytest.raises(StatusError, match="NOT_FOUND: .*; No such file"):
        BatchingParameters.from_file(str(tmp_path / "none"))
