"""Parts of a training step, each with its gradient, in few passes over memory.

Next to its matrix products a step is bound by memory: TensorFlow takes a pass
over the activations for each addition, cast and sum. XLA makes one of many.
"""

import functools
import math
from typing import Any

import tensorflow as tf


class Dropout:
    """Draws what dropout drops, each time from a seed of its own.

    A random byte decides, so that a rate is rounded to 1/256; what is kept is
    scaled by just what is lost. 32 random bits are four decisions, not one.

    Args:
        seed: int32 or int64 `(2,)`, or `None`, which drops nothing.
    """

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self._count = 0

    @property
    def is_on(self) -> bool:
        """Whether this is a pass of training."""
        return self._seed is not None

    def __call__(self, x: Any, rate: float) -> Any:
        """Returns a float32 tensor with some of it dropped."""
        drawn = self.draw(tf.shape(x), rate)
        return x if drawn is None else x * _kept(*drawn)

    def draw(self, shape: Any, rate: float) -> "tuple[Any, int] | None":
        """Draws a byte for each element.

        Args:
            shape: int32, of what some is to be dropped of.
            rate: The share to drop.

        Returns:
            uint8 of that shape, and the byte that must be reached to be kept;
            `None` if nothing is dropped.
        """
        least = round(256 * rate)
        if not self.is_on or not least:
            return None
        self._count += 1
        size = tf.reduce_prod(shape)
        bits = tf.random.stateless_uniform(
            [(size + 3) // 4],
            # The generator counts steps: each has its own 256 seeds.
            self._seed * tf.constant([1, 256], self._seed.dtype)
            + tf.constant([0, self._count], self._seed.dtype),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
        )
        drawn = tf.reshape(tf.bitcast(bits, tf.uint8), [-1])[:size]
        return tf.reshape(drawn, shape), least


def attended(q: Any, k: Any, v: Any, bias: Any, drawn: Any) -> Any:
    """Returns softmax(q k^T + bias), with dropout, times v.

    Args:
        q: `(batch_size, heads, queries, size)`.
        k: `(batch_size, heads, length, size)`.
        v: Likewise.
        bias: float32 `(batch_size, 1, 1, length)`.
        drawn: What `Dropout.draw` drew for the scores.
    """

    @tf.custom_gradient
    def attend(q: Any, k: Any, v: Any) -> Any:
        scores = tf.matmul(q, k, transpose_b=True)
        shares, dropped = _shares(scores, bias, drawn)
        context = tf.matmul(dropped, v)

        def gradient(d_context: Any) -> Any:
            # The shares' weighted mean of their gradient.
            mean = tf.reduce_sum(
                tf.cast(d_context, tf.float32) * tf.cast(context, tf.float32),
                -1,
                keepdims=True,
            )
            d_dropped = tf.matmul(d_context, v, transpose_b=True)
            d_scores = _shares_gradient(shares, drawn, d_dropped, mean)
            return (
                tf.matmul(d_scores, k),
                tf.matmul(d_scores, q, transpose_a=True),
                tf.matmul(dropped, d_context, transpose_a=True),
            )

        return context, gradient

    return attend(q, k, v)


@tf.custom_gradient
def expanded(x: Any, kernel: Any, bias: Any) -> Any:
    """Returns gelu(x kernel + bias), with GELU by the error function.

    Args:
        x: `(num_tokens, inputs)`.
        kernel: `(inputs, outputs)`.
        bias: `(outputs,)`.
    """
    product = tf.matmul(x, kernel)

    def gradient(d_y: Any) -> Any:
        d_product, d_bias = _gelu_gradient(product, bias, d_y)
        return (
            tf.matmul(d_product, kernel, transpose_b=True),
            tf.matmul(x, d_product, transpose_a=True),
            d_bias,
        )

    return _gelu(product, bias), gradient


def added(
    x: Any,
    product: Any,
    bias: Any,
    drawn: Any,
    gamma: Any,
    beta: Any,
    epsilon: float,
) -> tuple[Any, Any]:
    """Returns the layer norm of x + dropout(product + bias).

    Args:
        x: float32 `(num_tokens, hidden_dim)`.
        product: Likewise, of any precision.
        bias: float32 `(hidden_dim,)`.
        drawn: What `Dropout.draw` drew for the product.
        gamma: float32 `(hidden_dim,)`.
        beta: float32 `(hidden_dim,)`.
        epsilon: The norm's.

    Returns:
        It in float32, and in the product's precision, which the next product
        takes.
    """

    @tf.custom_gradient
    def add(x: Any, product: Any, bias: Any, gamma: Any, beta: Any) -> Any:
        outputs, unit, inverse = _normalized_sum(
            x, product, bias, drawn, gamma, beta, epsilon
        )

        def gradient(*d_outputs: Any) -> Any:
            return _normalized_sum_gradient(
                d_outputs, drawn, unit, inverse, gamma
            )

        return outputs, gradient

    outputs = add(x, product, bias, gamma, beta)
    return outputs[0], outputs[-1]


def compiles_parts() -> bool:
    """Whether XLA compiles the parts here: where there are CPUs only.

    It does so for each width of a batch, in a second or so on a CPU; a
    GPU's compiler takes many times that.
    """
    return all(
        device.device_type == "CPU"
        for device in tf.config.list_logical_devices()
    )


def _compiled(function: Any) -> Any:
    """Has XLA compile a function where that pays."""
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return (compiled if compiles_parts() else function)(*args)

    return call


def _kept(drawn: Any, least: int) -> Any:
    """Returns 0 for what is dropped, else what makes up for it."""
    scale = 256 / (256 - least)
    return tf.where(drawn >= tf.constant(least, tf.uint8), scale, 0.0)


@_compiled
def _shares(scores: Any, bias: Any, drawn: Any) -> tuple[Any, Any]:
    shares = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
    dropped = shares if drawn is None else shares * _kept(*drawn)
    return tf.cast(shares, scores.dtype), tf.cast(dropped, scores.dtype)


@_compiled
def _shares_gradient(shares: Any, drawn: Any, d_dropped: Any, mean: Any) -> Any:
    d_shares = tf.cast(d_dropped, tf.float32)
    if drawn is not None:
        d_shares *= _kept(*drawn)
    d_scores = tf.cast(shares, tf.float32) * (d_shares - mean)
    return tf.cast(d_scores, shares.dtype)


@_compiled
def _gelu(product: Any, bias: Any) -> Any:
    x = tf.cast(product, tf.float32) + tf.cast(bias, tf.float32)
    y = 0.5 * x * (1.0 + tf.math.erf(x * math.sqrt(0.5)))
    return tf.cast(y, product.dtype)


@_compiled
def _gelu_gradient(product: Any, bias: Any, d_y: Any) -> Any:
    """Returns the gradients of the product and the bias."""
    x = tf.cast(product, tf.float32) + tf.cast(bias, tf.float32)
    below = 0.5 * (1.0 + tf.math.erf(x * math.sqrt(0.5)))
    density = tf.exp(-0.5 * tf.square(x)) * (1 / math.sqrt(2 * math.pi))
    d_x = tf.cast(d_y, tf.float32) * (below + x * density)
    d_bias = tf.reduce_sum(d_x, 0)
    return tf.cast(d_x, product.dtype), tf.cast(d_bias, bias.dtype)


@_compiled
def _normalized_sum(
    x: Any,
    product: Any,
    bias: Any,
    drawn: Any,
    gamma: Any,
    beta: Any,
    epsilon: float,
) -> Any:
    """Returns the norm, twice, and what its gradient is made of."""
    more = tf.cast(product, tf.float32) + bias
    if drawn is not None:
        more *= _kept(*drawn)
    x += more
    x -= tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x), -1, keepdims=True)
    inverse = tf.math.rsqrt(variance + epsilon)
    unit = x * inverse
    y = unit * gamma + beta
    outputs = (
        (y,) if product.dtype == y.dtype else (y, tf.cast(y, product.dtype))
    )
    return outputs, unit, inverse


@_compiled
def _normalized_sum_gradient(
    d_outputs: Any, drawn: Any, unit: Any, inverse: Any, gamma: Any
) -> Any:
    """Returns the gradients of x, product, bias, gamma and beta."""
    d_y = tf.add_n([tf.cast(each, tf.float32) for each in d_outputs])
    d_unit = d_y * gamma
    d_x = inverse * (
        d_unit
        - tf.reduce_mean(d_unit, -1, keepdims=True)
        - unit * tf.reduce_mean(d_unit * unit, -1, keepdims=True)
    )
    d_more = d_x if drawn is None else d_x * _kept(*drawn)
    return (
        d_x,
        tf.cast(d_more, d_outputs[-1].dtype),
        tf.reduce_sum(d_more, 0),
        tf.reduce_sum(d_y * unit, 0),
        tf.reduce_sum(d_y, 0),
    )
