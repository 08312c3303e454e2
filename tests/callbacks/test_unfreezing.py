import itertools
import logging
import re

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from kerassent.callbacks.model_state import training_variables
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.unfreezing import GradualUnfreezing, freeze_layers
from kerassent.classifier import SentimentClassifier
from kerassent.optimizers import LayerDecayAdamW

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TEXTS = ["a great film", "a dull book .", "love this phone !", "i hate it"] * 4
LABELS = [1, 0, 1, 0] * 4


@pytest.fixture(scope="module")
def make(make_classifier):
    """A function that makes a compiled classifier of 2 or 4 layers.

    Tracing a step takes longer than making some, so most tests don't.
    """

    def make(optimizer=None, *, num_layers=2, run_eagerly=True, **kwargs):
        classifier = make_classifier()
        if num_layers != 2:
            config = classifier.backbone.get_config()
            backbone = keras_nlp.models.DistilBertBackbone.from_config(
                config | {"num_layers": num_layers}
            )
            classifier = SentimentClassifier(
                backbone, ("neg", "pos"), classifier.preprocessor
            )
        classifier.compile(
            optimizer or LayerDecayAdamW(1e-2, layer_decay=0.9),
            LOSS,
            run_eagerly=run_eagerly,
            **kwargs,
        )
        return classifier

    return make


