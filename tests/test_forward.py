import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent import forward

LENGTHS = [9, 3, 2, 7]
LABELS = tf.constant([0, 1, 1, 0])


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    mask = tf.sequence_mask(LENGTHS, 9, tf.int32)
    ids = tf.constant(rng.integers(5, 40, mask.shape), tf.int32) * mask
    return {"token_ids": ids, "padding_mask": mask}


@pytest.fixture(scope="module")
def plain():
    """keras-nlp's own classifier, with weights that are no initial ones."""
    keras.utils.set_random_seed(0)
    backbone = keras_nlp.models.DistilBertBackbone(
        vocabulary_size=40,
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=16,
    )
    classifier = keras_nlp.models.DistilBertTextClassifier(
        backbone, num_classes=2, preprocessor=None
    )
    rng = np.random.default_rng(1)
    for variable in classifier.trainable_variables:
        variable.assign_add(rng.normal(0, 0.1, variable.shape))
    return classifier


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


def test_gradients_are_those_of_keras_nlp(plain, batch):
    _, expected = loss_and_gradients(plain, lambda: plain(batch))
    _, found = loss_and_gradients(plain, lambda: forward.logits(plain, **batch))
    for variable, a, b in zip(
        plain.trainable_variables, found, expected, strict=True
    ):
        # A key's bias moves all scores of a query alike: its gradient is 0.
        scale = max(float(tf.norm(b)), 1e-3)
        assert float(tf.norm(a - b)) < 1e-5 * scale, variable.path


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


def test_consecutive_steps_share_no_mask():
    def masks(step):
        drop = forward._Dropout(tf.constant([7, step], tf.int64))
        return [drop.mask(tf.constant([64]), 0.5).numpy() for _ in range(20)]

    drawn = {mask.tobytes() for step in range(5) for mask in masks(step)}
    assert len(drawn) == 100


def test_dropout_keeps_the_mean_and_drops_the_rate():
    drop = forward._Dropout(tf.constant([3, 4]))
    first = drop.mask(tf.constant([1000, 1001]), 0.1).numpy()
    second = drop.mask(tf.constant([1000, 1001]), 0.1).numpy()
    # 26 of 256; the standard error of a million draws is 0.0003.
    assert (first == 0).mean() == pytest.approx(26 / 256, abs=0.0015)
    assert first.mean() == pytest.approx(1, abs=0.0015)
    assert np.unique(first).tolist() == pytest.approx([0, 256 / 230])
    assert (first != second).mean() == pytest.approx(
        2 * 0.1016 * 0.8984, abs=0.003
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


def test_the_classifier_takes_the_lean_pass(make_classifier, batch):
    classifier = make_classifier()
    expected = keras_nlp.models.DistilBertTextClassifier.call(classifier, batch)
    assert classifier(batch).numpy() == pytest.approx(
        expected.numpy(), abs=1e-6
    )
    assert not np.allclose(
        classifier(batch, training=True).numpy(),
        classifier(batch, training=True).numpy(),
    )


def test_precision_is_taken_anew_and_not_saved(make_classifier, tmp_path):
    classifier = make_classifier()
    texts = tf.constant(["good book", "bad tea"])
    exact = classifier.predict(texts, verbose=0)
    classifier.precision = "bfloat16"
    near = classifier.predict(texts, verbose=0)
    assert not np.array_equal(exact, near)
    assert near == pytest.approx(exact, abs=2e-2)
    classifier.save_to_preset(str(tmp_path))
    found = type(classifier).from_preset(tmp_path)
    assert found.precision == "float32"
    with pytest.raises(ValueError, match="'float64'"):
        classifier.precision = "float64"
