import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, optimizers

from kerassent.callbacks.lr_finder import LRFinder
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.range_test import find_lr


@pytest.fixture
def model():
    """One with all that has a state: moments, a seed, averages, a metric."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    model.compile(optimizers.Adam(0.123), "mse", metrics=["mae"])
    return model


def linear_model(optimizer="sgd", **kwargs):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **kwargs)
    return model


def state(model):
    """Everything that a step changes."""
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return {
        variable.path: variable.numpy()
        for variable in (
            *model.variables,
            *model.metrics_variables,
            *optimizer.variables,
            *(
                [optimizer._u_product]
                if hasattr(optimizer, "_u_product")
                else []
            ),
        )
    }


def assert_same(before, after):
    for name, value in after.items():
        # Metrics are built by the first batch.
        old = before.get(name, 0)
        np.testing.assert_array_equal(old, value, err_msg=name)
    assert not before.keys() - after.keys()


# Rates so small that every step's loss is that of the model as it is.
STILL = {"start_lr": 1e-12, "end_lr": 1e-11, "num_steps": 20}
few_steps = pytest.mark.filterwarnings("ignore:No learning rate found")


def own_losses(model, x, y, batch_size=8):
    errors = (model.predict(x, verbose=0) - y)[:, 0] ** 2
    return [
        errors[i : i + batch_size].mean() for i in range(0, len(x), batch_size)
    ]


@few_steps
@pytest.mark.parametrize("mode", ["exponential", "linear"])
def test_learning_rates_go_from_the_first_to_the_last(model, points, mode):
    curve = find_lr(
        model,
        *points,
        batch_size=8,
        start_lr=1e-5,
        end_lr=1e-2,
        num_steps=31,
        mode=mode,
    )
    space = np.geomspace if mode == "exponential" else np.linspace
    assert curve.learning_rates == pytest.approx(space(1e-5, 1e-2, 31))
    assert curve.stop_reason == "finished"


@few_steps
@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_losses_are_each_steps_own(points, steps_per_execution):
    model = linear_model(steps_per_execution=steps_per_execution)
    x, y = (part[:50] for part in points)  # the last batch has two
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    own = own_losses(model, x, y)
    curve = find_lr(model, dataset, **STILL)
    assert curve.losses == pytest.approx((own * 3)[:20], rel=1e-4)
    assert model.steps_per_execution == steps_per_execution
    # What was traced for single steps is not used for blocks.
    model.fit(dataset, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == 7
    assert model.evaluate(dataset, verbose=0) == pytest.approx(
        np.mean((model.predict(x, verbose=0) - y) ** 2), rel=1e-5
    )


@few_steps
def test_blocks_of_validation_are_taken_apart_too(points):
    model = linear_model(steps_per_execution=4)
    dataset = tf.data.Dataset.from_tensor_slices(points).batch(8)
    expected = model.evaluate(dataset, verbose=0)
    curve = find_lr(model, dataset, validation_data=dataset, **STILL)
    assert curve.val_losses == pytest.approx([expected] * 20, rel=1e-4)
    assert model.evaluate(dataset, verbose=0) == pytest.approx(expected)


@few_steps
def test_sample_weights_count(points):
    x, y = points
    model = linear_model()
    weights = np.linspace(0, 2, 80).astype("float32")
    errors = (model.predict(x, verbose=0) - y)[:, 0] ** 2 * weights
    own = errors.reshape(1, 80).mean(axis=1)
    curve = find_lr(model, x, y, sample_weight=weights, batch_size=80, **STILL)
    assert curve.losses == pytest.approx([own[0]] * 20, rel=1e-4)


@few_steps
def test_several_outputs_and_regularization_are_summed(points):
    x, y = points
    inputs = keras.Input((3,))
    outputs = {
        name: layers.Dense(1, name=name, kernel_regularizer="l2")(inputs)
        for name in ("a", "b")
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 3.0}
    )
    both = {"a": y, "b": y}
    expected = model.evaluate(x, both, verbose=0, return_dict=True)["loss"]
    curve = find_lr(model, x, both, batch_size=80, **STILL)
    assert curve.losses == pytest.approx([expected] * 20, rel=1e-4)


@few_steps
def test_accumulated_batches_are_one_step(points):
    model = linear_model(optimizers.SGD(0.1, gradient_accumulation_steps=2))
    own = np.array(own_losses(model, *points)).reshape(5, 2).mean(axis=1)
    dataset = tf.data.Dataset.from_tensor_slices(points).batch(8)
    before = state(model)
    curve = find_lr(model, dataset, **STILL)
    assert curve.losses == pytest.approx(list(own) * 4, rel=1e-4)
    assert curve.learning_rates == pytest.approx(np.geomspace(1e-12, 1e-11, 20))
    assert_same(before, state(model))


@few_steps
def test_a_validation_loss_is_recorded_after_each_step(points):
    x, y = points
    model = linear_model()
    expected = np.mean(own_losses(model, x[:16], y[:16]))
    for validation in (
        (x[:16], y[:16]),
        tf.data.Dataset.from_tensor_slices((x[:16], y[:16])).batch(8),
    ):
        curve = find_lr(
            model, x, y, batch_size=8, validation_data=validation, **STILL
        )
        assert curve.val_losses == pytest.approx([expected] * 20, rel=1e-4)
        assert curve.smoothed_losses == pytest.approx([expected] * 20)


def test_a_validation_loss_rises_where_training_diverges(points):
    x, y = points
    model = linear_model()
    curve = find_lr(
        model,
        x[16:],
        y[16:],
        batch_size=16,
        validation_data=(x[:16], y[:16]),
        start_lr=1e-4,
        end_lr=100.0,
        num_steps=60,
    )
    assert curve.stop_reason == "diverged"
    assert curve.val_losses.argmin() < len(curve.val_losses) - 5
    assert 1e-3 < curve.suggestion < 1


def test_nothing_is_left_of_it(model, points):
    x, y = points
    model.fit(x, y, batch_size=8, verbose=0)  # an optimizer with a past
    model.predict(x, verbose=0)
    history, step = model.history, model.train_function
    before = state(model)
    curve = find_lr(model, x, y, batch_size=16, end_lr=10.0)
    assert 0.001 < curve.suggestion < 1
    assert_same(before, state(model))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.123)
    assert model.optimizer.beta_1 == 0.9
    assert model.stop_training is False
    assert model.history is history
    assert model.train_function is step  # and need not be traced again
    assert sum("seed_generator" in name for name in before) == 1
    assert any("iteration" in name for name in before)


@few_steps
@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.AdamW(0.1),
        optimizers.Lamb(0.1),
        optimizers.Nadam(0.1),
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        optimizers.RMSprop(0.1, momentum=0.9, centered=True),
        optimizers.LossScaleOptimizer(optimizers.Adam(0.1)),
        optimizers.Adam(0.1, use_ema=True),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_every_optimizer_is_put_back(optimizer, points):
    model = linear_model(optimizer)
    model.fit(*points, batch_size=8, verbose=0)
    before = state(model)
    find_lr(model, *points, batch_size=8, num_steps=15)
    assert_same(before, state(model))


@few_steps
def test_an_optimizer_that_was_not_built_is_new_afterwards(points):
    model = linear_model(optimizers.Adam(0.1))
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    weights = model.get_weights()
    find_lr(model, *points, batch_size=8, num_steps=12)
    for one, other in zip(weights, model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    rest = [v for v in model.optimizer.variables if v.name != "learning_rate"]
    assert len(rest) == 5
    assert not any(variable.numpy().any() for variable in rest)
    assert model.history is None


def test_a_model_that_is_not_built_is_refused(points):
    model = keras.Sequential([layers.Dense(4), layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="isn't built, .* a `keras.Input`"):
        find_lr(model, *points)


def test_the_model_is_put_back_after_an_error(model, points):
    before = state(model)

    def batches():
        yield points[0][:8], points[1][:8]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        find_lr(model, batches(), num_steps=20, start_lr=0.5)
    assert_same(before, state(model))


INTERRUPTED = """
import os, signal, threading, time
import keras, numpy as np
from kerassent import find_lr
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
x = np.ones((64, 2))
before = model.get_weights()