def fit(classifier, *callbacks, epochs=3, batches=1, **kwargs):
    x = classifier.preprocessor(tf.constant(TEXTS))
    dataset = tf.data.Dataset.from_tensor_slices((x, LABELS))
    dataset = dataset.batch(len(TEXTS) // batches)
    return classifier.fit(
        dataset, epochs=epochs, verbose=0, callbacks=list(callbacks), **kwargs
    )


def part(weight):
    """Where a weight is: a layer's number, "embeddings" or "head"."""
    found = re.search(r"transformer_layer_(\d+)/", weight.path)
    if found:
        return int(found.group(1))
    return "embeddings" if "embedding" in weight.path else "head"


def values(classifier):
    return [weight.numpy() for weight in classifier.weights]


def moved(classifier, before):
    """Which parts aren't bit-equal to what they were, or not wholly.

    A key's bias moves all scores of a query alike, so it has no gradient.
    """
    parts = {}
    pairs = zip(classifier.weights, before, strict=True)
    for weight, old in pairs:
        if not weight.path.endswith("key/bias"):
            is_other = not np.array_equal(weight.numpy(), old)
            parts.setdefault(part(weight), set()).add(is_other)
    assert all(len(found) == 1 for found in parts.values()), parts
    return {name for name, found in parts.items() if found == {True}}


class Moved(keras.callbacks.Callback):
    """Keeps which parts each epoch moved, and what is then trainable."""

    def __init__(self):
        super().__init__()
        self.parts = []
        self.trainable = []

    def on_epoch_begin(self, epoch, logs=None):
        self._before = values(self.model)

    def on_train_batch_end(self, batch, logs=None):
        weights = self.model.trainable_weights
        self.trainable.append({part(weight) for weight in weights})

    def on_epoch_end(self, epoch, logs=None):
        self.parts.append(moved(self.model, self._before))


ALL_OF_2 = {"head", 1, 0, "embeddings"}
ALL_OF_4 = {"head", 3, 2, 1, 0, "embeddings"}


@pytest.mark.parametrize(
    "count, learn",
    [
        (None, ALL_OF_4),
        (0, ALL_OF_4),
        (1, {"head", 3, 2, 1}),
        (3, {"head", 3}),
        (4, {"head"}),
    ],
)
def test_the_lowest_layers_and_the_embeddings_are_frozen(make, count, learn):
    classifier = make(
        optimizers.AdamW(1e-2, weight_decay=0.1, use_ema=True), num_layers=4
    )
    freeze_layers(classifier, count)
    before = values(classifier)
    fit(classifier, epochs=1)
    assert moved(classifier, before) == learn


def test_freezing_again_begins_anew_also_after_a_step_was_traced(make):
    classifier = make(optimizers.SGD(0.1), run_eagerly=False)
    fit(classifier, epochs=1)
    freeze_layers(classifier, 2)
    freeze_layers(classifier, 1)
    before = values(classifier)
    fit(classifier, epochs=1)
    assert moved(classifier, before) == {"head", 1}


def test_a_frozen_layer_leaves_no_trace_in_what_is_saved(make, tmp_path):
    classifier = make()
    freeze_layers(classifier, 1)
    classifier.save_to_preset(str(tmp_path / "preset"))
    again = SentimentClassifier.from_preset(str(tmp_path / "preset"))
    assert len(again.trainable_weights) == len(again.weights)
    for saved, weight in zip(again.weights, classifier.weights, strict=True):
        assert np.array_equal(saved, weight)


@pytest.mark.parametrize(
    "num_layers, frozen, layers_per_epoch, expected",
    [
        (2, 0, 1, [{"head"}, {"head", 1}, ALL_OF_2, ALL_OF_2]),
        (2, 0, 2, [{"head"}, ALL_OF_2, ALL_OF_2]),
        (2, 0, 9, [{"head"}, ALL_OF_2]),
        (4, 0, 3, [{"head"}, {"head", 3, 2, 1}, ALL_OF_4]),
        (
            *(4, 2, 1),
            [{"head"}, {"head", 3}, {"head", 3, 2}, {"head", 3, 2}],
        ),
        (2, 2, 1, [{"head"}, {"head"}]),
    ],
)
def test_layers_begin_to_learn_from_the_top(
    make, num_layers, frozen, layers_per_epoch, expected
):
    classifier = make(num_layers=num_layers)
    if frozen == num_layers:
        classifier.optimizer.layer_decay = 1
    freeze_layers(classifier, frozen)
    record = Moved()
    fit(
        classifier,
        GradualUnfreezing(layers_per_epoch),
        record,
        epochs=len(expected),
    )
    assert record.parts == expected


# Each makes an optimizer that would move a weight without a gradient, or does
# something across steps or weights.
OPTIMIZERS = {
    "weight decay": lambda: optimizers.AdamW(1e-2, weight_decay=0.5),
    "layer decay": lambda: LayerDecayAdamW(1e-2, layer_decay=0.5),
    "clipping": lambda: LayerDecayAdamW(1e-2, global_clipnorm=0.1),
    "momentum": lambda: optimizers.SGD(1e-2, momentum=0.9),
    "accumulation": lambda: LayerDecayAdamW(
        1e-2, gradient_accumulation_steps=2
    ),
    "average": lambda: LayerDecayAdamW(1e-2, use_ema=True, ema_momentum=0.9),
    "overwriting": lambda: LayerDecayAdamW(
        1e-2, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2
    ),
    "loss scale": lambda: optimizers.LossScaleOptimizer(
        LayerDecayAdamW(1e-2, use_ema=True), initial_scale=8.0
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_moves_what_waits(make, name):
    classifier = make(OPTIMIZERS[name]())
    # Moments that would go on moving the weights.
    fit(classifier, epochs=1, batches=2)
    before, record = values(classifier), Moved()
    fit(classifier, GradualUnfreezing(), record, epochs=2, batches=2)
    assert record.parts == [{"head"}, {"head", 1}]
    assert moved(classifier, before) == {"head", 1}
    # Afterwards all learn, by the same optimizer.
    before = values(classifier)
    fit(classifier, epochs=1, batches=2)
    assert moved(classifier, before) == ALL_OF_2


def test_an_average_begins_with_the_weight_that_begins_to_learn(make):
    classifier = make(optimizers.SGD(1e-2, use_ema=True, ema_momentum=0.75))
    steps = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(values(classifier))

    start = values(classifier)
    fit(classifier, GradualUnfreezing(), Record(), epochs=2, batches=2)
    weights = classifier.weights
    averages = classifier.optimizer._model_variables_moving_average
    assert len(weights) == len(averages)
    for i, weight in enumerate(weights):
        if part(weight) == 1:
            third, fourth = steps[2][i], steps[3][i]
            expected = 0.75 * start[i] + 0.25 * third
            expected = 0.75 * expected + 0.25 * fourth
            np.testing.assert_allclose(averages[i], expected, rtol=1e-5)
        elif part(weight) != "head":
            assert np.array_equal(averages[i], start[i])
        assert np.array_equal(averages[i], weight)  # `fit` has put it in


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"steps_per_execution": 2}],
    ids=str,
)
def test_it_is_so_however_a_step_is_traced(make, kwargs):
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    classifier = make(optimizer, run_eagerly=False, **kwargs)
    record = Moved()
    fit(classifier, GradualUnfreezing(), record, batches=2)
    assert record.parts == [{"head"}, {"head", 1}, ALL_OF_2]


