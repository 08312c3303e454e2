"""Any bytes to the ids of BERT's word pieces, in the graph, fast.

Most text is plain ASCII, which one op tokenizes as BERT does. Of other texts
the words that are not ASCII are cut out, and only they take the long way.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from kerassent.word_splitting import WordSplitter

UNKNOWN = "[UNK]"

# BERT deletes NUL, which the word-piece op cannot be built with, and U+FFFD,
# which stands for the noncharacters where TensorFlow before 2.20 encodes them:
# no piece may match that.
_NOT_IN_WORDS = re.compile(
    "[\x00\ufffd\ufdd0-\ufdef"
    + "".join(chr(0x10000 * p + 0xFFFE + i) for p in range(17) for i in (0, 1))
    + "]"
)

# BERT gives it for a longer word. A character has at most 4 bytes.
MAX_CHARS_PER_WORD = 100
_MAX_BYTES_PER_WORD = 4 * MAX_CHARS_PER_WORD
_MAX_PIECE_BYTES = 256  # the op's own limit
_TOO_LONG = b"x" * (_MAX_BYTES_PER_WORD + 1)

# All of ASCII that BERT doesn't delete. `tf.strings.lower` without an encoding
# folds just this, whatever the locale, and the word-piece op splits just this
# as BERT does, whatever its server's Unicode tables.
_PLAIN = r"[\t\n\r -~]*"

# What words of it are made of: letters and digits, or one punctuation mark.
_PLAIN_PIECE = r"(##)?[0-9A-Za-z]+|[!-/:-@\[-`{-~]"

# What stands between such spaces and is not plain. No word, accent or control
# character reaches beyond them, so a text may be cut there.
_NOT_PLAIN = r"[!-~]*[^\t\n\r -~][^\t\n\r ]*"
_CUT = "\x00"
_CAN_BE_CUT = "[\x01-\U0010ffff]*"  # UTF-8, and without the mark of a cut

# The op has one thread, and is a third faster while what it does fits into the
# processor's cache.
_CHUNK_BYTES = 32768
_PARALLEL_CHUNKS = 16


class WordPieces:
    """Finds the word pieces of texts.

    Args:
        vocabulary: The word pieces in the order of their ids.
        lowercase: Whether text is lower-cased.
        strip_accents: Whether it loses its accents.

    Raises:
        ValueError: A piece has more than 256 bytes and could be found.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        lowercase: bool,
        strip_accents: bool,
    ) -> None:
        for piece in vocabulary:
            if _in_words(piece) and len(piece.encode()) > _MAX_PIECE_BYTES:
                raise ValueError(
                    f"`vocabulary` has the piece {piece!r} of "
                    f"{len(piece.encode())} bytes. The word-piece op takes "
                    f"{_MAX_PIECE_BYTES} at most: replace it by an entry "
                    "that no text has, such as '[unused1]'."
                )
        self._lowercase = lowercase
        self._split = WordSplitter(
            lowercase=lowercase, strip_accents=strip_accents
        )
        self._of_text, self._of_words = (
            # The tables are eager constants, which a traced function captures:
            # there is no asset file and nothing to initialize in a server.
            _word_piece_op(vocabulary, splits_text)
            for splits_text in (True, False)
        )
        # A graph for eager calls too, and the same one.
        self._graphs = {
            with_offsets: tf.function(
                functools.partial(self._find, with_offsets=with_offsets),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,  # nothing to convert, and slow at it
            )
            for with_offsets in (False, True)
        }

    def __call__(
        self, text: tf.Tensor, *, with_offsets: bool = False
    ) -> tuple[tf.RaggedTensor, ...]:
        """Returns ids and, if asked, first bytes and bytes after the last.

        Args:
            text: string `(batch_size,)`.
            with_offsets: Whether to say where in the text the pieces are.

        Returns:
            int32 `(batch_size, None)`, and int64 for each kind of offset.
        """
        found: tuple[tf.RaggedTensor, ...] = self._graphs[with_offsets](text)
        return found

    def _find(self, text: Any, with_offsets: bool) -> Any:
        is_plain, *found = self._of_plain(text, with_offsets)
        return tf.cond(
            tf.reduce_all(is_plain),
            lambda: tuple(found),
            lambda: self._with_others(text, is_plain, found, with_offsets),
        )

    def _of_plain(self, text: Any, with_offsets: bool) -> Any:
        """Returns which texts are plain, and their tokens."""
        lengths = tf.cast(tf.strings.length(text), tf.int64)
        return tf.cond(
            tf.reduce_sum(lengths) <= _CHUNK_BYTES,
            lambda: self._of_chunk(text, with_offsets),
            lambda: self._in_chunks(text, lengths, with_offsets),
        )

    def _of_chunk(self, text: Any, with_offsets: bool) -> tuple[Any, ...]:
        is_plain = tf.strings.regex_full_match(text, _PLAIN)
        text = tf.where(is_plain, text, "")
        if self._lowercase:
            text = tf.strings.lower(text)
        found = self._of_text.tokenize_with_offsets(text)
        return is_plain, *(found if with_offsets else found[:1])

    def _in_chunks(
        self, text: Any, lengths: Any, with_offsets: bool
    ) -> tuple[Any, ...]:
        """Returns what `_of_chunk` does."""
        splits = tf.searchsorted(
            tf.cumsum(lengths, exclusive=True),
            tf.range(0, tf.reduce_sum(lengths), _CHUNK_BYTES),
        )
        splits = tf.concat([splits, [tf.size(text)]], 0)
        num_chunks = tf.size(splits) - 1
        dtypes = (tf.bool, tf.int64, tf.int32, tf.int64, tf.int64)
        arrays = [
            tf.TensorArray(
                dtype, num_chunks, element_shape=[None], infer_shape=False
            )
            for dtype in dtypes[: 5 if with_offsets else 3]
        ]

        def chunk(i: Any, *arrays: Any) -> Any:
            is_plain, *found = self._of_chunk(
                text[splits[i] : splits[i + 1]], with_offsets
            )
            values = [each.values for each in found]
            results = (is_plain, found[0].row_lengths(), *values)
            return i + 1, *(
                array.write(i, result)
                for array, result in zip(arrays, results, strict=True)
            )

        _, *arrays = tf.while_loop(
            lambda i, *_: i < num_chunks,
            chunk,
            (0, *arrays),
            parallel_iterations=_PARALLEL_CHUNKS,
        )
        is_plain, row_lengths, *values = (array.concat() for array in arrays)
        return is_plain, *(
            tf.RaggedTensor.from_row_lengths(each, row_lengths, validate=False)
            for each in values
        )

    def _with_others(
        self, text: Any, is_plain: Any, found: Any, with_offsets: bool
    ) -> tuple[Any, ...]:
        """Returns the tokens of all texts, given those of the plain ones."""
        others = tf.boolean_mask(text, ~is_plain)
        if with_offsets:  # which cutting would move
            in_others = self._of_any(others, with_offsets)
            return _filled(is_plain, found, in_others)
        parts = _cut(others)
        is_plain_part, *in_parts = self._of_plain(parts.values, with_offsets)
        [in_parts] = _filled(
            is_plain_part,
            in_parts,
            self._of_any(
                tf.boolean_mask(parts.values, ~is_plain_part), with_offsets
            ),
        )
        in_others = (_grouped(in_parts, parts.row_splits),)
        return _filled(is_plain, found, in_others)

    def _of_any(self, text: Any, with_offsets: bool) -> tuple[Any, ...]:
        chars, starts = tf.strings.unicode_decode_with_offsets(text, "UTF-8")
        words = self._split(chars)
        too_long = words.char_splits[1:] - words.char_splits[:-1] > (
            MAX_CHARS_PER_WORD
        )
        ids, first, last = self._of_words.tokenize_with_offsets(
            tf.where(too_long, _TOO_LONG, words.words)
        )
        found = _grouped(ids, words.row_splits)
        if not with_offsets:
            return (found,)
        # Bytes of words, then characters of words, then bytes of the text.
        bytes_before = tf.cumsum(_num_bytes(words.chars), exclusive=True)
        word = ids.value_rowids()
        begin = tf.gather(words.char_splits, word)
        end = tf.gather(words.char_splits, word + 1)
        word_begin = tf.gather(bytes_before, begin)
        first, last = word_begin + first.values, word_begin + last.values
        first = _index(bytes_before, first, side="right") - 1
        # The end of a word that was too long lies beyond it.
        last = tf.minimum(_index(bytes_before, last, side="left"), end) - 1
        # In canonical order, a later character may have come earlier.
        origins = tf.gather(words.origins, tf.ragged.range(first, last + 1))
        first = tf.reduce_min(origins, axis=1)
        last = tf.reduce_max(origins, axis=1)
        return (
            found,
            found.with_values(tf.gather(starts.values, first)),
            found.with_values(
                tf.gather(starts.values, last)
                + _num_bytes(tf.gather(chars.values, last))
            ),
        )