def press():
    while not int(model.optimizer.iterations) > 20:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    find_lr(model, x, x[:, :1], batch_size=1, num_steps=10**6)
except KeyboardInterrupt:
    same = all(map(np.array_equal, before, model.get_weights()))
    print("stopped", same, int(model.optimizer.iterations))
"""


def test_the_model_is_put_back_after_ctrl_c():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1:] == ["stopped True 0"], done.stderr


def test_it_stops_when_the_loss_explodes(model, points):
    curve = find_lr(
        model, *points, batch_size=8, start_lr=1e-3, end_lr=1e4, num_steps=200
    )
    assert len(curve.losses) < 200
    assert curve.stop_reason == "diverged"
    # Nothing before the last step exceeded four times the best so far.
    averages = curve.smoothed_losses
    best = np.minimum.accumulate(averages)
    assert (averages[:-1] <= 4 * best[:-1]).all()
    assert averages[-1] > 4 * best[-1]


def test_it_stops_when_the_loss_is_not_finite(points):
    x, y = points
    with pytest.warns(UserWarning, match="no finite number after 3 of the 20"):
        curve = find_lr(
            linear_model(),
            tf.data.Dataset.from_tensor_slices(
                (x, np.where(np.arange(80)[:, None] < 24, y, np.nan))
            ).batch(8),
            num_steps=50,
        )
    assert curve.stop_reason == "not_finite"
    assert len(curve.losses) == 3


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_it_stops_when_the_data_ran_out(points):
    def rows():
        for _ in range(7):
            yield points

    with pytest.warns(UserWarning, match="the data ran out after 7 of the 20"):
        curve = find_lr(linear_model(), rows(), num_steps=50)
    assert curve.stop_reason == "ran_out"


def test_a_negative_loss_does_not_end_it_at_once(points):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", lambda y_true, y_pred: tf.reduce_mean(y_pred) - 5.0)
    curve = find_lr(model, *points, batch_size=80, num_steps=40)
    assert (len(curve.losses), curve.stop_reason) == (40, "finished")


def test_a_cycle_after_it_drives_the_momentum(points, fit, recorder):
    model = linear_model(optimizers.SGD(0.1, momentum=0.9))
    curve = find_lr(model, *points, batch_size=8, end_lr=10.0)
    fit(model, OneCycle(curve.suggestion), recorder)
    assert min(recorder.shown) == pytest.approx(0.85)


def test_the_suggestion_trains_better_than_a_tenth_of_it(model, points):
    curve = find_lr(model, *points, batch_size=16, end_lr=10.0)
    start = model.get_weights()

    def loss_at(rate):
        model.set_weights(start)
        model.compile(optimizers.Adam(rate), "mse")
        model.fit(*points, batch_size=16, epochs=5, verbose=0)
        return model.evaluate(*points, verbose=0)

    assert loss_at(curve.suggestion) < loss_at(curve.suggestion / 10)


def test_errors_say_what_is_wrong(model, points):
    with pytest.raises(ValueError, match="call `model.compile"):
        find_lr(keras.Sequential([layers.Dense(1)]), *points)
    with pytest.raises(ValueError, match="`start_lr` must be below `end_lr`"):
        find_lr(model, *points, start_lr=1.0, end_lr=0.1)
    with pytest.raises(ValueError, match="`num_steps` must be 2 or more"):
        find_lr(model, *points, num_steps=1)
    with pytest.raises(ValueError, match="or 'linear'. Received: 'log'"):
        LRFinder(mode="log")
    with pytest.raises(ValueError, match="`smoothing` must be 0 or more and"):
        LRFinder(smoothing=1.0)
    with pytest.raises(ValueError, match="`stop_factor` must be above 1"):
        LRFinder(stop_factor=1.0)
    schedule = optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(TypeError, match="learning rate is a schedule"):
        find_lr(linear_model(optimizers.SGD(schedule)), *points)


def test_a_train_step_without_a_loss_is_refused(points):
    class Silent(keras.Sequential):
        def train_step(self, data):
            super().train_step(data)
            return {"error": 0.0}

    model = Silent([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"no 'loss' .*Received: \['error'\]"):
        find_lr(model, *points)
