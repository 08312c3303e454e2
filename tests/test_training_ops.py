import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from kerassent import training_ops
from kerassent.training_ops import Dropout


def normal(*shape, seed=0, dtype=tf.float32):
    values = np.random.default_rng(seed).normal(0, 1, shape)
    return tf.cast(tf.constant(values, tf.float32), dtype)


def values_and_gradients(compute, inputs):
    """What is computed, and the gradients of a weighted sum of it."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.nest.flatten(compute(*inputs))
        total = tf.add_n(
            [
                tf.reduce_sum(tf.cast(y, tf.float32) * normal(*y.shape, seed=i))
                for i, y in enumerate(outputs)
            ]
        )
    return [*outputs, *tape.gradient(total, inputs)]


def assert_equal(compute, plain, inputs, tolerance=1e-5):
    found = values_and_gradients(compute, inputs)
    expected = values_and_gradients(plain, inputs)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
        assert float(tf.norm(a - b)) < tolerance * float(tf.norm(b))


def kept(drawn):
    """Dropout's mask, written another way."""
    if drawn is None:
        return 1.0
    byte, least = drawn
    mask = (byte.numpy() >= least).astype(np.float32)
    return mask / (1 - least / 256)


@pytest.fixture(params=[0.0, 0.3], ids=["all", "dropped"])
def draw(request):
    drop = Dropout(tf.constant([1, 2]))
    return lambda *shape: drop.draw(tf.constant(shape), request.param)


@pytest.mark.parametrize("queries", [1, 5])
def test_attention_and_its_gradient_are_the_plain_ones(draw, queries):
    bias = tf.constant([[0.0] * 5, [0.0] * 3 + [-1e9] * 2])
    bias = bias[:, tf.newaxis, tf.newaxis, :]
    drawn = draw(2, 3, queries, 5)

    def plain(q, k, v):
        shares = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + bias)
        return tf.matmul(shares * kept(drawn), v)

    assert_equal(
        lambda q, k, v: training_ops.attended(q, k, v, bias, drawn),
        plain,
        [normal(2, 3, queries, 4), normal(2, 3, 5, 4), normal(2, 3, 5, 4)],
    )


def test_the_first_dense_layer_and_its_gradient_are_the_plain_ones():
    def plain(x, kernel, bias):
        return tf.nn.gelu(x @ kernel + bias, approximate=False)

    assert_equal(
        training_ops.expanded, plain, [normal(6, 4), normal(4, 8), normal(8)]
    )


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_the_norm_of_a_sum_and_its_gradient_are_the_plain_ones(draw, dtype):
    drawn = draw(6, 8)

    def plain(x, product, bias, gamma, beta):
        x += (tf.cast(product, tf.float32) + bias) * kept(drawn)
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        y = (x - mean) / tf.sqrt(variance + 1e-3) * gamma + beta
        return y, tf.cast(y, dtype)

    def fused(x, product, bias, gamma, beta):
        return training_ops.added(
            x, product, bias, drawn, gamma, beta, epsilon=1e-3
        )

    inputs = [
        normal(6, 8, seed=3),
        normal(6, 8, seed=4, dtype=dtype),
        *(normal(8, seed=i) for i in (5, 6, 7)),
    ]
    assert_equal(fused, plain, inputs, 1e-5 if dtype == tf.float32 else 2**-8)


def test_consecutive_steps_and_draws_share_no_bytes():
    def drawn(step):
        drop = Dropout(tf.constant([7, step], tf.int64))
        return [drop.draw(tf.constant([64]), 0.5)[0] for _ in range(20)]

    every = {b.numpy().tobytes() for step in range(5) for b in drawn(step)}
    assert len(every) == 100


def test_dropout_keeps_the_mean_and_drops_the_rate():
    drop = Dropout(tf.constant([3, 4]))
    ones = tf.ones([1000, 1001])
    first, second = drop(ones, 0.1).numpy(), drop(ones, 0.1).numpy()
    # 26 of 256; the standard error of a million draws is 0.0003.
    assert (first == 0).mean() == pytest.approx(26 / 256, abs=0.0015)
    assert first.mean() == pytest.approx(1, abs=0.0015)
    assert np.unique(first).tolist() == pytest.approx([0, 256 / 230])
    assert (first != second).mean() == pytest.approx(
        2 * 0.1016 * 0.8984, abs=0.003
    )


def test_nothing_is_drawn_where_nothing_is_dropped():
    assert Dropout(None).draw(tf.constant([4]), 0.5) is None
    assert Dropout(tf.constant([1, 2])).draw(tf.constant([4]), 0.0) is None


@pytest.mark.parametrize(
    "kinds, expected",
    [(["CPU"], True), (["CPU", "CPU"], True), (["CPU", "GPU"], False)],
)
def test_parts_are_compiled_on_cpus_only(kinds, expected, monkeypatch):
    devices = [tf.config.LogicalDevice(kind, kind) for kind in kinds]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    assert training_ops.compiles_parts() is expected


def test_what_is_not_compiled_gives_the_same(monkeypatch):
    x, product, vector = normal(6, 8), normal(6, 8, seed=1), normal(8, seed=2)

    def added():
        return training_ops.added(
            x, product, vector, None, vector, vector, epsilon=1e-3
        )[0].numpy()

    compiled = added()
    monkeypatch.setattr(training_ops, "compiles_parts", lambda: False)
    assert added() == pytest.approx(compiled, abs=1e-6)


ON_GPU = """
import sys
import numpy as np, keras_nlp, tensorflow as tf
from kerassent import forward, training_ops
if not tf.config.list_physical_devices("GPU"):
    sys.exit(77)
assert not training_ops.compiles_parts()
plain = keras_nlp.models.DistilBertTextClassifier(
    keras_nlp.models.DistilBertBackbone(
        vocabulary_size=40, num_layers=2, num_heads=2, hidden_dim=32,
        intermediate_dim=64, max_sequence_length=16, dropout=0.0,
    ), num_classes=2, preprocessor=None, dropout=0.0,
)
for length in (3, 9, 16):
    batch = {
        "token_ids": tf.random.uniform((4, length), 5, 40, tf.int32),
        "padding_mask": tf.sequence_mask([length, 1, 2, 3], length, tf.int32),
    }
    found = forward.logits(plain, **batch, seed=tf.constant([1, 2]))
    np.testing.assert_allclose(found, plain(batch), atol=1e-3)
"""


def test_a_gpu_trains_without_compiling_anything():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    del environment["CUDA_VISIBLE_DEVICES"]  # which hides it from the rest
    done = subprocess.run(
        [sys.executable, "-c", ON_GPU],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip("there is no GPU")
    assert done.returncode == 0, done.stderr
