import copy
import gc
import json

import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks.step_schedule import StepSchedule


class Steady(StepSchedule):
    """The same rate and momentum in every step."""

    def __init__(self, momentum):
        super().__init__(cycle_momentum=True)
        self._steady = momentum

    def learning_rate(self, step):
        return 0.01

    def momentum(self, step):
        return self._steady


class Boom(keras.callbacks.Callback):
    """Fails in the third step, after it was made."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise RuntimeError("boom")


OPTIMIZERS = {
    "Adam": lambda m: optimizers.Adam(0.01, beta_1=m),
    "AdamW": lambda m: optimizers.AdamW(0.01, beta_1=m),
    "Lamb": lambda m: optimizers.Lamb(0.01, beta_1=m),
    "Nadam": lambda m: optimizers.Nadam(0.01, beta_1=m),
    "SGD": lambda m: optimizers.SGD(0.01, momentum=m),
    "nesterov": lambda m: optimizers.SGD(0.01, momentum=m, nesterov=True),
    "RMSprop": lambda m: optimizers.RMSprop(0.01, momentum=m),
    "accumulating": lambda m: optimizers.Adam(
        0.01, beta_1=m, gradient_accumulation_steps=2
    ),
}


def same(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_is_that_of_an_optimizer_made_with_the_momentum(
    name, compiled, fit
):
    """To the last bit, in a step that was traced before with another one."""
    make = OPTIMIZERS[name]
    with_it, driven = compiled(make(0.7)), compiled(make(0.9))
    start = driven.get_weights()
    fit(driven, steps_per_epoch=1)  # traced, with 0.9 in it
    driven.set_weights(start)
    for variable in driven.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))
    if name == "Nadam":
        driven.optimizer._u_product.assign(1.0)
    number = len(driven.optimizer.variables)
    fit(with_it)
    fit(driven, Steady(0.7))
    assert same(driven, with_it)
    assert len(driven.optimizer.variables) == number


@pytest.mark.parametrize("name", ["Adam", "RMSprop"])
def test_another_momentum_makes_another_update(name, compiled, fit):
    models = [compiled(OPTIMIZERS[name](0.9)) for _ in range(2)]
    for model, momentum in zip(models, (0.7, 0.8), strict=True):
        fit(model, Steady(momentum))
    assert not same(*models)


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("Adam", {"jit_compile": True}),
        ("SGD", {"jit_compile": True}),
        ("SGD", {"steps_per_execution": 5}),
        ("Adam", {"run_eagerly": True}),
    ],
    ids=str,
)
def test_it_is_so_however_the_step_is_run(name, kwargs, compiled, fit):
    make = OPTIMIZERS[name]
    with_it, driven = (
        compiled(make(momentum), **kwargs) for momentum in (0.7, 0.9)
    )
    fit(with_it)
    fit(driven, Steady(0.7))
    assert same(driven, with_it)


class TraceAgain(keras.callbacks.Callback):
    """Has the step traced anew when the second epoch begins."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.make_train_function(force=True)


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_a_step_that_is_traced_anew_has_it_too(is_first, compiled, fit):
    with_it, driven = (compiled(OPTIMIZERS["Adam"](m)) for m in (0.7, 0.9))
    callbacks = [TraceAgain(), Steady(0.7)][:: 1 if is_first else -1]
    fit(with_it, epochs=2)
    fit(driven, *callbacks, epochs=2)
    assert same(driven, with_it)
    assert "make_train_function" not in driven.__dict__


def test_mixed_precision_drives_the_inner_optimizer(compiled, fit, recorder):
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.01))
    fit(compiled(optimizer), Steady(0.7), recorder)
    assert recorder.shown == [0.7] * 10
    assert optimizer.inner_optimizer.beta_1 == 0.9


class Looker(keras.callbacks.Callback):
    """Looks at the optimizer from inside `fit`."""

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        self.shown = float(optimizer.beta_1)
        self.printed = repr(optimizer.beta_1)
        self.config = optimizer.get_config()["beta_1"]
        self.copied = copy.deepcopy(optimizer.beta_1)
        self.clone = optimizers.Adam.from_config(optimizer.get_config())


def test_the_config_has_the_float_and_the_optimizer_the_value(compiled, fit):
    looker = Looker()
    fit(compiled(OPTIMIZERS["Adam"](0.9)), Steady(0.7), looker)
    assert (looker.shown, looker.printed) == (0.7, "0.7")
    for value in (looker.config, looker.copied, looker.clone.beta_1):
        assert type(value) is float
        assert value == 0.9
    assert json.dumps(looker.config) == "0.9"


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_afterwards_everything_is_as_it_was(name, compiled, fit):
    driven, plain = (compiled(OPTIMIZERS[name](0.9)) for _ in range(2))
    before = set(driven.optimizer.__dict__)
    fit(driven, Steady(0.9))
    fit(plain)
    value = driven.optimizer.get_config()
    value = value.get("beta_1", value.get("momentum"))
    assert type(value) is float
    assert value == 0.9
    assert set(driven.optimizer.__dict__) - before <= {
        # What building it brings.
        "_momentums",
        "_velocities",
        "momentums",
    }
    # The step that was traced with a variable goes on as with the float.
    fit(driven, epochs=2)
    fit(plain, epochs=2)
    assert same(driven, plain)


