import keras
import numpy as np
import pytest
import tensorflow as tf

from kerassent.losses import SmoothedCrossentropy

RNG = np.random.default_rng(0)
LABELS = np.array([0, 3, 1, 1, 2, 0], np.int32)
LOGITS = (3 * RNG.normal(size=(6, 4))).astype("float32")
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
WEIGHTS = np.array([1.0, 0.5, 2.0, 2.0, 0.1, 1.0], np.float32)


def value_and_gradient(loss, labels, logits=LOGITS, weights=None):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits, sample_weight=weights)
    return value.numpy(), tape.gradient(value, logits).numpy()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 0.9])
def test_it_is_keras_smoothing_for_integer_labels(smoothing, weights):
    ours = value_and_gradient(
        SmoothedCrossentropy(smoothing), LABELS, weights=weights
    )
    theirs = value_and_gradient(
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=smoothing
        ),
        ONE_HOT,
        weights=weights,
    )
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, its, rtol=1e-6, atol=1e-7)


def test_without_smoothing_it_is_the_sparse_one_to_the_bit():
    ours = value_and_gradient(SmoothedCrossentropy(), LABELS)
    theirs = value_and_gradient(
        keras.losses.SparseCategoricalCrossentropy(from_logits=True), LABELS
    )
    for mine, its in zip(ours, theirs, strict=True):
        assert np.array_equal(mine, its)


def test_a_value_by_hand():
    """Of logits 0 and log 3 the probabilities are 1/4 and 3/4."""
    logits = np.array([[0.0, np.log(3.0)]], np.float32)
    found = SmoothedCrossentropy(0.2)(np.array([1]), logits)
    assert float(found) == pytest.approx(
        -0.9 * np.log(0.75) - 0.1 * np.log(0.25)
    )


def test_it_is_float32_and_finite_at_the_ends_of_what_logits_may_be():
    logits = np.array([[1e4, -1e4, 0.0], [6e4, 6e4, 6e4]], np.float16)
    loss = SmoothedCrossentropy(0.1, reduction=None)
    found = loss(np.array([1, 2]), logits)
    assert found.dtype == tf.float32
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -0.9 * logs[[0, 1], [1, 2]] - 0.1 * logs.mean(axis=1)
    assert found.numpy() == pytest.approx(expected, rel=1e-6)
    value, gradient = value_and_gradient(
        SmoothedCrossentropy(0.1), [1, 2], logits.astype("float32")
    )
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("weighted_by", ["class", "sample"])
def test_fit_weighs_it_as_it_does_keras_own(weighted_by):
    histories = []
    for loss, labels in (
        (SmoothedCrossentropy(0.1), LABELS),
        (
            keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=0.1
            ),
            ONE_HOT,
        ),
    ):
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4, "tanh")]
        )
        model.layers[0].set_weights([np.eye(4), np.zeros(4)])
        model.compile(keras.optimizers.SGD(0.1), loss)
        by_class = np.array([2.0, 1.0, 4.0, 0.5])
        weights = (
            {"class_weight": dict(enumerate(by_class))}
            if weighted_by == "class"
            else {"sample_weight": by_class[LABELS]}
        )
        fitted = model.fit(LOGITS, labels, epochs=3, verbose=0, **weights)
        histories.append(fitted.history["loss"])
    assert histories[0] == pytest.approx(histories[1], rel=1e-5)
    assert histories[0][2] < histories[0][0]


def test_it_is_saved_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("sgd", SmoothedCrossentropy(0.3, reduction="sum"))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").loss
    assert isinstance(again, SmoothedCrossentropy)
    assert again.get_config() == {
        "name": "smoothed_crossentropy",
        "reduction": "sum",
        "label_smoothing": 0.3,
    }


@pytest.mark.parametrize("wrong", [-0.1, 1.0, 10, float("nan")])
def test_a_smoothing_out_of_range_is_refused(wrong):
    with pytest.raises(
        ValueError,
        match=f"`label_smoothing` must be 0 or more .* Received: {wrong}",
    ):
        SmoothedCrossentropy(wrong)


def test_a_label_that_is_no_class_is_not_passed_over():
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="Received a label value of 4"
    ):
        SmoothedCrossentropy(0.1)(np.array([0, 4]), LOGITS[:2])
