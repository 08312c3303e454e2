import keras
import numpy as np
import pytest
import tensorflow as tf

from kerassent.callbacks.one_cycle import OneCycle
from kerassent.schedules import one_cycle


class Rates(keras.callbacks.Callback):
    """Records the rate that each step was made with."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(logs["learning_rate"])


def compiled(optimizer=None):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.Adam(0.1), "mse")
    return model


def fit(model, cycle, **kwargs):
    recorded = Rates()
    x, y = np.ones((40, 2), np.float32), np.ones((40, 1), np.float32)
    kwargs = {"batch_size": 8, "epochs": 2, "verbose": 0, **kwargs}
    history = model.fit(x, y, callbacks=[cycle, recorded], **kwargs)
    return recorded.rates, history.history


def cycle_of(total_steps, max_lr=0.1):
    return pytest.approx(
        [one_cycle(s, total_steps, max_lr=max_lr) for s in range(total_steps)],
        rel=1e-6,
    )


def test_each_step_gets_its_rate():
    rates, history = fit(compiled(), OneCycle(0.1))
    assert rates == cycle_of(10)
    assert history["learning_rate"] == [rates[4], rates[9]]


def test_a_second_fit_is_a_new_cycle():
    model, cycle = compiled(), OneCycle(0.1)
    fit(model, cycle)
    assert fit(model, cycle, epochs=3)[0] == cycle_of(15)


def test_initial_epoch_goes_on_in_the_cycle():
    model = compiled()
    rates = fit(model, OneCycle(0.1), epochs=4, initial_epoch=2)[0]
    whole = [one_cycle(s, 20, max_lr=0.1) for s in range(20)]
    assert rates == pytest.approx(whole[10:], rel=1e-6)


def test_the_rate_moves_the_weights():
    """SGD on a constant gradient moves by the sum of the rates."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile(
        keras.optimizers.SGD(1.0), lambda y_true, y_pred: tf.reduce_mean(y_pred)
    )
    before = float(model.get_weights()[0][0, 0])
    x = np.ones((10, 1), np.float32)
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[OneCycle(0.5)])
    moved = before - float(model.get_weights()[0][0, 0])
    expected = sum(one_cycle(s, 10, max_lr=0.5) for s in range(10))
    assert moved == pytest.approx(expected, rel=1e-5)


def test_errors_say_what_is_wrong():
    with pytest.raises(
        ValueError, match="`max_lr` must be above 0. Received: 0"
    ):
        OneCycle(0)
    with pytest.raises(ValueError, match="`pct_start` must be from 0 to 1"):
        OneCycle(0.1, pct_start=30)
    with pytest.raises(ValueError, match="at most 0.5 with `three_phase`"):
        OneCycle(0.1, pct_start=0.6, three_phase=True)
    with pytest.raises(ValueError, match="'cos' or 'linear'. Received: 'exp'"):
        OneCycle(0.1, anneal="exp")


def test_an_optimizer_with_a_schedule_is_refused():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model = compiled(keras.optimizers.Adam(schedule))
    with pytest.raises(TypeError, match="learning rate is a schedule"):
        fit(model, OneCycle(0.1))


def test_an_unknown_number_of_steps_is_refused():
    def rows():
        yield np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)

    with pytest.raises(ValueError, match="Pass `steps_per_epoch` to `fit`"):
        compiled().fit(
            rows(), verbose=0, callbacks=[OneCycle(0.1)], shuffle=False
        )
