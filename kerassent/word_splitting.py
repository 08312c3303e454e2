"""Any bytes to BERT's words, in the graph, by tables and core ops alone."""

from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.characters import (
    BLOCK_BITS,
    DELETED,
    EXPANDED,
    ISOLATED,
    KIND_BITS,
    MARK,
    SPACE,
    character_table,
)

_KIND_MASK = (1 << KIND_BITS) - 1
_BLOCK_MASK = (1 << BLOCK_BITS) - 1
_NUM_CLASSES = 256  # of canonical combining classes


class Words(NamedTuple):
    """The words of a batch of texts, normalized, one after the other.

    Args:
        words: string `(num_words,)`, UTF-8.
        row_splits: int64 `(batch_size + 1,)`, where each text's words begin.
        chars: int32 `(num_chars,)`, the words' code points.
        char_splits: int64 `(num_words + 1,)`, where each word's begin.
        origins: int32 `(num_chars,)`, which of the batch's characters, as
            `tf.strings.unicode_decode` counts them, a code point comes from.
    """

    words: Any
    row_splits: Any
    chars: Any
    char_splits: Any
    origins: Any


class WordSplitter:
    """Normalizes and splits texts as BERT's pipeline does.

    Control characters and what is not UTF-8 go, spaces of all kinds separate,
    punctuation and ideographs are words of their own, and case and accents are
    folded.

    Args:
        lowercase: Whether text is lower-cased.
        strip_accents: Whether it loses its accents.
    """

    def __init__(self, *, lowercase: bool, strip_accents: bool) -> None:
        table = character_table(
            lowercase=lowercase, strip_accents=strip_accents
        )
        # Eager constants, which a traced function captures.
        with tf.init_scope():
            self._block_of = tf.constant(table.block_of)
            self._blocks = tf.constant(table.blocks.ravel())
            self._expansions = tf.constant(table.expansions)
            self._expansion_splits = tf.constant(table.expansion_splits)
            self._marks = tf.constant(table.marks)
            self._mark_classes = tf.constant(table.mark_classes)
            self._transparent = tf.constant(table.transparent)
        self._can_expand = len(table.expansions) > 0
        self._has_marks = len(table.marks) > 0

    def __call__(self, chars: tf.RaggedTensor) -> Words:
        """Returns the words of texts.

        Args:
            chars: int32 `(batch_size, None)`, their code points. U+FFFD is
                deleted, so what is not UTF-8 may be decoded to that.
        """
        block = tf.gather(self._block_of, _shifted(chars.values, BLOCK_BITS))
        entries = tf.gather(
            self._blocks,
            tf.bitwise.left_shift(block, BLOCK_BITS)
            + tf.bitwise.bitwise_and(chars.values, _BLOCK_MASK),
        )
        # An entry's distance becomes the character, its kind stays.
        entries += tf.bitwise.left_shift(chars.values, KIND_BITS)
        origins, entries = self._expanded(entries)
        if self._has_marks:
            origins, entries = tf.cond(
                tf.reduce_any(_kind(entries) == MARK),
                lambda: self._in_canonical_order(origins, entries, chars),
                lambda: (origins, entries),
            )
        # Where rows begin, now that characters have gone and come.
        row_splits = tf.searchsorted(
            origins, tf.cast(chars.row_splits, tf.int32), out_type=tf.int64
        )
        return _split(entries, row_splits, origins)

    def _expanded(self, entries: Any) -> Any:
        """Returns what is left and, before it, which character it is from."""
        kinds = _kind(entries)
        origins = tf.range(tf.size(entries))

        def without_deleted() -> tuple[Any, Any]:
            kept = tf.where(kinds != DELETED)[:, 0]
            return tf.cast(kept, tf.int32), tf.gather(entries, kept)

        def with_expansions() -> tuple[Any, Any]:
            which = tf.where(kinds == EXPANDED, _shifted(entries, KIND_BITS), 0)
            first = tf.gather(self._expansion_splits, which)
            length = tf.gather(self._expansion_splits, which + 1) - first
            length = tf.where(
                kinds == EXPANDED, length, tf.cast(kinds != DELETED, tf.int32)
            )
            from_ = tf.repeat(origins, length)
            begins = tf.gather(tf.cumsum(length, exclusive=True), from_)
            position = tf.gather(first, from_) + tf.range(tf.size(from_))
            whole = tf.gather(entries, from_)
            is_part = _kind(whole) == EXPANDED
            parts = tf.gather(
                self._expansions, tf.where(is_part, position - begins, 0)
            )
            return from_, tf.where(is_part, parts, whole)

        if not self._can_expand:
            return without_deleted()
        return tf.cond(
            tf.reduce_any(kinds == EXPANDED), with_expansions, without_deleted
        )

    def _in_canonical_order(
        self, origins: Any, entries: Any, chars: tf.RaggedTensor
    ) -> tuple[Any, Any]:
        """Sorts neighbouring marks by their class, as NFD does."""
        place = tf.searchsorted(self._transparent, chars.values, side="right")
        run = tf.cumsum(1 - place % 2)  # even: outside all ranges
        run += tf.cast(chars.value_rowids(), tf.int32)
        code_points = _shifted(entries, KIND_BITS)
        place = tf.searchsorted(self._marks, code_points)
        place = tf.minimum(place, tf.size(self._marks) - 1)
        classes = tf.where(
            tf.gather(self._marks, place) == code_points,
            tf.gather(self._mark_classes, place),
            0,
        )
        key = tf.cast(tf.gather(run, origins), tf.int64) * _NUM_CLASSES
        order = tf.argsort(key + tf.cast(classes, tf.int64), stable=True)
        return tf.gather(origins, order), tf.gather(entries, order)


def _split(entries: Any, row_splits: Any, origins: Any) -> Words:
    """Returns the words, which spaces and isolated characters separate."""
    kinds = _kind(entries)
    is_space = kinds == SPACE
    is_isolated = kinds == ISOLATED
    row_begins = tf.scatter_nd(
        row_splits[:, tf.newaxis],
        tf.ones_like(row_splits, tf.int32),
        [tf.size(entries, tf.int64) + 1],
    )
    follows = tf.concat([[False], (is_space | is_isolated)[:-1]], 0)
    begins = ~is_space & (is_isolated | follows | (row_begins[:-1] > 0))
    kept = tf.where(~is_space)[:, 0]
    chars = tf.gather(_shifted(entries, KIND_BITS), kept)
    char_splits = tf.concat(
        [
            tf.where(tf.gather(begins, kept))[:, 0],
            tf.size(kept, tf.int64)[tf.newaxis],
        ],
        0,
    )
    num_begun = tf.cumsum(tf.cast(begins, tf.int64))
    words = tf.strings.unicode_encode(
        tf.RaggedTensor.from_row_splits(chars, char_splits, validate=False),
        "UTF-8",
    )
    return Words(
        words=words,
        row_splits=tf.gather(tf.concat([[0], num_begun], 0), row_splits),
        chars=chars,
        char_splits=char_splits,
        origins=tf.gather(origins, kept),
    )


def _kind(entries: Any) -> Any:
    return tf.bitwise.bitwise_and(entries, _KIND_MASK)


def _shifted(values: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(values, bits)
