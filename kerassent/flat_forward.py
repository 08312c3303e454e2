"""The pass of an export through a DistilBERT: the tokens of all texts lie flat.

What `forward` computes, for texts of mixed lengths and without gradients of the
weights: padding takes part in nothing but the attention of short texts that
share a group, and the last layer, of which only [CLS] is read, has neither keys
nor values of its own. Made of TensorFlow's own ops; no text's answer depends on
the others' but by rounding.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.flat_weights import (
    FirstProjections,
    FlatWeights,
    Norm,
    Projections,
)
from kerassent.length_groups import Group, Texts, by_group, grouped, padded

# A text of so few tokens that is alone goes by kernels that take little time to
# begin: Eigen's, which float64 has, in place of oneDNN's of float32.
_SHORT_TOKENS = 64


class _Readings(NamedTuple):
    """One text, as many times as it is read in another way.

    Args:
        size: How many times.
        width: How many tokens it has.
        bias: float32 `(size, width)`, added to the scores that a token gets.
    """

    size: Any
    width: Any
    bias: Any


class _Short(NamedTuple):
    """One short text."""


# What there is to be read.
_Read = Texts | _Readings | _Short


class FlatForward:
    """Computes logits from tokens.

    Args:
        weights: The classifier's.

    Attributes:
        num_classes: The number of logits.
    """

    def __init__(self, weights: FlatWeights) -> None:
        self._weights = weights
        self._dtype = weights.dtype
        self._heads = weights.heads
        self._hidden = weights.hidden
        self._by_head = [-1, self._heads, self._hidden]
        # (heads, hidden): which of the hidden are a head's.
        self._parts = tf.repeat(
            tf.eye(self._heads, dtype=self._dtype),
            self._hidden // self._heads,
            axis=1,
        )
        self.num_classes = weights.num_classes

    def logits(self, tokens: tf.RaggedTensor) -> Any:
        """Returns the logits of texts, in a `tf.function`.

        A short text that is alone has products of its own: oneDNN keeps weights
        packed as a product's first call wants them, and packs them anew in each
        call that wants them otherwise, which is half the time of a short text.
        Both ways multiply by the same constants, which a `tf.cond` would hide
        from oneDNN.

        Args:
            tokens: int32 `(num_texts, None)`, each at least one token long.

        Returns:
            float32 `(num_texts, num_classes)`.
        """
        ids, splits = tokens.values, tf.cast(tokens.row_splits, tf.int32)
        is_short = (tf.size(splits) == 2) & (tf.size(ids) <= _SHORT_TOKENS)
        ids, short_ids = tf.raw_ops.Switch(data=ids, pred=is_short)
        splits, _ = tf.raw_ops.Switch(data=splits, pred=is_short)
        found, _ = tf.raw_ops.Merge(
            inputs=[
                self._logits_of_many(ids, splits),
                self._logits_of_short(short_ids),
            ]
        )
        return tf.ensure_shape(found, [None, self.num_classes])

    def _logits_of_short(self, token_ids: Any) -> Any:
        x = self._embedded(token_ids, tf.range(tf.size(token_ids)))
        return self._encoded(x, _Short())

    def _logits_of_many(self, token_ids: Any, splits: Any) -> Any:
        tokens = tf.RaggedTensor.from_row_splits(
            token_ids, tf.ensure_shape(splits, [None]), validate=False
        )
        lengths = tokens.row_lengths()
        order = tf.argsort(lengths, stable=True)
        tokens = tf.gather(tokens, order)
        texts = grouped(tf.gather(lengths, order))
        position = tf.ragged.range(texts.lengths).values
        found = self._encoded(self._embedded(tokens.values, position), texts)
        return tf.gather(found, tf.math.invert_permutation(order))

    def logits_by_reading(self, token_ids: Any, bias: Any) -> Any:
        """Returns the logits of one text, read in several ways.

        Attention gives a token a share of exp(score); here a bias is added to
        the score, for all who read that token, in all layers. There are
        gradients for it.

        Args:
            token_ids: int32 `(num_tokens,)`.
            bias: float32 `(num_readings, num_tokens)`.

        Returns:
            float32 `(num_readings, num_classes)`.
        """
        size, width = tf.unstack(tf.shape(bias))
        x = self._embedded(token_ids, tf.range(width))
        return self._encoded(
            tf.tile(x, [size, 1]), _Readings(size, width, bias)
        )

    def _embedded(self, token_ids: Any, position: Any) -> Any:
        rows = tf.gather(self._weights.token_table, token_ids)
        x = tf.cast(rows, tf.float32)
        x += tf.gather(self._weights.position_table, position)
        return _normalized(x, self._weights.embeddings_norm)

    def _encoded(self, x: Any, texts: _Read) -> Any:
        if isinstance(texts, _Short):
            firsts = [0]
        elif isinstance(texts, Texts):
            firsts = texts.splits[:-1]
        else:
            firsts = tf.range(texts.size) * texts.width
        for layer in self._weights.layers:
            read = self._as_product(x)
            if isinstance(layer.attention, FirstProjections):
                context = self._first_context(
                    layer.attention, read, firsts, texts
                )
                x = tf.gather(x, firsts)
            else:
                context = self._context(layer.attention, read, texts)
            product = tf.matmul(context, layer.output_kernel)
            x = _added(x, product, layer.output_bias, layer.attention_norm)
            inner = tf.matmul(self._as_product(x), layer.inner_kernel)
            # TensorFlow makes one kernel of the three where it can.
            inner = tf.nn.bias_add(inner, layer.inner_bias)
            inner = tf.nn.gelu(inner, approximate=False)
            product = tf.matmul(inner, layer.outer_kernel)
            x = _added(x, product, layer.outer_bias, layer.feed_forward_norm)
        for kernel, bias, activation in self._weights.head:
            x = activation(tf.nn.bias_add(tf.matmul(x, kernel), bias))
        return x

    def _context(self, layer: Projections, x: Any, texts: _Read) -> Any:
        """Returns what attention reads, `(num_tokens, hidden)`."""
        projected = tf.nn.bias_add(tf.matmul(x, layer.kernel), layer.bias)
        if isinstance(texts, _Readings):
            bias = texts.bias[:, tf.newaxis, tf.newaxis, :]
            return self._attended(projected, texts.size, texts.width, bias)
        if isinstance(texts, _Short):
            return self._short_context(projected)

        def alone(group: Group) -> Any:
            return self._attended(
                projected[group.begin : group.end],
                1,
                group.end - group.begin,
                None,
            )

        def together(group: Group, texts: Texts) -> Any:
            tokens, inside, bias = padded(texts, group)
            context = self._attended(
                tf.gather(projected, tf.reshape(tokens, [-1])),
                tf.shape(tokens)[0],
                tf.shape(tokens)[1],
                bias[:, tf.newaxis, tf.newaxis, :],
            )
            return tf.boolean_mask(context, tf.reshape(inside, [-1]))

        shape = [None, self._hidden]
        return by_group(texts, alone, together, x.dtype, shape)

    def _short_context(self, projected: Any) -> Any:
        heads = tf.split(tf.cast(projected, tf.float64), 3 * self._heads, 1)
        q, k, v = (
            tf.stack(heads[i * self._heads : (i + 1) * self._heads])
            for i in range(3)
        )
        context = self._read(q, k, v, None)
        context = tf.concat(tf.unstack(context, self._heads), 1)
        return tf.cast(context, projected.dtype)

    def _attended(
        self, projected: Any, size: Any, width: Any, bias: Any
    ) -> Any:
        """Returns the contexts of texts that are equally wide.

        Args:
            projected: `(size * width, 3 * hidden)`.
            size: How many texts.
            width: How many tokens each has.
            bias: float32 `(size, 1, 1, width)`, or `None` without padding.
        """
        shape = [size, width, 3, self._heads, self._hidden // self._heads]
        by_head = tf.transpose(tf.reshape(projected, shape), [2, 0, 3, 1, 4])
        q, k, v = tf.unstack(by_head)
        context = tf.transpose(self._read(q, k, v, bias), [0, 2, 1, 3])
        return tf.reshape(context, [size * width, self._hidden])

    def _first_context(
        self,
        layer: FirstProjections,
        x: Any,
        firsts: Any,
        texts: _Read,
    ) -> Any:
        """Returns what each text's [CLS] reads, `(num_texts, hidden)`."""
        cls = tf.gather(x, firsts)
        q = tf.nn.bias_add(tf.matmul(cls, layer.query_kernel), layer.query_bias)
        # Each head's part of a query or value, with zeros in the others' place.
        q = tf.reshape(q[:, tf.newaxis] * self._parts, [-1, self._hidden])
        # What a token's vector is multiplied by.
        of_heads = tf.matmul(q, layer.key_kernel)
        q = tf.reshape(of_heads, self._by_head)

        def alone(group: Group) -> Any:
            tokens = x[tf.newaxis, group.begin : group.end]
            return self._read(q[group.first : group.last], tokens, tokens, None)

        def together(group: Group, texts: Texts) -> Any:
            place, _, bias = padded(texts, group)
            tokens = tf.gather(x, place)
            return self._read(
                q[group.first : group.last],
                tokens,
                tokens,
                bias[:, tf.newaxis, :],
            )

        if isinstance(texts, _Short):
            mixed = self._read(of_heads, x, x, None)
        elif isinstance(texts, _Readings):
            tokens = tf.reshape(x, [texts.size, texts.width, self._hidden])
            bias = texts.bias[:, tf.newaxis, :]
            mixed = self._read(q, tokens, tokens, bias)
        else:
            mixed = by_group(
                texts, alone, together, x.dtype, [None, *q.shape[1:]]
            )
        context = tf.matmul(
            tf.reshape(mixed, [-1, self._hidden]), layer.value_kernel
        )
        context = tf.reshape(context, self._by_head) * self._parts
        return tf.nn.bias_add(tf.reduce_sum(context, 1), layer.value_bias)

    def _read(self, q: Any, k: Any, v: Any, bias: Any) -> Any:
        scores = tf.matmul(q, k, transpose_b=True)
        if scores.dtype.size < tf.float32.size:
            scores = tf.cast(scores, tf.float32)
        if bias is not None:
            scores += bias
        return tf.matmul(tf.cast(tf.nn.softmax(scores), v.dtype), v)

    def _as_product(self, x: Any) -> Any:
        return x if x.dtype == self._dtype else tf.cast(x, self._dtype)


def _added(x: Any, product: Any, bias: Any, norm: Norm) -> Any:
    product = tf.nn.bias_add(tf.cast(product, tf.float32), bias)
    return _normalized(x + product, norm)


def _normalized(x: Any, norm: Norm) -> Any:
    # Along axis 1 in place of -1 TensorFlow makes one kernel of this, which is
    # slow to begin: batches gain 6 % by it, a short text loses 1.5 ms of 3.8.
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, True)
    factor = tf.math.rsqrt(variance + norm.epsilon) * norm.gamma
    return x * factor + (norm.beta - mean * factor)
