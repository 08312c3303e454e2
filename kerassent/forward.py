"""One lean pass through a DistilBERT's weights; same mathematics, less work.

keras-nlp's layers project queries, keys and values one by one, compute a last
layer of which only [CLS] is read, and differentiate softmax, GELU and layer
normalization step by step. Here the three projections are one product, the
last layer is [CLS]'s alone, and gradients are written out.
"""

import math
from typing import Any, Literal

import tensorflow as tf

Precision = Literal["float32", "bfloat16", "float16"]

# Added to the scores of padding; exp() of it is 0 in float32 and bfloat16.
_NEVER = -1e9


def logits(
    classifier: Any,
    token_ids: Any,
    padding_mask: Any,
    *,
    seed: Any = None,
    precision: Precision = "float32",
) -> Any:
    """Returns what a DistilBERT text classifier's layers would.

    Args:
        classifier: A `keras_nlp.models.DistilBertTextClassifier`.
        token_ids: int32 `(batch_size, length)`.
        padding_mask: int32 or bool `(batch_size, length)`.
        seed: int32 or int64 `(2,)`: makes the pass one of training, with
            dropout drawn from it. `None` drops nothing.
        precision: What matrix products are computed in. Sums, normalization,
            softmax and GELU are float32 in any case.

    Returns:
        float32 `(batch_size, num_classes)`.
    """
    backbone = classifier.backbone
    dtype = tf.as_dtype(precision)
    drop = _Dropout(seed)
    batch_size, length = tf.unstack(tf.shape(token_ids))
    hidden = backbone.hidden_dim
    # (num_tokens, hidden_dim) but in attention itself.
    x = tf.gather(
        _summed_in_gradient(_value(backbone.token_embedding.embeddings)),
        tf.reshape(token_ids, [-1]),
    )
    positions = _value(
        backbone.embeddings.position_embedding.position_embeddings
    )
    x = tf.reshape(x, [batch_size, length, hidden]) + positions[:length]
    x = tf.reshape(x, [-1, hidden])
    x = _normalized(x, backbone.embeddings_layer_norm)
    x = drop(x, backbone.embeddings_dropout.rate)
    mask = tf.cast(padding_mask, tf.float32)
    bias = (1.0 - mask[:, tf.newaxis, tf.newaxis, :]) * _NEVER
    for layer in backbone.transformer_layers:
        is_last = layer is backbone.transformer_layers[-1]
        attended, x = _attention(
            layer,
            x,
            bias,
            (batch_size, length),
            drop,
            dtype,
            first_only=is_last,
        )
        x = _normalized(x + attended, layer._self_attention_layer_norm)
        x = _normalized(
            x + _feed_forward(layer, x, drop, dtype),
            layer._feedforward_layer_norm,
        )
    x = classifier.pooled_dense.activation(
        _dense(x, classifier.pooled_dense, tf.float32)
    )
    x = drop(x, classifier.output_dropout.rate)
    return classifier.output_dense.activation(
        _dense(x, classifier.output_dense, tf.float32)
    )


