"""One lean pass through a DistilBERT's weights; same mathematics, less work.

keras-nlp's layers project queries, keys and values one by one and compute a
last layer of which only [CLS] is read. Here the three projections are one
product, and the last layer is [CLS]'s alone. In training the rest is
`training_ops`; what is exported is made of TensorFlow's own ops.
"""

import math
from typing import Any, Literal

import tensorflow as tf

from kerassent import training_ops

Precision = Literal["float32", "bfloat16", "float16"]

# Added to the scores of padding; exp() of it is 0 in float32 and bfloat16.
NEVER = -1e9


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
    drop = training_ops.Dropout(seed)
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
    bias = (1.0 - mask[:, tf.newaxis, tf.newaxis, :]) * NEVER
    # Each layer takes and gives it in float32 and in `dtype`.
    pair = x, tf.cast(x, dtype)
    for layer in backbone.transformer_layers:
        is_last = layer is backbone.transformer_layers[-1]
        attention = layer._self_attention_layer
        context = _context(
            attention, pair[1], bias, (batch_size, length), drop, is_last
        )
        if is_last:
            pair = tuple(
                tf.reshape(each, [batch_size, length, hidden])[:, 0]
                for each in pair
            )
        kernel = tf.reshape(
            _value(attention._output_dense.kernel), [hidden, hidden]
        )
        pair = _added(
            pair[0],
            tf.matmul(context, _as(kernel, dtype)),
            attention._output_dense,
            layer._self_attention_dropout,
            layer._self_attention_layer_norm,
            drop,
        )
        pair = _added(
            pair[0],
            _feed_forward(layer, pair[1], drop),
            layer._feedforward_output_dense,
            layer._feedforward_dropout,
            layer._feedforward_layer_norm,
            drop,
        )
    x = classifier.pooled_dense.activation(
        _dense(pair[0], classifier.pooled_dense)
    )
    x = drop(x, classifier.output_dropout.rate)
    return classifier.output_dense.activation(
        _dense(x, classifier.output_dense)
    )


def _context(
    attention: Any,
    x: Any,
    bias: Any,
    shape: tuple[Any, Any],
    drop: training_ops.Dropout,
    first_only: bool,
) -> Any:
    """Returns what attention reads, of all tokens or of each text's first."""
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

    def by_head(x: Any, length: Any, first: int, last: int) -> Any:
        """Returns (batch_size, heads, length, size) of projections."""
        made = tf.matmul(x, _as(tf.concat(kernels[first:last], 1), x.dtype))
        made += _as(tf.concat(biases[first:last], 0), x.dtype)
        split = tf.reshape(
            made, [batch_size, length, last - first, heads, size]
        )
        return tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))

    if first_only:
        first = tf.reshape(x, [batch_size, length, hidden])[:, 0]
        [q] = by_head(first, 1, 0, 1)
        k, v = by_head(x, length, 1, 3)
    else:
        q, k, v = by_head(x, length, 0, 3)
    if drop.is_on:
        scores = tf.stack([*tf.unstack(tf.shape(q)[:-1]), length])
        drawn = drop.draw(scores, attention._dropout)
        context = training_ops.attended(q, k, v, bias, drawn)
    else:
        scores = tf.cast(tf.matmul(q, k, transpose_b=True), tf.float32)
        shares = tf.cast(tf.nn.softmax(scores + bias), x.dtype)
        context = tf.matmul(shares, v)
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, hidden])


def _feed_forward(layer: Any, x: Any, drop: training_ops.Dropout) -> Any:
    """Returns the feed-forward part without its last bias."""
    inner = layer._feedforward_intermediate_dense
    kernel = _as(_value(inner.kernel), x.dtype)
    bias = _as(_value(inner.bias), x.dtype)
    if drop.is_on:
        x = training_ops.expanded(x, kernel, bias)
    else:  # TensorFlow makes one kernel of the three where it can.
        x = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        x = tf.nn.gelu(x, approximate=False)
    outer = layer._feedforward_output_dense
    return tf.matmul(x, _as(_value(outer.kernel), x.dtype))


def _added(
    x: Any,
    product: Any,
    dense: Any,
    dropout: Any,
    norm: Any,
    drop: training_ops.Dropout,
) -> Any:
    """Returns norm(x + dropout(product + bias)), and in the product's dtype."""
    bias = _value(dense.bias)
    if not drop.is_on:
        x = _normalized(x + (tf.cast(product, tf.float32) + bias), norm)
        return x, tf.cast(x, product.dtype)
    return training_ops.added(
        x,
        product,
        bias,
        drop.draw(tf.shape(x), dropout.rate),
        _value(norm.gamma),
        _value(norm.beta),
        norm.epsilon,
    )


def _dense(x: Any, dense: Any) -> Any:
    return tf.matmul(x, _value(dense.kernel)) + _value(dense.bias)


def _normalized(x: Any, norm: Any) -> Any:
    centered = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), -1, keepdims=True)
    unit = centered * tf.math.rsqrt(variance + norm.epsilon)
    return unit * _value(norm.gamma) + _value(norm.beta)


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