@pytest.mark.parametrize("name", ["Adam", "RMSprop"])
def test_after_an_exception_everything_is_as_it_was(name, compiled, fit):
    attribute = "beta_1" if name == "Adam" else "momentum"
    failed, plain = (compiled(OPTIMIZERS[name](0.9)) for _ in range(2))
    weights = failed.get_weights()
    with pytest.raises(RuntimeError, match="boom") as kept:
        fit(failed, Steady(0.2), Boom())
    # The exception, and with it the frame of `fit`, is still there.
    assert float(getattr(failed.optimizer, attribute)) == 0.9
    assert getattr(failed.optimizer, attribute) == 0.9
    assert failed.optimizer.get_config()[attribute] == 0.9
    # What was traced goes on as with the float.
    failed.set_weights(weights)
    for variable in failed.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))
    fit(failed)
    fit(plain)
    assert same(failed, plain)
    del kept
    gc.collect()
    assert type(getattr(failed.optimizer, attribute)) is float
    assert "apply" not in failed.optimizer.__dict__
    assert "make_train_function" not in failed.__dict__


def test_a_loop_of_ones_own_after_an_exception_has_the_float(compiled, fit):
    model = compiled(OPTIMIZERS["SGD"](0.9))
    with pytest.raises(RuntimeError, match="boom") as kept:
        fit(model, Steady(0.2), Boom())
    velocities = model.optimizer.momentums
    for velocity in velocities:
        velocity.assign(keras.ops.ones_like(velocity))
    variables = model.trainable_variables
    model.optimizer.apply([keras.ops.zeros_like(v) for v in variables])
    for velocity in velocities:
        assert velocity.numpy() == pytest.approx(0.9)
    assert kept.value is not None


def test_a_failed_cycle_does_not_spoil_the_next(compiled, fit, recorder):
    model = compiled(OPTIMIZERS["Adam"](0.9))
    with pytest.raises(RuntimeError, match="boom") as kept:
        fit(model, Steady(0.2), Boom())
    fit(model, Steady(0.6), recorder)
    assert recorder.shown == [0.6] * 10
    assert "make_train_function" not in model.__dict__
    assert type(model.optimizer.beta_1) is float
    assert model.optimizer.beta_1 == 0.9
    assert kept.value is not None


def test_a_model_saved_in_mid_cycle_is_whole(compiled, fit, tmp_path):
    model = compiled(OPTIMIZERS["Nadam"](0.9))
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "model.keras", save_freq=5
    )
    fit(model, Steady(0.5), checkpoint)
    # A wrong number of variables would be a warning, and so an error here.
    again = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert again.get_config()["beta_1"] == 0.9
    for old, new in zip(
        model.optimizer.variables, again.variables, strict=True
    ):
        assert np.array_equal(old, new)


def test_an_optimizer_saved_before_is_loaded_in_mid_cycle(
    compiled, fit, tmp_path
):
    model = compiled(OPTIMIZERS["Adam"](0.9))
    fit(model)
    model.save_weights(tmp_path / "model.weights.h5")

    class Load(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.load_weights(tmp_path / "model.weights.h5")
            self.loaded = int(self.model.optimizer.iterations)

    load = Load()
    other = compiled(OPTIMIZERS["Adam"](0.9))
    other.optimizer.build(other.trainable_variables)
    fit(other, Steady(0.7), load)
    assert load.loaded == 10
    assert int(other.optimizer.iterations) == 20


@pytest.mark.parametrize(
    "optimizer, has",
    [
        (optimizers.SGD(0.1), "SGD was made with `momentum=0.0`"),
        (optimizers.RMSprop(0.1), "RMSprop was made with `momentum=0.0`"),
        (optimizers.Adagrad(0.1), "Adagrad was made with no momentum"),
    ],
    ids=["SGD", "RMSprop", "Adagrad"],
)
def test_without_a_momentum_only_the_rate_is_cycled(
    optimizer, has, compiled, fit
):
    with pytest.warns(UserWarning, match=f"rate only: {has}. Make it with"):
        history = fit(compiled(optimizer), Steady(0.5)).history
    assert "momentum" not in history
    assert history["learning_rate"] == [0.01]
