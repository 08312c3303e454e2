import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent import forward

LENGTHS = [9, 3, 2, 7]
LABELS = tf.constant([0, 1, 1, 0])


def batch_of(lengths):
    rng = np.random.default_rng(0)
    mask = tf.sequence_mask(lengths, max(lengths), tf.int32)
    ids = tf.constant(rng.integers(5, 40, mask.shape), tf.int32) * mask
    return {"token_ids": ids, "padding_mask": mask}


@pytest.fixture(scope="module")
def batch():
    return batch_of(LENGTHS)


@pytest.fixture(scope="module")
def make_plain():
    """keras-nlp's own classifier, with weights that are no initial ones."""

    def make(dropout):
        keras.utils.set_random_seed(0)
        backbone = keras_nlp.models.DistilBertBackbone(
            vocabulary_size=40,
            num_layers=2,
            num_heads=2,
            hidden_dim=32,
            intermediate_dim=64,
            max_sequence_length=16,
            dropout=dropout,
        )
        classifier = keras_nlp.models.DistilBertTextClassifier(
            backbone, num_classes=2, preprocessor=None, dropout=dropout
        )
        rng = np.random.default_rng(1)
        for variable in classifier.trainable_variables:
            variable.assign_add(rng.normal(0, 0.1, variable.shape))
        return classifier

    return make


@pytest.fixture(scope="module")
def plain(make_plain):
    return make_plain(dropout=0.1)


