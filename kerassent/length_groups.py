"""Which texts attend together: neighbours in the order of length.

Made of TensorFlow's own ops, for the graph of an export.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.forward import NEVER

# Texts are sorted by length, and so many tokens of neighbours attend in one
# step; a text that is longer is alone in its step, which needs no padding.
# Measured by tools/bench/export.py: 128 to 512 are about alike.
_GROUP_TOKENS = 256

# Attention of one group has too little work for all cores.
_PARALLEL_GROUPS = 4


class Texts(NamedTuple):
    """Where texts are in the flat tokens, shortest first.

    Args:
        lengths: int32 `(num_texts,)`, ascending.
        splits: int32 `(num_texts + 1,)`, where each begins.
        groups: int32 `(num_groups + 1,)`, the first text of each group.
    """

    lengths: Any
    splits: Any
    groups: Any


class Group(NamedTuple):
    """The texts from `first` to before `last`, tokens `begin` to `end`."""

    first: Any
    last: Any
    begin: Any
    end: Any


def grouped(lengths: Any) -> Texts:
    """Returns texts in groups of neighbours.

    Args:
        lengths: How many tokens each has, int32 `(num_texts,)`, ascending.
    """
    splits = tf.concat([[0], tf.cumsum(lengths)], 0)
    _, _, sizes = tf.unique_with_counts(splits[:-1] // _GROUP_TOKENS)
    groups = tf.concat([[0], tf.cumsum(sizes)], 0)
    return Texts(lengths, splits, groups)


def by_group(
    texts: Texts,
    alone: Callable[[Group], Any],
    together: Callable[[Group, Texts], Any],
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
        group = Group(first, last, texts.splits[first], texts.splits[last])
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


def padded(texts: Texts, group: Group) -> tuple[Any, Any, Any]:
    """Returns a group's tokens as rows, as wide as the longest.

    Args:
        texts: Where they are.
        group: The group.

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
