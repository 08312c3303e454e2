import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks.averaged_weights import AveragedWeights
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.range_test import find_lr


def values(variables):
    return [variable.numpy() for variable in variables]


class Weights(keras.callbacks.Callback):
    """Keeps the weights after each step, and of each epoch's end."""

    def on_train_begin(self, logs=None):
        self.first = values(self.model.trainable_variables)
        self.after_steps = []
        self.at_ends = []
        self.val_losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.after_steps.append(values(self.model.trainable_variables))

    def on_epoch_end(self, epoch, logs=None):
        self.at_ends.append(values(self.model.trainable_variables))
        self.val_losses.append(logs.get("val_loss"))


def averages(updates, ema_momentum=0.99, before=None):
    """The average after each update, in float64, by hand.

    With `before`: the first ten updates were made, and that is their average.
    """
    found = [before or [w.astype("float64") for w in updates[0]]]
    start = 10 if before else 1
    for t, weights in enumerate(updates[not before :], start=start):
        momentum = min(ema_momentum, (1 + t) / (10 + t))
        found.append(
            [
                momentum * average + (1 - momentum) * weight
                for average, weight in zip(found[-1], weights, strict=True)
            ]
        )
    return found


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def averaging(**kwargs):
    return optimizers.AdamW(0.05, use_ema=True, **kwargs)


@pytest.mark.parametrize("ema_momentum", [0.999, 0.5])
def test_it_is_the_average_and_training_goes_on_from_the_weights(
    compiled, fit, points, ema_momentum
):
    plain = Weights()
    fit(compiled(optimizers.AdamW(0.05)), plain, epochs=4)

    model = compiled(averaging(ema_momentum=ema_momentum))
    seen = Weights()
    fit(model, AveragedWeights(), seen, epochs=4, validation_data=points)

    for one, other in zip(seen.after_steps, plain.after_steps, strict=True):
        assert_equal(one, other)
    expected = averages(seen.after_steps, ema_momentum)
    for epoch in range(4):
        assert_close(seen.at_ends[epoch], expected[10 * epoch + 9])
    assert_equal(values(model.trainable_variables), seen.at_ends[-1])
    # What was validated is the average.
    for weights, val_loss in zip(seen.at_ends, seen.val_losses, strict=True):
        model.set_weights(weights)
        assert model.evaluate(*points, verbose=0) == pytest.approx(
            val_loss, rel=1e-5
        )


def test_the_first_update_is_all_that_the_first_average_has(compiled, fit):
    model = compiled(averaging(ema_momentum=0.999))
    seen = Weights()
    fit(model, AveragedWeights(), seen, batch_size=80)
    assert_equal(seen.at_ends[0], seen.after_steps[0])


def test_only_an_update_counts_with_gradient_accumulation(compiled, fit):
    model = compiled(averaging(gradient_accumulation_steps=4))
    seen = Weights()
    fit(model, AveragedWeights(), seen, epochs=2)
    # 20 batches are 5 updates, after batches 4, 8, ..., 20.
    expected = averages(seen.after_steps[3::4])
    assert_close(seen.at_ends[0], expected[1])
    assert_close(seen.at_ends[1], expected[4])


def test_a_block_of_steps_is_averaged_step_by_step(compiled, fit):
    seen = Weights()
    fit(compiled(optimizers.AdamW(0.05)), seen, epochs=2)
    model = compiled(averaging(ema_momentum=0.9), steps_per_execution=4)
    fit(model, AveragedWeights(), epochs=2)
    expected = averages(seen.after_steps, 0.9)[-1]
    assert_close(values(model.trainable_variables), expected)


def test_it_looks_into_a_loss_scale_optimizer(compiled, fit):
    model = compiled(optimizers.LossScaleOptimizer(averaging()))
    seen = Weights()
    fit(model, AveragedWeights(), seen, epochs=2)
    assert_close(seen.at_ends[1], averages(seen.after_steps)[-1])
    assert_equal(values(model.trainable_variables), seen.at_ends[1])


def test_without_any_update_the_weights_stay(compiled, fit):
    model = compiled(averaging(gradient_accumulation_steps=20))
    before = model.get_weights()
    seen = Weights()
    fit(model, AveragedWeights(), seen)
    assert_equal(seen.at_ends[0], before)
    assert_equal(model.get_weights(), before)


def test_a_fit_that_is_stopped_ends_with_the_average(compiled, fit, points):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model = compiled(averaging())
    seen = Weights()
    fit(
        model,
        AveragedWeights(),
        seen,
        Stop(),
        epochs=9,
        validation_data=points,
    )
    assert len(seen.at_ends) == 2
    expected = averages(seen.after_steps)[19]
    assert_close(values(model.trainable_variables), expected)


@pytest.mark.filterwarnings("ignore:No learning rate found")
def test_it_goes_with_a_cycle_and_after_a_range_test(compiled, fit, points):
    """The momentum's hook and this one don't get in each other's way."""
    plain = Weights()
    fit(compiled(optimizers.AdamW(0.05)), OneCycle(0.1), plain, epochs=2)
    pair = [AveragedWeights(), OneCycle(0.1)]
    for callbacks in pair, pair[::-1]:
        model = compiled(averaging())
        find_lr(model, *points, num_steps=20, batch_size=8)
        seen = Weights()
        fit(model, *callbacks, seen, epochs=2)
        assert_equal(seen.after_steps[-1], plain.after_steps[-1])
        expected = averages(plain.after_steps)[-1]
        assert_close(values(model.trainable_variables), expected)


@pytest.mark.parametrize("callbacks", [[AveragedWeights()], []])
def test_a_second_fit_goes_on_with_the_average(callbacks, compiled, fit):
    """Also if the step was traced before, with Keras's own average."""
    model = compiled(averaging())
    fit(model, *callbacks)
    first = values(model.trainable_variables)
    seen = Weights()
    fit(model, AveragedWeights(), seen)
    assert_equal(seen.first, first)
    expected = averages(seen.after_steps, before=first)[-1]
    assert_close(values(model.trainable_variables), expected)


def test_layers_that_are_frozen_later_keep_their_own_average(compiled, fit):
    """Keras would give the second layer the first one's, if it fitted."""
    model = compiled(averaging())
    fit(model, AveragedWeights())
    first = values(model.layers[0].weights)
    second = values(model.layers[1].weights)
    model.layers[0].trainable = False
    model.train_function = None
    seen = Weights()
    fit(model, AveragedWeights(), seen)
    expected = averages(seen.after_steps, before=second)[-1]
    assert_close(values(model.layers[1].weights), expected)
    assert_close(values(model.layers[0].weights), first)


def test_what_is_saved_knows_nothing_of_it(compiled, fit, tmp_path):
    model = compiled(averaging(ema_momentum=0.9))
    config = model.optimizer.get_config()
    fit(model, AveragedWeights())
    assert model.optimizer.get_config() == config | {
        "learning_rate": pytest.approx(0.05)
    }
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal(again.get_weights(), model.get_weights())


def test_an_optimizer_that_does_not_average_is_refused(compiled, fit):
    with pytest.raises(
        ValueError,
        match="make it with `use_ema=True` and.*Received: Adam with use_ema=F",
    ):
        fit(compiled(optimizers.Adam(0.1)), AveragedWeights())
