"""The pass of an export through a DistilBERT: the tokens of all texts lie flat.

What `forward` computes, for texts of mixed lengths and without gradients of the
weights: padding takes part in nothing but the attention of short texts that
share a group, and the last layer, of which only [CLS] is read, has neither keys
nor values of its own. Made of TensorFlow's own ops; no text's answer depends on
the others' but by rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.flat_weights import (
    FirstProjections,
    FlatWeights,
    Norm,
    Projections,
)
from kerassent.forward import NEVER

# Texts are sorted by length, and so many tokens of neighbours attend in one
# step; a text that is longer is alone in its step, which needs no padding.
# Measured by tools/bench/export.py: 128 to 512 are about alike.
_GROUP_TOKENS = 256

# Attention of one group has too little work for all cores.
_PARALLEL_GROUPS = 4

# A text of so few tokens that is alone goes by kernels that take little time to
# begin: Eigen's, which float64 has, in place of oneDNN's of float32.
_SHORT_TOKENS = 64


class _Texts(NamedTuple):
    """Where texts are in the flat tokens, shortest first.

    Args:
        lengths: int32 `(num_texts,)`, ascending.
        splits: int32 `(num_texts + 1,)`, where each begins.
        groups: int32 `(num_groups + 1,)`, the first text of each group.
        is_short: bool `()`, whether there is one text, and it is short.
    """

    lengths: Any
    splits: Any
    groups: Any
    is_short: Any


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


class _Group(NamedTuple):
    """The texts from `first` to before `last`, tokens `begin` to `end`."""

    first: Any
    last: Any
    begin: Any
    end: Any


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
        """Returns the logits of texts.

        Args:
            tokens: int32 `(num_texts, None)`, each at least one token long.

        Returns:
            float32 `(num_texts, num_classes)`.
        """
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        order = tf.argsort(lengths, stable=True)
        tokens = tf.gather(tokens, order)
        texts = _grouped(tf.gather(lengths, order))
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

    def _encoded(self, x: Any, texts: _Texts | _Readings) -> Any:
        firsts = (
            texts.splits[:-1]
            if isinstance(texts, _Texts)
            else tf.range(texts.size) * texts.width
        )
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

    def _context(
        self, layer: Projections, x: Any, texts: _Texts | _Readings
    ) -> Any:
        """Returns what attention reads, `(num_tokens, hidden)`."""
        projected = tf.nn.bias_add(tf.matmul(x, layer.kernel), layer.bias)
        if isinstance(texts, _Readings):
            bias = texts.bias[:, tf.newaxis, tf.newaxis, :]
            return self._attended(projected, texts.size, texts.width, bias)

        def alone(group: _Group) -> Any:
            return self._attended(
                projected[group.begin : group.end],
                1,
                group.end - group.begin,
                None,
            )

        def together(group: _Group, texts: _Texts) -> Any:
            tokens, inside, bias = _padded(texts, group)
            context = self._attended(
                tf.gather(projected, tf.reshape(tokens, [-1])),
                tf.shape(tokens)[0],
                tf.shape(tokens)[1],
                bias[:, tf.newaxis, tf.newaxis, :],
            )
            return tf.boolean_mask(context, tf.reshape(inside, [-1]))

        def one() -> Any:
            heads = tf.split(tf.cast(projected, tf.float64), 3 * self._heads, 1)
            q, k, v = (
                tf.stack(heads[i * self._heads : (i + 1) * self._heads])
                for i in range(3)
            )
            context = self._read(q, k, v, None)
            context = tf.concat(tf.unstack(context, self._heads), 1)
            return tf.cast(context, x.dtype)

        shape = [None, self._hidden]
        return tf.cond(
            texts.is_short,
            one,
            lambda: _by_group(texts, alone, together, x.dtype, shape),
        )

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
        texts: _Texts | _Readings,
    ) -> Any:
        """Returns what each text's [CLS] reads, `(num_texts, hidden)`."""
        cls = tf.gather(x, firsts)
        q = tf.nn.bias_add(tf.matmul(cls, layer.query_kernel), layer.query_bias)
        # Each head's part of a query or value, with zeros in the others' place.
        q = tf.reshape(q[:, tf.newaxis] * self._parts, [-1, self._hidden])
        # What a token's vector is multiplied by.
        of_heads = tf.matmul(q, layer.key_kernel)
        q = tf.reshape(of_heads, self._by_head)

        def alone(group: _Group) -> Any:
            tokens = x[tf.newaxis, group.begin : group.end]
            return self._read(q[group.first : group.last], tokens, tokens, None)

        def together(group: _Group, texts: _Texts) -> Any:
            place, _, bias = _padded(texts, group)
            tokens = tf.gather(x, place)
            return self._read(
                q[group.first : group.last],
                tokens,
                tokens,
                bias[:, tf.newaxis, :],
            )

        def one() -> Any:
            return tf.reshape(self._read(of_heads, x, x, None), self._by_head)

        if isinstance(texts, _Readings):
            tokens = tf.reshape(x, [texts.size, texts.width, self._hidden])
            bias = texts.bias[:, tf.newaxis, :]
            mixed = self._read(q, tokens, tokens, bias)
        else:
            mixed = tf.cond(
                texts.is_short,
                one,
                lambda: _by_group(
                    texts, alone, together, x.dtype, [None, *q.shape[1:]]
                ),
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


def _grouped(lengths: Any) -> _Texts:
    splits = tf.concat([[0], tf.cumsum(lengths)], 0)
    _, _, sizes = tf.unique_with_counts(splits[:-1] // _GROUP_TOKENS)
    groups = tf.concat([[0], tf.cumsum(sizes)], 0)
    is_short = (tf.size(lengths) == 1) & (splits[-1] <= _SHORT_TOKENS)
    return _Texts(lengths, splits, groups, is_short)


def _by_group(
    texts: _Texts,
    alone: Callable[[_Group], Any],
    together: Callable[[_Group, _Texts], Any],
    dtype: Any,
    shape: list[int | None],
) -> Any:
    """Returns what each group comes to, one after the other.

    Args:
        texts: Where they are.
        alone: What is done for a group of one text, which needs no padding.
        together: What is done for another.
        dtype: What both return.
        shape: Its shape.
    """
    num_groups = tf.size(texts.groups) - 1
    results = tf.TensorArray(
        dtype, num_groups, element_shape=shape, infer_shape=False
    )

    def step(i: Any, results: Any) -> Any:
        first, last = texts.groups[i], texts.groups[i + 1]
        group = _Group(first, last, texts.splits[first], texts.splits[last])
        result = tf.cond(
            last - first < 2,
            lambda: alone(group),
            lambda: together(group, texts),
        )
        return i + 1, results.write(i, result)

    _, results = tf.while_loop(
        lambda i, _: i < num_groups,
        step,
        (0, results),
        parallel_iterations=_PARALLEL_GROUPS,
    )
    return results.concat()


def _padded(texts: _Texts, group: _Group) -> tuple[Any, Any, Any]:
    """Returns a group's tokens as rows, as wide as the longest.

    Returns:
        Which token it is; whether it is one and not padding; 0 or, for
        padding, what keeps softmax from it: `(num_texts, width)` each.
    """
    lengths = texts.lengths[group.first : group.last]
    position = tf.range(lengths[-1])
    inside = position < lengths[:, tf.newaxis]
    begins = texts.splits[group.first : group.last, tf.newaxis]
    tokens = tf.minimum(begins + position, group.end - 1)
    return tokens, inside, tf.where(inside, 0.0, NEVER)


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