def _attention(
    layer: Any,
    x: Any,
    bias: Any,
    shape: tuple[Any, Any],
    drop: "_Dropout",
    dtype: Any,
    *,
    first_only: bool,
) -> tuple[Any, Any]:
    """Returns what attention adds, and the tokens that it is added to."""
    attention = layer._self_attention_layer
    hidden = x.shape[-1]
    heads, size = attention.num_heads, hidden // attention.num_heads
    projections = [
        (_value(dense.kernel), _value(dense.bias))
        for dense in (
            attention._query_dense,
            attention._key_dense,
            attention._value_dense,
        )
    ]
    # The scale of the scores is folded into the queries' weights.
    scale = 1.0 / math.sqrt(size)
    kernels = [
        tf.reshape(kernel, [hidden, hidden]) for kernel, _ in projections
    ]
    biases = [tf.reshape(each, [hidden]) for _, each in projections]
    kernels[0], biases[0] = kernels[0] * scale, biases[0] * scale

    # Spelled out, since -1 means nothing in an empty batch.
    batch_size, length = shape

    def by_head(flat: Any, length: Any, parts: int) -> Any:
        """Returns (batch_size, heads, length, size) for each part."""
        split = tf.reshape(flat, [batch_size, length, parts, heads, size])
        return tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))

    if first_only:
        first = tf.reshape(x, [batch_size, length, hidden])[:, 0]
        [q] = by_head(
            _product(first, kernels[0], dtype) + _as(biases[0], dtype), 1, 1
        )
        k, v = by_head(
            _product(x, tf.concat(kernels[1:], 1), dtype)
            + _as(tf.concat(biases[1:], 0), dtype),
            length,
            2,
        )
        x = first
    else:
        q, k, v = by_head(
            _product(x, tf.concat(kernels, 1), dtype)
            + _as(tf.concat(biases, 0), dtype),
            length,
            3,
        )
    rate = attention._dropout if drop.is_on else 0.0
    context = _attended(q, k, v, bias, drop, rate)
    context = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, hidden])
    kernel = tf.reshape(
        _value(attention._output_dense.kernel), [hidden, hidden]
    )
    out = _product(context, kernel, dtype)
    out = tf.cast(out, tf.float32) + _value(attention._output_dense.bias)
    return drop(out, layer._self_attention_dropout.rate), x


def _attended(
    q: Any, k: Any, v: Any, bias: Any, drop: "_Dropout", rate: float
) -> Any:
    """Returns softmax(q k^T + bias), with dropout, times v."""
    dtype = q.dtype
    kept = None
    if rate:
        shape = tf.concat([tf.shape(q)[:-1], tf.shape(k)[2:3]], 0)
        kept = drop.mask(shape, rate)

    @tf.custom_gradient
    def attend(q: Any, k: Any, v: Any) -> Any:
        scores = tf.cast(tf.matmul(q, k, transpose_b=True), tf.float32)
        shares = tf.nn.softmax(scores + bias)
        dropped = tf.cast(shares if kept is None else shares * kept, dtype)
        context = tf.matmul(dropped, v)

        def gradient(d_context: Any) -> Any:
            d_v = tf.matmul(dropped, d_context, transpose_a=True)
            d_shares = tf.cast(
                tf.matmul(d_context, v, transpose_b=True), tf.float32
            )
            if kept is not None:
                d_shares *= kept
            # The shares' weighted mean of d_shares.
            mean = tf.reduce_sum(
                tf.cast(d_context, tf.float32) * tf.cast(context, tf.float32),
                -1,
                keepdims=True,
            )
            d_scores = tf.cast(shares * (d_shares - mean), dtype)
            d_q = tf.matmul(d_scores, k)
            d_k = tf.matmul(d_scores, q, transpose_a=True)
            return d_q, d_k, d_v

        return context, gradient

    return attend(q, k, v)


def _feed_forward(layer: Any, x: Any, drop: "_Dropout", dtype: Any) -> Any:
    inner = layer._feedforward_intermediate_dense
    expand = _expanded_in_training if drop.is_on else _expanded
    x = expand(
        _as(x, dtype),
        _as(_value(inner.kernel), dtype),
        _as(_value(inner.bias), dtype),
    )
    x = _dense(x, layer._feedforward_output_dense, dtype)
    return drop(x, layer._feedforward_dropout.rate)


def _expanded(x: Any, kernel: Any, bias: Any) -> Any:
    """Returns gelu(x kernel + bias), with GELU by the error function.

    TensorFlow makes one kernel of the three where it can.
    """
    inner = tf.nn.bias_add(tf.matmul(x, kernel), bias)
    return tf.nn.gelu(inner, approximate=False)


@tf.custom_gradient
def _expanded_in_training(x: Any, kernel: Any, bias: Any) -> Any:
    """Returns the same, with a gradient that passes over memory once."""
    product = tf.matmul(x, kernel)

    def gradient(d_y: Any) -> Any:
        d_product, d_bias = _gelu_gradient(product, bias, d_y)
        return (
            tf.matmul(d_product, kernel, transpose_b=True),
            tf.matmul(x, d_product, transpose_a=True),
            d_bias,
        )

    return _gelu(product, bias), gradient