def test_flags_and_the_step_are_as_before_whenever_one_looks(make):
    optimizer = optimizers.SGD(0.1)
    classifier = make(optimizer, num_layers=4, run_eagerly=False)
    record = Moved()
    freeze_layers(classifier, 1)
    flags = [weight.trainable for weight in classifier.weights]
    fit(classifier, GradualUnfreezing(), record, epochs=1, batches=2)
    assert record.trainable == 2 * [{"head", 3, 2, 1}]
    assert [weight.trainable for weight in classifier.weights] == flags
    assert "train_step" not in classifier.__dict__
    before = values(classifier)
    fit(classifier, epochs=1)
    assert moved(classifier, before) == {"head", 3, 2, 1}


def test_after_an_exception_restore_lets_all_learn(make):
    class Boom(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("boom")

    classifier = make(optimizers.SGD(0.1), run_eagerly=False)
    callback = GradualUnfreezing()
    with pytest.raises(RuntimeError, match="boom"):
        fit(classifier, callback, Boom())
    assert all(weight.trainable for weight in classifier.weights)
    callback.restore()
    callback.restore()
    before = values(classifier)
    fit(classifier, epochs=1)
    assert moved(classifier, before) == ALL_OF_2


def test_the_same_callback_serves_another_fit_and_another_model(make):
    callback = GradualUnfreezing()
    for classifier in (make(), make(num_layers=4)):
        for _ in range(2):
            record = Moved()
            fit(classifier, callback, record, epochs=1)
            assert record.parts == [{"head"}]


class Keep(keras.callbacks.Callback):
    """Keeps all variables when an epoch ends; or puts them back at first."""

    def __init__(self, kept=None):
        super().__init__()
        self._put_back = kept
        self.kept = {}

    def on_train_begin(self, logs=None):
        if self._put_back is not None:
            variables = training_variables(self.model)
            for variable, value in zip(variables, self._put_back, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch, logs=None):
        variables = training_variables(self.model)
        self.kept[epoch] = [variable.numpy() for variable in variables]


@pytest.mark.parametrize(
    "first, run_eagerly", [(1, False), (2, True), (3, True)]
)
def test_a_run_that_is_gone_on_with_ends_with_the_same_bits(
    make, first, run_eagerly
):
    """Dropout, clipping, accumulation, 1cycle and an average included."""

    def run(keep, **kwargs):
        classifier = make(
            LayerDecayAdamW(
                1e-2,
                layer_decay=0.9,
                global_clipnorm=1.0,
                gradient_accumulation_steps=2,
                use_ema=True,
            ),
            run_eagerly=run_eagerly,
        )
        # Metrics have their variables once they have seen a batch.
        x = classifier.preprocessor(tf.constant(TEXTS))
        classifier.test_on_batch(x, np.array(LABELS))
        callbacks = [OneCycle(1e-2), GradualUnfreezing(), keep]
        fit(classifier, *callbacks, epochs=4, batches=2, **kwargs)
        return values(classifier)

    whole = Keep()
    expected = run(whole)
    resumed = Keep(whole.kept[first - 1])
    found = run(resumed, initial_epoch=first)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
    for one, other in zip(resumed.kept[3], whole.kept[3], strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_momentum_is_cycled_in_each_epoch(make, order):
    """As by one optimizer for each step, made with the step's momentum."""
    rates, momenta = [], []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(logs["learning_rate"])
            momenta.append(logs["momentum"])

    cycled = make(optimizers.SGD(0.1, momentum=0.9), run_eagerly=False)
    callbacks = [OneCycle(0.1), GradualUnfreezing()]
    callbacks = callbacks[:: 1 if order == "before" else -1]
    fit(cycled, *callbacks, Record(), batches=2)
    assert len(set(momenta)) == 5  # the first is the last
    assert float(cycled.optimizer.momentum) == 0.9
    assert "make_train_function" not in cycled.__dict__

    by_hand = make(optimizers.SGD(0.1, momentum=0.9))
    velocities = None
    for epoch, learning in enumerate([{"head"}, {"head", 1}, ALL_OF_2]):
        for weight in by_hand.weights:
            weight.trainable = part(weight) in learning
        for batch in range(2):
            step = 2 * epoch + batch
            optimizer = optimizers.SGD(rates[step], momentum=momenta[step])
            optimizer.build(by_hand.weights)
            if velocities is not None:
                pairs = zip(optimizer.momentums, velocities, strict=True)
                for variable, value in pairs:
                    variable.assign(value)
            rows = slice(8 * batch, 8 * batch + 8)
            x = by_hand.preprocessor(tf.constant(TEXTS[rows]))
            with tf.GradientTape() as tape:
                loss = LOSS(np.array(LABELS[rows]), by_hand(x, training=True))
            weights = by_hand.trainable_weights
            optimizer.apply(tape.gradient(loss, weights), weights)
            velocities = [each.numpy() for each in optimizer.momentums]
    for one, other in zip(cycled.weights, by_hand.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_step_is_traced_only_when_more_layers_learn(make):
    classifier, made = make(num_layers=4), []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            made.append(self.model.train_function)

    fit(classifier, GradualUnfreezing(3), Look(), epochs=5, batches=2)
    changes = [one is not other for one, other in itertools.pairwise(made)]
    assert changes == [False, True, False, True] + 5 * [False]


def test_too_few_epochs_are_told(make, caplog):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = True

    classifier = make(num_layers=4)
    with caplog.at_level(logging.WARNING, "kerassent"):
        fit(classifier, GradualUnfreezing(3), Stop(), epochs=3)
        assert not caplog.messages
        fit(classifier, GradualUnfreezing(), Stop(), epochs=2)
        freeze_layers(classifier, 2)
        fit(classifier, GradualUnfreezing(), Stop(), epochs=2)
        fit(classifier, GradualUnfreezing(), Stop(), epochs=3)
    assert caplog.messages == [
        "Not all layers will learn: with 1 more in each epoch it takes 5 "
        "epochs until all do. There are 2.",
        "Not all layers will learn: with 1 more in each epoch it takes 3 "
        "epochs until all do. There are 2.",
    ]


def test_errors_say_what_is_wrong(make, compiled):
    classifier = make()
    for wrong in (3, -1):
        with pytest.raises(
            ValueError,
            match=f"`frozen_layers` must be from 0 to 2, .*: {wrong}",
        ):
            freeze_layers(classifier, wrong)
    assert len(classifier.trainable_weights) == len(classifier.weights)
    with pytest.raises(
        ValueError, match="`layers_per_epoch` must be 1 or more. Received: 0"
    ):
        GradualUnfreezing(0)
    other = compiled("sgd")
    with pytest.raises(TypeError, match="`transformer_layers`.*: Sequential"):
        freeze_layers(other, 1)
    with pytest.raises(TypeError, match="`transformer_layers`.*: Sequential"):
        other.fit(
            *(np.ones((8, 3)), np.ones((8, 1))),
            verbose=0,
            callbacks=[GradualUnfreezing()],
        )
