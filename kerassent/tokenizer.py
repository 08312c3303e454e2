"""BERT's own tokenization as a keras-nlp tokenizer that lives in the graph.

keras-nlp's `DistilBertTokenizer` differs from the tokenization that pretrained
weights were trained with (accents, no-break spaces, control characters), takes
a pure-Python path when it is called eagerly, and needs an op, `CaseFoldUTF8`,
that some TensorFlow Serving releases cannot run. This one has one path, made
of ops that every TensorFlow Serving since 2.16 has.
"""

import logging
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import keras_nlp
import tensorflow as tf

from kerassent.word_pieces import WordPieces

VOCABULARY_FILE = "vocabulary.txt"

_log = logging.getLogger("kerassent")


@keras.saving.register_keras_serializable(package="kerassent")
class BertTokenizer(keras_nlp.tokenizers.Tokenizer):
    """Splits text into BERT's word pieces.

    The ids are those of Hugging Face's `tokenizers` 0.23.3 (`BertNormalizer`,
    `BertPreTokenizer`, `WordPiece`) with the same vocabulary, whatever the
    server's Unicode tables and locale. Called eagerly, in `tf.data` or in an
    exported graph, it is one graph. What differs is meant to:

    - `[SEP]` and the like in a text are text: a review must not be able to
      send control tokens.
    - Text is any bytes; what is not UTF-8 counts as U+FFFD, which BERT deletes.
    - Pieces of the vocabulary with NUL, U+FFFD or a noncharacter such as U+FFFF
      are never found: TensorFlow before 2.20 cannot encode the last.

    Args:
        vocabulary: The word pieces in the order of their ids, as a list; it
            must hold `[UNK]`, `[CLS]`, `[SEP]`, `[PAD]` and `[MASK]`. `None`
            leaves the tokenizer without one until `set_vocabulary()`.
        lowercase: Whether text is lower-cased first, as uncased models want.
        strip_accents: Whether accents are removed. `None`, as in BERT, does
            what `lowercase` says.

    Raises:
        ValueError: `vocabulary` lacks a special token, repeats an entry, or
            has a piece of more than 256 bytes that could be found.

    Example:
        ```python
        tokenizer = BertTokenizer.from_preset("runs/imdb")
        tokenizer(["A wonderful film."])  # tf.RaggedTensor, int32
        ```

    Reference:
        [Devlin et al., 2018](https://arxiv.org/abs/1810.04805);
        [Song et al., 2020](https://arxiv.org/abs/2012.15524).
    """

    # keras-hub picks any registered subclass with the backbone's class when
    # `from_preset` is called on one of its base classes. `None` keeps ours out
    # of that choice, so keras-nlp's own classes stay what they were.
    backbone_cls = None

    def __init__(
        self,
        vocabulary: Sequence[str] | None = None,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "int32")
        super().__init__(**kwargs)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.file_assets = [VOCABULARY_FILE]
        for token in ("cls", "sep", "pad", "mask", "unk"):
            self._add_special_token(f"[{token.upper()}]", f"{token}_token")
        # keras-nlp's preprocessors ask for these names.
        self._add_special_token("[CLS]", "start_token")
        self._add_special_token("[SEP]", "end_token")
        self.set_vocabulary(vocabulary)

    @classmethod
    def from_preset(cls, preset: str, **kwargs: Any) -> "BertTokenizer":
        """Returns the tokenizer of a preset directory or keras-nlp handle.

        Args:
            preset: What keras-nlp's `from_preset` takes. A keras-nlp
                DistilBERT tokenizer becomes this one, with its vocabulary.
            **kwargs: Passed on to keras-nlp.
        """
        found = keras_nlp.models.DistilBertTokenizer.from_preset(
            preset, **kwargs
        )
        if isinstance(found, cls):
            return found
        _log.info(
            "%s: BERT's own tokenization takes the place of keras-nlp's.",
            preset,
        )
        return cls(found.get_vocabulary(), lowercase=found.lowercase)

    def set_vocabulary(self, vocabulary: Sequence[str] | None) -> None:
        """Sets the word pieces, in the order of their ids.

        Args:
            vocabulary: As in the constructor.
        """
        if isinstance(vocabulary, str):
            raise TypeError(
                "`vocabulary` must be a list of word pieces. Received: "
                f"{vocabulary!r}. Read a file first: "
                "`pathlib.Path(file).read_text('utf-8').splitlines()`."
            )
        self._vocabulary = None if vocabulary is None else list(vocabulary)
        self._ids: dict[str, int] = {}
        if self._vocabulary is None:
            return
        self._ids = {t: i for i, t in enumerate(self._vocabulary)}
        if len(self._ids) < len(self._vocabulary):
            repeated = next(
                t for i, t in enumerate(self._vocabulary) if self._ids[t] != i
            )
            raise ValueError(
                f"`vocabulary` has the entry {repeated!r} more than once."
            )
        self._update_special_token_ids()
        strips = self.strip_accents
        self._word_pieces = WordPieces(
            self._vocabulary,
            lowercase=self.lowercase,
            strip_accents=self.lowercase if strips is None else strips,
        )

    def tokenize(self, inputs: Any) -> Any:
        """Returns the ids of the word pieces of each text.

        Args:
            inputs: string `(batch_size,)`, or a scalar. Python lists of `str`
                or `bytes` do too.

        Returns:
            int32 `tf.RaggedTensor` `(batch_size, None)`; for a scalar a
            `tf.Tensor` `(num_tokens,)`.
        """
        return self._found(inputs, with_offsets=False)[0]

    def tokenize_with_offsets(self, inputs: Any) -> tuple[Any, Any, Any]:
        """Returns the ids, and where in the text their pieces are.

        Args:
            inputs: As in `tokenize`.

        Returns:
            `ids` as `tokenize` gives them, and `starts` and `ends`, int64 of
            the same shape: the bytes `text[start:end]` of a text as it was
            passed, as UTF-8, are what the piece was made of. Pieces of one
            character, such as a Hangul syllable's, share its bytes; an accent
            that BERT deletes belongs to no piece.
        """
        ids, starts, ends = self._found(inputs, with_offsets=True)
        return ids, starts, ends

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Does what `tokenize` does."""
        with tf.device("cpu"):
            return self.tokenize(inputs)

    def get_vocabulary(self) -> list[str]:
        """Returns the word pieces in the order of their ids."""
        return list(self._checked_vocabulary())

    def vocabulary_size(self) -> int:
        """Returns the number of word pieces."""
        return len(self._checked_vocabulary())

    def token_to_id(self, token: str) -> int:
        """Returns a word piece's id; `ValueError` if there is none."""
        if token not in self._ids:
            raise ValueError(f"{token!r} is not in the vocabulary.")
        return self._ids[token]

    def id_to_token(self, id: int) -> str:
        """Returns the word piece of an id; `ValueError` if there is none."""
        if not 0 <= id < self.vocabulary_size():
            raise ValueError(
                f"`id` must be in [0, {self.vocabulary_size()}). Received: {id}"
            )
        return self._checked_vocabulary()[id]

    def save_assets(self, dir_path: str) -> None:
        """Writes the vocabulary file; keras-nlp calls this."""
        text = "".join(f"{token}\n" for token in self.get_vocabulary())
        path = pathlib.Path(dir_path, VOCABULARY_FILE)
        path.write_text(text, encoding="utf-8", newline="\n")

    def load_assets(self, dir_path: str) -> None:
        """Reads the vocabulary file; keras-nlp calls this."""
        text = pathlib.Path(dir_path, VOCABULARY_FILE).read_text("utf-8")
        self.set_vocabulary(text.removesuffix("\n").split("\n"))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments; the vocabulary is an asset of its own."""
        config: dict[str, Any] = super().get_config()
        config["lowercase"] = self.lowercase
        config["strip_accents"] = self.strip_accents
        return config

    def _found(self, inputs: Any, *, with_offsets: bool) -> Any:
        self._checked_vocabulary()
        text = tf.convert_to_tensor(inputs, tf.string)
        if text.shape.rank == 0:
            found = self._word_pieces(
                text[tf.newaxis], with_offsets=with_offsets
            )
            return tuple(ragged[0] for ragged in found)
        if text.shape.rank != 1:
            raise ValueError(
                "`inputs` must be a text or a list of texts, of shape () or "
                f"(batch_size,). Received: shape={text.shape}"
            )
        return self._word_pieces(text, with_offsets=with_offsets)

    def _checked_vocabulary(self) -> list[str]:
        if self._vocabulary is None:
            raise ValueError(
                "This tokenizer has no vocabulary yet. Pass `vocabulary=` or "
                "call `set_vocabulary()`."
            )
        return self._vocabulary