# TensorFlow takes five passes over memory for the first and nine for the
# second, XLA one for each. It compiles them for each number of tokens.
@tf.function(jit_compile=True, autograph=False)
def _gelu(product: Any, bias: Any) -> Any:
    x = tf.cast(product, tf.float32) + tf.cast(bias, tf.float32)
    y = 0.5 * x * (1.0 + tf.math.erf(x * math.sqrt(0.5)))
    return tf.cast(y, product.dtype)


@tf.function(jit_compile=True, autograph=False)
def _gelu_gradient(product: Any, bias: Any, d_y: Any) -> Any:
    """Returns the gradients of the product and the bias."""
    x = tf.cast(product, tf.float32) + tf.cast(bias, tf.float32)
    below = 0.5 * (1.0 + tf.math.erf(x * math.sqrt(0.5)))
    density = tf.exp(-0.5 * tf.square(x)) * (1 / math.sqrt(2 * math.pi))
    d_x = tf.cast(d_y, tf.float32) * (below + x * density)
    d_bias = tf.reduce_sum(d_x, 0)
    return tf.cast(d_x, product.dtype), tf.cast(d_bias, bias.dtype)


def _dense(x: Any, dense: Any, dtype: Any) -> Any:
    product = _product(x, _value(dense.kernel), dtype)
    return tf.cast(product, tf.float32) + _value(dense.bias)


def _product(x: Any, kernel: Any, dtype: Any) -> Any:
    return tf.matmul(_as(x, dtype), _as(kernel, dtype))


def _normalized(x: Any, norm: Any) -> Any:
    epsilon = norm.epsilon

    @tf.custom_gradient
    def normalize(x: Any, gamma: Any, beta: Any) -> Any:
        centered = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), -1, keepdims=True)
        inverse = tf.math.rsqrt(variance + epsilon)
        unit = centered * inverse

        def gradient(d_y: Any) -> Any:
            d_unit = d_y * gamma
            d_x = inverse * (
                d_unit
                - tf.reduce_mean(d_unit, -1, keepdims=True)
                - unit * tf.reduce_mean(d_unit * unit, -1, keepdims=True)
            )
            return d_x, tf.reduce_sum(d_y * unit, 0), tf.reduce_sum(d_y, 0)

        return unit * gamma + beta, gradient

    return normalize(x, _value(norm.gamma), _value(norm.beta))


class _Dropout:
    """Draws dropout's masks, each from a seed of its own.

    A random byte decides, so that a rate is rounded to 1/256; what is kept is
    scaled by just what is lost. 32 random bits are four decisions, not one.
    """

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self._count = 0

    @property
    def is_on(self) -> bool:
        return self._seed is not None

    def __call__(self, x: Any, rate: float) -> Any:
        if not self.is_on or not rate:
            return x
        return x * self.mask(tf.shape(x), rate)

    def mask(self, shape: Any, rate: float) -> Any:
        """Returns float32 of a shape: 0 for what is dropped."""
        self._count += 1
        dropped = round(256 * rate)
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
        chances = tf.reshape(tf.bitcast(bits, tf.uint8), [-1])[:size]
        kept = tf.cast(tf.reshape(chances, shape) >= dropped, tf.float32)
        return kept * (256 / (256 - dropped))


@tf.custom_gradient
def _summed_in_gradient(table: Any) -> Any:
    """Returns a table, whose gradient adds up what a row gets.

    Left apart, Keras squares each and adds the squares, in Adam and for the
    norm that is clipped; and several devices cannot add up slices whose number
    changes from step to step.
    """
    return tf.identity(table), tf.convert_to_tensor


def _as(x: Any, dtype: Any) -> Any:
    return x if x.dtype == dtype else tf.cast(x, dtype)


def _value(variable: Any) -> Any:
    return tf.convert_to_tensor(variable.value)
