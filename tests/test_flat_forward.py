import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent import flat_forward, length_groups
from kerassent.flat_forward import FlatForward
from kerassent.flat_weights import FlatWeights
from kerassent.forward import NEVER, logits

LENGTHS = [9, 1, 3, 14, 2, 7, 2, 5, 14]


@pytest.fixture(scope="module")
def classifier(make_classifier):
    classifier = make_classifier(("a", "b", "c"))
    rng = np.random.default_rng(1)
    for variable in classifier.trainable_variables:
        variable.assign_add(rng.normal(0, 0.1, variable.shape))
    return classifier


@pytest.fixture(scope="module")
def tokens():
    ids = np.random.default_rng(0).integers(5, 40, sum(LENGTHS))
    return tf.RaggedTensor.from_row_lengths(tf.cast(ids, tf.int32), LENGTHS)


@pytest.fixture(scope="module")
def expected(classifier, tokens):
    """What keras-nlp's own layers say."""
    batch = {
        "token_ids": tokens.to_tensor(),
        "padding_mask": tf.sequence_mask(LENGTHS, dtype=tf.int32),
    }
    call = keras_nlp.models.DistilBertTextClassifier.call
    return call(classifier, batch).numpy()


# Each text alone; some alone and some together; all together.
@pytest.mark.parametrize("group_tokens", [1, 10, 1000])
@pytest.mark.parametrize("kept", [tf.constant, tf.Variable])
def test_logits_are_keras_nlps(
    group_tokens, kept, classifier, tokens, expected, monkeypatch
):
    monkeypatch.setattr(length_groups, "_GROUP_TOKENS", group_tokens)
    forward = FlatForward(FlatWeights(classifier, kept=kept))
    found = tf.function(forward.logits)(tokens).numpy()
    assert found == pytest.approx(expected, abs=2e-6)
    assert np.ptp(expected, axis=0).min() > 0.05  # texts differ


def test_bfloat16_is_near_and_its_logits_are_float32(
    classifier, tokens, expected
):
    weights = FlatWeights(classifier, "bfloat16")
    found = tf.function(FlatForward(weights).logits)(tokens)
    assert found.dtype == tf.float32
    assert found.numpy() == pytest.approx(expected, abs=0.05)
    assert not np.allclose(found.numpy(), expected, atol=1e-5)
    dtypes = {weights.token_table.dtype, weights.layers[0].inner_kernel.dtype}
    assert dtypes == {tf.bfloat16}
    assert weights.layers[0].attention_norm.gamma.dtype == tf.float32


# All, some and none are short.
@pytest.mark.parametrize("short_tokens", [64, 7, 0])
def test_a_text_alone_gets_the_same_logits(
    short_tokens, classifier, tokens, expected, monkeypatch
):
    monkeypatch.setattr(flat_forward, "_SHORT_TOKENS", short_tokens)
    forward = FlatForward(FlatWeights(classifier))
    logits = tf.function(forward.logits)
    for i in range(len(LENGTHS)):
        alone = logits(tokens[i : i + 1]).numpy()
        assert alone == pytest.approx(expected[i : i + 1], abs=2e-6)
        readings = tf.zeros([2, len(tokens[i])])
        for one in forward.logits_by_reading(tokens[i], readings).numpy():
            assert one == pytest.approx(expected[i], abs=2e-6)


def test_a_token_that_nobody_reads_is_like_padding(classifier, tokens):
    flat = FlatForward(FlatWeights(classifier))
    ids = tokens[max(range(len(LENGTHS)), key=LENGTHS.__getitem__)]
    mask = np.random.default_rng(0).integers(0, 2, (4, len(ids)))
    mask[:, 0] = 1
    found = flat.logits_by_reading(ids, tf.where(mask > 0, 0.0, NEVER))
    expected = logits(classifier, tf.tile(ids[None], [4, 1]), mask)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=2e-6)
    assert np.ptp(expected.numpy()[:, 0]) > 1e-3


def test_a_text_alone_in_bfloat16_gets_nearly_the_same(
    classifier, tokens, expected
):
    forward = FlatForward(FlatWeights(classifier, "bfloat16"))
    for i in range(len(LENGTHS)):
        alone = tf.function(forward.logits)(tokens[i : i + 1])
        assert alone.dtype == tf.float32
        assert alone.numpy() == pytest.approx(expected[i : i + 1], abs=0.05)


def test_no_texts_give_no_rows(classifier, tokens):
    forward = FlatForward(FlatWeights(classifier))
    assert tf.function(forward.logits)(tokens[:0]).shape == (0, 3)


def test_the_gradient_is_the_slope(classifier, tokens):
    forward = FlatForward(FlatWeights(classifier))
    random = np.random.default_rng(4)  # no kink of ReLU is near
    bias = tf.constant(random.normal(size=(2, len(tokens[0]))), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        logit = forward.logits_by_reading(tokens[0], bias)[1, 1]
    gradient = tape.gradient(logit, bias).numpy()
    assert (gradient[0] == 0).all()  # another reading's
    step = tf.constant(0.05 * np.sign(gradient), tf.float32)
    up, down = (
        forward.logits_by_reading(tokens[0], bias + sign * step)[1, 1].numpy()
        for sign in (1, -1)
    )
    slope = 2 * float((gradient * step.numpy()).sum())
    assert up - down == pytest.approx(slope, rel=0.01)
    assert abs(slope) > 1e-4