def loss_and_gradients(classifier, compute):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, compute())
        )
    variables = [v.value for v in classifier.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


def test_logits_are_those_of_keras_nlp(plain, batch):
    found = forward.logits(plain, **batch)
    assert found.numpy() == pytest.approx(plain(batch).numpy(), abs=1e-6)


@pytest.mark.parametrize("seed", [None, tf.constant([1, 2])])
@pytest.mark.parametrize(
    "lengths", [[9, 3, 2, 7], [16, 16, 15, 2], [1, 1, 1, 1], [2, 13, 5, 5]]
)
def test_gradients_are_those_of_keras_nlp(make_plain, lengths, seed):
    plain = make_plain(dropout=0.0)
    batch = batch_of(lengths)
    _, expected = loss_and_gradients(plain, lambda: plain(batch))
    _, found = loss_and_gradients(
        plain, lambda: forward.logits(plain, **batch, seed=seed)
    )
    # Two embeddings, a norm, 16 a layer, two in each of the head's.
    assert len(found) == 2 + 2 + 2 * 16 + 4
    for variable, a, b in zip(
        plain.trainable_variables, found, expected, strict=True
    ):
        # A key's bias moves all scores of a query alike: its gradient is 0,
        # and one token has all of the attention: queries' and keys' are.
        scale = max(float(tf.norm(b)), 1e-2)
        assert float(tf.norm(a - b)) < 1e-5 * scale, variable.path


def test_each_word_has_one_gradient(plain):
    # Keras would square the gradients of a word's places, then add them.
    batch = {"token_ids": tf.fill([4, 9], 7), "padding_mask": tf.ones([4, 9])}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(forward.logits(plain, **batch)[:, 0])
    table = plain.backbone.token_embedding.embeddings.value
    gradient = tape.gradient(loss, table)
    assert isinstance(gradient, tf.Tensor)
    assert np.flatnonzero(np.any(gradient, axis=1)).tolist() == [7]


@pytest.mark.parametrize("seed", [None, tf.constant([1, 2])])
def test_an_empty_batch_has_no_logits(plain, batch, seed):
    empty = {name: tensor[:0] for name, tensor in batch.items()}
    assert forward.logits(plain, **empty, seed=seed).shape == (0, 2)


def test_padding_changes_nothing(plain, batch):
    wider = {
        name: tf.pad(tensor, [[0, 0], [0, 4]]) for name, tensor in batch.items()
    }
    assert forward.logits(plain, **wider).numpy() == pytest.approx(
        forward.logits(plain, **batch).numpy(), abs=1e-6
    )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_near(plain, batch, precision):
    _, expected = loss_and_gradients(plain, lambda: plain(batch))
    loss, found = loss_and_gradients(
        plain, lambda: forward.logits(plain, **batch, precision=precision)
    )
    logits = forward.logits(plain, **batch, precision=precision)
    assert logits.dtype == tf.float32
    assert logits.numpy() == pytest.approx(plain(batch).numpy(), abs=2e-2)
    exact_logits = forward.logits(plain, **batch)
    assert not np.allclose(logits.numpy(), exact_logits.numpy(), atol=1e-5)
    flat = [tf.reshape(gradient, [-1]) for gradient in found]
    exact = [tf.reshape(gradient, [-1]) for gradient in expected]
    difference = tf.norm(tf.concat(flat, 0) - tf.concat(exact, 0))
    assert float(difference / tf.norm(tf.concat(exact, 0))) < 0.03


def test_a_seed_decides_what_is_dropped(plain, batch):
    def run(*seed):
        return forward.logits(plain, **batch, seed=tf.constant(seed)).numpy()

    assert np.array_equal(run(1, 2), run(1, 2))
    assert not np.allclose(run(1, 2), run(1, 3))
    assert not np.allclose(run(1, 2), plain(batch).numpy())


SITES = {
    "embeddings": lambda c: (c.backbone.embeddings_dropout, "rate"),
    "output": lambda c: (c.output_dropout, "rate"),
} | {
    f"{name} of layer {i}": lambda c, i=i, path=path, rate=rate: (
        getattr(c.backbone.transformer_layers[i], path),
        rate,
    )
    for i in (0, 1)
    for name, path, rate in (
        ("scores", "_self_attention_layer", "_dropout"),
        ("attention", "_self_attention_dropout", "rate"),
        ("feed-forward", "_feedforward_dropout", "rate"),
    )
}


@pytest.mark.parametrize("site", SITES)
def test_each_dropout_of_keras_nlp_drops(make_plain, batch, site):
    plain = make_plain(dropout=0.0)
    seed = tf.constant([1, 2])
    nothing = forward.logits(plain, **batch, seed=seed).numpy()
    layer, rate = SITES[site](plain)
    assert getattr(layer, rate) == 0.0
    setattr(layer, rate, 0.5)
    found = forward.logits(plain, **batch, seed=seed).numpy()
    assert not np.allclose(found, nothing, atol=1e-4)
    assert forward.logits(plain, **batch).numpy() == pytest.approx(
        nothing, abs=1e-5
    )


def test_training_gradients_are_those_of_what_was_kept(plain, batch):
    # Finite differences through the whole pass, with one seed.
    seed = tf.constant([5, 6])

    def compute():
        return forward.logits(plain, **batch, seed=seed)

    _, gradients = loss_and_gradients(plain, compute)
    rng = np.random.default_rng(2)
    directions = [rng.normal(0, 1, v.shape) for v in plain.trainable_variables]
    slope = sum(
        float(tf.reduce_sum(gradient * direction))
        for gradient, direction in zip(gradients, directions, strict=True)
    )

    def moved(step):
        for variable, direction in zip(
            plain.trainable_variables, directions, strict=True
        ):
            variable.assign_add(step * direction)
        return float(loss_and_gradients(plain, compute)[0])

    up, down = moved(1e-4), moved(-2e-4)
    moved(1e-4)
    assert (up - down) / 2e-4 == pytest.approx(slope, rel=0.02)


def test_float16_trains_with_a_scaled_loss(make_classifier):
    classifier = make_classifier()
    classifier.precision = "float16"
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.AdamW(1e-2), initial_scale=2.0**15
    )
    classifier.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    batch = classifier.preprocessor(tf.constant(["good book", "bad tea"] * 4))
    labels = tf.constant([1, 0] * 4)
    losses = [classifier.train_on_batch(batch, labels)[0] for _ in range(14)]
    assert losses[-1] < 0.5 * losses[0]
    for variable in classifier.trainable_variables:
        assert variable.dtype == "float32"
        assert np.isfinite(variable.numpy()).all(), variable.path
