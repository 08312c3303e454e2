import math
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks import throughput
from kerassent.callbacks.throughput import Throughput

TOKENS = np.array([100, 200, 300, 400, 500, 500, 400, 300, 200, 100])


def tokens_of(epoch):
    """Each epoch has another order, and 3000 tokens."""
    return np.roll(TOKENS, epoch)


class Clock(keras.callbacks.Callback):
    """The time, which goes on as it is told: before Throughput looks at it."""

    def __init__(self, *, step, first=None, validation=0.0, other=0.0):
        super().__init__()
        self.now = 1000.0
        self.step = step
        self.first = first
        self.validation = validation
        self.other = other

    def on_train_batch_end(self, batch, logs=None):
        self.now += self.step(batch) if self.first is None else self.first
        self.first = None

    def on_test_end(self, logs=None):
        self.now += self.validation

    def on_epoch_end(self, epoch, logs=None):
        self.now += self.other


class Seen(keras.callbacks.Callback):
    """What is left after each step and each epoch."""

    def __init__(self, callback):
        super().__init__()
        self.callback = callback
        self.left = []
        self.left_at_ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.left.append(self.callback.seconds_left)

    def on_epoch_end(self, epoch, logs=None):
        self.left_at_ends.append(self.callback.seconds_left)


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.SGD(0.01))


@pytest.fixture
def timed(fit, monkeypatch, recorder):
    """A function that runs `fit` by a clock."""

    def timed(model, clock, callback, *more, **kwargs):
        monkeypatch.setattr(
            throughput, "time", SimpleNamespace(perf_counter=lambda: clock.now)
        )
        seen = Seen(callback)
        history = fit(model, clock, callback, recorder, seen, *more, **kwargs)
        return history, recorder, seen

    return timed


def test_a_steady_speed_is_said_at_each_step_and_epoch(model, timed, points):
    # 1000 tokens a second, whatever a batch has; the first has to be traced.
    clock = Clock(
        step=lambda batch: order[batch] / 1000, first=20.0, validation=5.0
    )
    order = tokens_of(0)
    history, recorder, seen = timed(
        model, clock, Throughput(tokens_of), validation_data=points
    )
    found = recorder.of("tokens_per_second")
    assert found[0] == pytest.approx(100 / 20)
    assert found[1:] == pytest.approx([1000.0] * 9)
    # Of all the epoch's time, and nothing of validation's.
    assert history.history["tokens_per_second"] == pytest.approx(
        [3000 / (20 + 2.9)]
    )
    assert "minutes_left" not in history.history


def test_the_time_left_is_of_the_tokens_and_validations_to_come(
    model, timed, points
):
    clock = Clock(step=lambda batch: 0.5, validation=5.0, other=77.0)
    _, _, seen = timed(
        model,
        clock,
        Throughput(lambda epoch: np.full(10, 300)),
        epochs=3,
        validation_data=points,
    )
    # None is known of validation in the first epoch.
    assert seen.left[0] is None
    assert seen.left[1:10] == pytest.approx(
        [0.5 * (30 - done) for done in range(2, 11)]
    )
    assert seen.left[10:20] == pytest.approx(
        [0.5 * (30 - done) + 2 * 5 for done in range(11, 21)]
    )
    assert seen.left[20:] == pytest.approx(
        [0.5 * (30 - done) + 5 for done in range(21, 31)]
    )
    assert seen.left_at_ends == pytest.approx([10 + 10, 5 + 5, 0], abs=1e-9)


def test_it_is_tokens_that_are_left_not_steps(model, timed):
    order = tokens_of(0)
    clock = Clock(step=lambda batch: order[batch] / 1000)
    _, _, seen = timed(model, clock, Throughput(tokens_of), epochs=2)
    done = np.cumsum(order) / 1000
    assert seen.left[1:5] == pytest.approx(6.0 - done[1:5])


