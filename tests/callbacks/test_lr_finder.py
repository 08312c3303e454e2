import keras
import numpy as np
import pytest
import tensorflow as tf

from kerassent.callbacks.lr_finder import LRCurve, find_lr


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.123), "mse", metrics=["mae"])
    return model


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)).astype("float32")
    return x, (x @ [1.0, -2.0, 0.5, 3.0]).astype("float32")[:, None]


def state(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def test_learning_rates_are_geometric(model, data):
    curve = find_lr(
        model, *data, batch_size=8, start_lr=1e-5, end_lr=1e-1, num_steps=41
    )
    assert curve.learning_rates == pytest.approx(
        np.geomspace(1e-5, 1e-1, 41), rel=1e-5
    )


def test_losses_are_each_steps_own(data):
    """At a rate of almost nothing every step's loss can be computed."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = data
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    curve = find_lr(model, dataset, start_lr=1e-12, end_lr=1e-11, num_steps=10)
    errors = (model.predict(x, verbose=0) - y)[:, 0] ** 2
    own = [errors[i : i + 8].mean() for i in range(0, 50, 8)]
    assert curve.losses == pytest.approx((own + own)[:10], rel=1e-4)


def test_the_model_is_left_as_it_was(model, data):
    model.fit(*data, batch_size=8, verbose=0)  # an optimizer with a past
    before = state(model)
    find_lr(model, *data, batch_size=8, num_steps=20)
    for old, new in zip(before, state(model), strict=True):
        assert np.array_equal(old, new)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.123)
    assert model.stop_training is False


def test_the_model_is_put_back_after_an_error(model, data):
    model.optimizer.build(model.trainable_variables)
    before = state(model)

    def batches():
        yield data[0][:8], data[1][:8]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        find_lr(model, batches(), num_steps=20, start_lr=0.5)
    for old, new in zip(before, state(model), strict=True):
        assert np.array_equal(old, new)


def test_it_stops_when_the_loss_explodes(model, data):
    curve = find_lr(
        model, *data, batch_size=8, start_lr=1e-3, end_lr=1e4, num_steps=200
    )
    assert len(curve.losses) < 200
    assert np.isfinite(curve.losses).all()
    # Before the last step nothing exceeded four times the best so far.
    averages = curve.smoothed_losses
    best = np.minimum.accumulate(averages)
    assert (averages[:-1] <= 4 * best[:-1]).all()


def test_the_suggestion_trains_better_than_a_tenth_of_it(model, data):
    curve = find_lr(model, *data, batch_size=8, end_lr=10.0, num_steps=100)
    before = state(model)

    def loss_at(rate):
        for variable, value in zip(
            (*model.variables, *model.optimizer.variables), before, strict=True
        ):
            variable.assign(value)
        model.optimizer.learning_rate = rate
        model.fit(*data, batch_size=8, epochs=5, verbose=0)
        return model.evaluate(*data, verbose=0)[0]

    assert loss_at(curve.suggestion) < loss_at(curve.suggestion / 10)


def test_too_few_steps_give_no_suggestion():
    curve = LRCurve(np.geomspace(1e-6, 1, 10), np.ones(10))
    with pytest.raises(ValueError, match="20 steps or more. Received: 10"):
        _ = curve.suggestion


def test_errors_say_what_is_wrong(model, data):
    with pytest.raises(ValueError, match="call `model.compile"):
        find_lr(keras.Sequential([keras.layers.Dense(1)]), *data)
    with pytest.raises(ValueError, match="above 0 and below `end_lr`"):
        find_lr(model, *data, start_lr=1.0, end_lr=0.1)
    with pytest.raises(ValueError, match="`num_steps` must be 2 or more"):
        find_lr(model, *data, num_steps=1)