def _in_plain_text(piece: str) -> bool:
    """Returns whether plain text can have the piece.

    The op that splits text would find others too, such as a tab.
    """
    return piece == UNKNOWN or (
        _in_words(piece) and re.fullmatch(_PLAIN_PIECE, piece) is not None
    )


def _in_words(piece: str) -> bool:
    """Returns whether a word can have the piece."""
    chars = piece.removeprefix("##")
    return (
        0 < len(chars) <= MAX_CHARS_PER_WORD
        and _NOT_IN_WORDS.search(chars) is None
    )


def _word_piece_op(vocabulary: Sequence[str], splits_text: bool) -> Any:
    is_found = _in_plain_text if splits_text else _in_words
    with tf.init_scope():
        return tf_text.FastWordpieceTokenizer(
            vocab=[
                # No word has a control character: this is never found.
                piece if is_found(piece) else f"\x01{i}"
                for i, piece in enumerate(vocabulary)
            ],
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
            no_pretokenization=not splits_text,
            support_detokenization=False,
            max_bytes_per_word=(
                MAX_CHARS_PER_WORD if splits_text else _MAX_BYTES_PER_WORD
            ),
        )


def _cut(text: Any) -> Any:
    """Returns the parts of texts: string `(batch_size, None)`, ragged."""

    def without_what_hinders() -> Any:
        # BERT deletes both U+FFFD and NUL.
        valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
        return tf.strings.regex_replace(valid, _CUT, "")

    text = tf.cond(
        tf.reduce_all(tf.strings.regex_full_match(text, _CAN_BE_CUT)),
        lambda: text,
        without_what_hinders,
    )
    text = tf.strings.regex_replace(text, _NOT_PLAIN, rf"{_CUT}\0{_CUT}")
    return tf.strings.split(text, _CUT)


def _filled(is_done: Any, found: Any, rest: Any) -> tuple[Any, ...]:
    """Returns `found` with the rows of `rest` where `is_done` is false."""
    size = tf.size(is_done)
    rows = tf.where(
        is_done,
        tf.range(size),
        size + tf.cumsum(tf.cast(~is_done, tf.int32)) - 1,
    )
    return tuple(
        tf.gather(tf.concat(both, 0), rows)
        for both in zip(found, rest, strict=True)
    )


def _grouped(parts: Any, splits: Any) -> Any:
    """Returns the rows that `splits` makes of the rows of `parts`."""
    return tf.RaggedTensor.from_row_splits(
        parts.values, tf.gather(parts.row_splits, splits), validate=False
    )


def _index(bytes_before: Any, byte: Any, side: str) -> Any:
    return tf.searchsorted(bytes_before, byte, side=side, out_type=tf.int64)


def _num_bytes(chars: Any) -> Any:
    """Returns how many bytes UTF-8 takes for each code point."""
    limits = tf.constant([0x80, 0x800, 0x10000])
    return _index(limits, chars, side="right") + 1