def test_the_speed_of_the_moment_forgets_within_a_minute(model, timed):
    # 10 s a step; five of 100 tokens a second, then five of 200.
    clock = Clock(step=lambda batch: 10.0)
    order = np.repeat([1000, 2000], 5)
    _, recorder, _ = timed(model, clock, Throughput(lambda epoch: order))
    found = recorder.of("tokens_per_second")
    assert found[:5] == pytest.approx([100.0] * 5)
    kept = math.exp(-10 / 60)
    weights = kept ** np.arange(8, -1, -1)  # the first step is left out
    assert found[9] == pytest.approx(
        (weights @ order[1:]) / (weights.sum() * 10)
    )
    assert 150 < found[9] < 180


def test_a_block_of_steps_has_the_tokens_of_all(compiled, timed):
    model = compiled(optimizers.SGD(0.01), steps_per_execution=4)
    clock = Clock(step=lambda batch: 1.0)
    history, recorder, seen = timed(
        model, clock, Throughput(tokens_of), epochs=2
    )
    # Blocks of 4, 4 and 2 batches.
    order = tokens_of(0)
    blocks = [order[:4].sum(), order[4:8].sum(), order[8:].sum()]
    found = recorder.of("tokens_per_second")
    assert found[:2] == pytest.approx(blocks[:2])
    kept = math.exp(-1 / 60)
    assert found[2] == pytest.approx(
        (kept * blocks[1] + blocks[2]) / (kept + 1)
    )
    assert seen.left[2] == pytest.approx(3000 / found[2])
    assert history.history["tokens_per_second"] == pytest.approx([1000.0] * 2)


def test_steps_that_are_passed_over_count_for_nothing(model, timed):
    class Resume(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            callback.set_state(state)

    # Six steps were made in 12 s, of 2200 tokens; they pass in no time now.
    state = {
        "epoch": 1,
        "done": 6,
        "seconds": 12.0,
        "validation_seconds": 3.0,
    }
    callback = Throughput(lambda epoch: TOKENS)
    seconds = iter([0.001] * 6 + [2.0] * 14)
    clock = Clock(step=lambda batch: next(seconds))
    history, recorder, seen = timed(
        model, clock, callback, Resume(), initial_epoch=1, epochs=3
    )
    assert "tokens_per_second" not in recorder.logs[5]
    assert recorder.logs[6]["tokens_per_second"] == pytest.approx(400 / 2)
    assert recorder.logs[7]["tokens_per_second"] == pytest.approx(300 / 2)
    assert seen.left[:7] == [None] * 7
    # 300 tokens of this epoch, 3000 of the next, two validations.
    assert seen.left[7] == pytest.approx(3300 / 150 + 2 * 3)
    assert history.history["tokens_per_second"] == pytest.approx(
        [3000 / (12 + 8), 3000 / 20]
    )
    assert callback.get_state() == {
        "epoch": 2,
        "done": 10,
        "seconds": 20.0,
        "validation_seconds": 3.0,
    }


def test_it_agrees_with_a_real_clock(model, fit, recorder):
    class Sleep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            time.sleep(0.02)

    history = fit(
        model, Sleep(), Throughput(lambda epoch: np.full(10, 100)), recorder
    )
    assert 1000 < recorder.of("tokens_per_second")[-1] < 5000
    assert 500 < history.history["tokens_per_second"][0] < 5000


def test_a_second_fit_begins_anew(model, timed):
    callback = Throughput(tokens_of)
    for _ in range(2):
        clock = Clock(step=lambda batch: 1.0, first=100.0)
        history, _, seen = timed(model, clock, callback)
        assert seen.left[0] is None
        assert history.history["tokens_per_second"] == pytest.approx(
            [3000 / 109]
        )


def test_tokens_of_other_batches_are_refused(model, fit):
    with pytest.raises(
        ValueError,
        match=r"`tokens_of\(0\)` must have the shape \(10,\).*\(9,\)",
    ):
        fit(model, Throughput(lambda epoch: TOKENS[1:]))
