import logging
import math

import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks.best_weights import BestWeights


class Script(keras.callbacks.Callback):
    """Says what each epoch's metric was, and keeps its weights."""

    def __init__(self, *values, name="val_accuracy"):
        super().__init__()
        self.values = values
        self.name = name
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]
        self.weights.append(self.model.get_weights())


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.SGD(0.01))


def assert_has(model, weights):
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name, values, best",
    [
        ("val_accuracy", (0.5, 0.7, 0.6), 1),
        ("val_balanced_accuracy", (0.7, 0.5, 0.6), 0),
        ("val_loss", (0.5, 0.7, 0.6), 0),
        ("loss", (0.7, 0.5, 0.6), 1),
        # Of equals the last one.
        ("val_accuracy", (0.7, 0.7, 0.7, 0.6), 2),
        ("val_loss", (0.7, 0.5, 0.5, 0.6), 2),
        # What is no finite number is never the best.
        ("val_loss", (math.nan, 0.7, math.nan, 0.8), 1),
        ("val_loss", (math.inf, 0.7, -math.inf), 1),
        ("val_accuracy", (math.nan, 0.0, math.nan), 1),
    ],
)
def test_the_best_epochs_weights_are_restored(
    name, values, best, model, fit, caplog
):
    caplog.set_level("INFO", "kerassent")
    script = Script(*values, name=name)
    callback = BestWeights(name)
    history = fit(model, script, callback, epochs=len(values))
    assert history.epoch == [*range(len(values))]
    assert callback.best_epoch == best
    assert_has(model, script.weights[best])
    assert caplog.messages == [
        f"The weights of epoch {best + 1} of {len(values)} are kept: "
        f"{name} {values[best]:.4f}"
    ]


@pytest.mark.parametrize(
    "values, stopped, best",
    [
        ((0.5, 0.6, 0.5, 0.5, 0.9), 3, 1),
        # A tie is no progress, but its weights are taken.
        ((0.5, 0.6, 0.6, 0.6, 0.9), 3, 3),
        ((0.5, 0.5, 0.6, 0.5, 0.5), 4, 2),
        ((math.nan, math.nan, 0.9), 1, None),
    ],
)
def test_it_stops_when_patience_is_over(
    values, stopped, best, model, fit, caplog
):
    caplog.set_level("INFO", "kerassent")
    script = Script(*values)
    callback = BestWeights(patience=2)
    history = fit(model, script, callback, epochs=9)
    assert history.epoch == [*range(stopped + 1)]
    assert callback.stopped_epoch == stopped
    stop, kept = caplog.messages
    assert stop == f"Stopped early, after epoch {stopped + 1}"
    if best is None:
        assert_has(model, script.weights[-1])
        assert kept == (
            "The last weights are kept: no epoch had a finite val_accuracy"
        )
        assert caplog.records[1].levelno == logging.WARNING
    else:
        assert_has(model, script.weights[best])


def test_an_epoch_that_would_have_been_the_last_is_not_early(
    model, fit, caplog
):
    caplog.set_level("INFO", "kerassent")
    fit(model, Script(0.6, 0.5, 0.5), BestWeights(patience=2), epochs=3)
    assert caplog.messages == [
        "The weights of epoch 1 of 3 are kept: val_accuracy 0.6000"
    ]


def test_it_can_stop_and_leave_the_last_weights(model, fit, caplog):
    caplog.set_level("INFO", "kerassent")
    script = Script(0.6, 0.5)
    callback = BestWeights(patience=1, restore=False)
    fit(model, script, callback, epochs=3)
    assert_has(model, script.weights[1])
    assert "best_weights_0" not in callback.get_state()
    assert caplog.messages[1] == (
        "The weights of epoch 1 of 3 were the best: val_accuracy 0.6000"
    )


def test_a_second_fit_begins_anew(model, fit):
    callback = BestWeights(patience=1)
    fit(model, Script(0.9, 0.8), callback, epochs=3)
    script = Script(0.5, 0.6, 0.4)
    fit(model, script, callback, epochs=3)
    assert callback.best_epoch == 1
    assert_has(model, script.weights[1])


def test_its_state_is_plain_and_has_the_weights(model, fit):
    script = Script(0.5, 0.7, 0.6)
    callback = BestWeights(patience=3)
    fit(model, script, callback, epochs=3)
    state = callback.get_state()
    kept = [state.pop(f"best_weights_{i}") for i in range(4)]
    assert state == {
        "wait": 1,
        "best": 0.7,
        "best_epoch": 1,
        "stopped_epoch": 0,
    }
    for one, other in zip(kept, script.weights[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_had_stopped_trains_no_further(compiled, fit, recorder):
    """And if it must, for a step, that is judged no more."""

    class Resume(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            callback.set_state(state)

    model = compiled(optimizers.SGD(0.01))
    script = Script(0.6, 0.5)
    callback = BestWeights(patience=1)
    fit(model, script, callback, epochs=9)
    state = callback.get_state()
    for initial_epoch, epochs_made in (9, []), (2, [2]):
        other = compiled(optimizers.SGD(0.01))
        history = fit(
            other,
            Script(0, 0, 0.9),
            callback,
            Resume(),
            recorder,
            epochs=9,
            initial_epoch=initial_epoch,
        )
        assert history.epoch == epochs_made
        assert_has(other, script.weights[0])
    assert len(recorder.logs) == 1


def test_logs_without_the_monitor_are_refused(model, fit):
    with pytest.raises(
        ValueError,
        match="judges by 'val_accuracy', which the epoch's logs don't have. "
        "They have 'loss'. Pass `validation_data` to `fit`",
    ):
        fit(model, BestWeights())


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="ends in 'accuracy' or 'loss'. Rec"):
        BestWeights("val_f1")
    with pytest.raises(ValueError, match="`patience` must be 1 or more.*: 0"):
        BestWeights(patience=0)
