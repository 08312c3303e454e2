import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks.lr_finder import LRFinder
from kerassent.lr_curve import LRCurve


@pytest.fixture(scope="module")
def model(compiled):
    model = compiled(optimizers.Adam(0.1))
    model.optimizer.build(model.trainable_variables)
    return model


def state(model):
    optimizer = model.optimizer
    return [v.numpy() for v in (*model.variables, *optimizer.variables)]


def assert_same(before, after):
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old, new)


def test_it_ends_fit_and_puts_the_model_back(model, fit):
    before = state(model)
    finder = LRFinder(1e-6, 1e-1, 25)
    history = fit(model, finder, epochs=9)
    assert_same(before, state(model))
    assert len(finder.curve.losses) == 25
    assert finder.curve.stop_reason == "finished"
    assert model.history is history
    assert len(history.epoch) == 3


def test_a_second_fit_is_a_new_curve(model, fit):
    finder = LRFinder(1e-6, 1e-1, 25)
    for _ in range(2):
        fit(model, finder)
        assert len(finder.curve.losses) == 10
        assert finder.curve.stop_reason == "ran_out"


def test_it_puts_the_model_back_when_asked_after_an_error(model, fit):
    before = state(model)

    class Boom(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("boom")

    finder = LRFinder(0.1, 1.0, 25)
    with pytest.raises(RuntimeError, match="boom"):
        fit(model, finder, Boom())
    assert not all(map(np.array_equal, before, state(model)))
    finder.restore()
    assert_same(before, state(model))


def test_a_block_of_steps_is_one_step(compiled, fit):
    model = compiled(optimizers.Adam(0.1), steps_per_execution=5)
    finder = LRFinder(1e-6, 1e-1, 25)
    fit(model, finder, epochs=3)
    assert len(finder.curve.losses) == 6


def test_what_it_recorded_is_a_curve(model, fit):
    finder = LRFinder(1e-4, 1e-1, 40, smoothing=0.5)
    fit(model, finder, epochs=4)
    again = LRCurve.from_json(finder.curve.to_json())
    assert again.smoothing == 0.5
    assert again.learning_rates == pytest.approx(np.geomspace(1e-4, 1e-1, 40))
