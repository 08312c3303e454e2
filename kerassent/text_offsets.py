"""The tokens of one text, and where they stand in it as it was sent.

A preprocessor may leave out the middle of a very long text, turn markup into
spaces, and keep only some of the tokens. Here each step says what went where.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.markup import ANY_RULE, clean_html
from kerassent.preprocessing import SentimentPreprocessor

# BERT deletes both, so one may stand for the other and mark what is replaced.
_MARK = "\x00"
_INSTEAD_OF_MARK = "\x01"


class PlacedTokens(NamedTuple):
    """The tokens of a text, without `[CLS]` and `[SEP]`.

    Args:
        ids: int32 `(num_tokens,)`.
        starts: int32 `(num_tokens,)`, a token's first byte in the text as sent.
        ends: int32 `(num_tokens,)`, the byte after its last.
        words: int32 `(num_tokens,)`, the word it is part of, from 0 on.
    """

    ids: Any
    starts: Any
    ends: Any
    words: Any


class _Parts(NamedTuple):
    """What a text was made of, part by part, in bytes.

    Args:
        begins: int64 `(num_parts,)`, ascending: where a part begins.
        source_begins: Where it began in what the text was made of.
        source_ends: Where it ended.
        is_copy: Whether it is as it was; otherwise it was replaced.
    """

    begins: Any
    source_begins: Any
    source_ends: Any
    is_copy: Any

    def source(self, starts: Any, ends: Any) -> tuple[Any, Any]:
        """Returns the bytes of the source that a token is from."""
        part = self._part_of(starts)
        starts = tf.gather(self.source_begins, part) + tf.where(
            tf.gather(self.is_copy, part),
            starts - tf.gather(self.begins, part),
            0,
        )
        # By its last byte: another part may begin where it ends.
        part = self._part_of(ends - 1)
        ends = tf.where(
            tf.gather(self.is_copy, part),
            tf.gather(self.source_begins - self.begins, part) + ends,
            tf.gather(self.source_ends, part),
        )
        return starts, ends

    def _part_of(self, byte: Any) -> Any:
        # The last of those that begin there: others are empty.
        return tf.searchsorted(self.begins, byte, side="right") - 1


class TokenPlacer:
    """Finds the tokens of one text.

    Args:
        preprocessor: Whose `tokens` these are, but for malformed markup, where
            its rules may take effect in another order.
    """

    def __init__(self, preprocessor: SentimentPreprocessor) -> None:
        self._preprocessor = preprocessor
        vocabulary = preprocessor.tokenizer.get_vocabulary()
        self._continues_word = tf.constant(
            [piece.startswith("##") for piece in vocabulary]
        )

    def __call__(self, text: tf.Tensor) -> PlacedTokens:
        """Returns the tokens of a text.

        Args:
            text: A string scalar.
        """
        preprocessor = self._preprocessor
        head, tail = preprocessor.kept_tokens
        [seen] = tf.unstack(preprocessor.shortened(text[tf.newaxis]), 1)
        steps = [_shortened(text, *preprocessor.kept_bytes)]
        if preprocessor.clean_html:
            seen, parts = _cleaned(seen)
            steps.append(parts)
        ids, starts, ends = preprocessor.tokenizer.tokenize_with_offsets(seen)
        position = tf.range(tf.size(ids))
        first_of_tail = tf.maximum(tf.size(ids) - tail, head)
        kept = (position < head) | (position >= first_of_tail)
        begins_word = ~tf.gather(self._continues_word, ids)
        # What is left of a word whose beginning was not kept is one, too.
        begins_word |= (position == first_of_tail) | (position == 0)
        ids, starts, ends, begins_word = (
            tf.boolean_mask(each, kept)
            for each in (ids, starts, ends, begins_word)
        )
        for parts in reversed(steps):
            starts, ends = parts.source(starts, ends)
        return PlacedTokens(
            ids,
            tf.cast(starts, tf.int32),
            tf.cast(ends, tf.int32),
            tf.cumsum(tf.cast(begins_word, tf.int32)) - 1,
        )


def _shortened(text: Any, head: int, tail: int) -> _Parts:
    """Returns what `SentimentPreprocessor.shortened` makes a text of."""
    length = tf.cast(tf.strings.length(text), tf.int64)
    rest = tf.maximum(length - tail, head)
    is_long = length > head + tail
    # A short text is one part; no byte is in the others.
    begins = tf.where(
        is_long,
        tf.constant([0, head, head + 1], tf.int64),
        tf.stack([0, length, length]),
    )
    source_begins = tf.where(
        is_long, tf.stack([0, head, rest]), tf.stack([0, length, length])
    )
    source_ends = tf.where(
        is_long, tf.stack([head, rest, length]), tf.fill([3], length)
    )
    return _Parts(begins, source_begins, source_ends, [True, False, True])


def _cleaned(text: Any) -> tuple[Any, _Parts]:
    """Returns what `clean_html` does, and how."""
    text = tf.strings.regex_replace(text, _MARK, _INSTEAD_OF_MARK)
    marked = tf.strings.regex_replace(text, ANY_RULE, rf"{_MARK}\0{_MARK}")
    # What was found is every other one, the second the first.
    sources = tf.strings.split(marked, _MARK)
    is_copy = tf.range(tf.size(sources)) % 2 == 0
    parts = tf.where(is_copy, sources, clean_html(sources))
    begins, source_begins = (
        tf.cumsum(tf.cast(tf.strings.length(each), tf.int64), exclusive=True)
        for each in (parts, sources)
    )
    source_ends = source_begins + tf.cast(tf.strings.length(sources), tf.int64)
    return tf.strings.reduce_join(parts), _Parts(
        begins, source_begins, source_ends, is_copy
    )
