"""BERT's own tokenization as a keras-nlp tokenizer that lives in the graph.

keras-nlp's `DistilBertTokenizer` differs from the tokenization that pretrained
weights were trained with (accents, no-break spaces, control characters), takes
a pure-Python path when it is called eagerly, and needs an op, `CaseFoldUTF8`,
that some TensorFlow Serving releases cannot run. This one has one path, made
of ops that every TensorFlow Serving since 2.16 has.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import keras_nlp
import tensorflow as tf
import tensorflow_text as tf_text

VOCABULARY_FILE = "vocabulary.txt"

# What BERT takes for a space, and what it deletes. U+0085 is a control
# character to BERT: deleted, not a space.
_SPACES = r"[\t\n\r\p{Z}]"
_DELETED = r"[\p{C}\x{FFFD}]"

# BERT gives [UNK] for a word longer than this.
_MAX_BYTES_PER_WORD = 100


@keras.saving.register_keras_serializable(package="kerassent")
class BertTokenizer(keras_nlp.tokenizers.Tokenizer):
    """Splits text into BERT's word pieces.

    Text is any bytes: what is not UTF-8 counts as U+FFFD, which BERT deletes.
    Called eagerly, in `tf.data` or in an exported graph, it is the same ops.

    Args:
        vocabulary: The word pieces in the order of their ids, as a list; it
            must hold `[UNK]`, `[CLS]`, `[SEP]`, `[PAD]` and `[MASK]`. `None`
            leaves the tokenizer without one until `set_vocabulary()`.
        lowercase: Whether text is lower-cased first, as uncased models want.
        strip_accents: Whether accents are removed. `None`, as in BERT, does
            what `lowercase` says.

    Raises:
        ValueError: `vocabulary` lacks a special token or repeats an entry.

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
        self._word_piece: Any = None
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
        # The table is an eager constant, which a traced function captures:
        # there is no asset file and nothing to initialize in a server.
        with tf.init_scope():
            self._word_piece = tf_text.FastWordpieceTokenizer(
                vocab=self._vocabulary,
                token_out_type=tf.int32,
                unknown_token="[UNK]",
                no_pretokenization=False,
                support_detokenization=False,
                max_bytes_per_word=_MAX_BYTES_PER_WORD,
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
        self._checked_vocabulary()
        text = tf.convert_to_tensor(inputs, tf.string)
        if text.shape.rank == 0:
            return self.tokenize(text[tf.newaxis])[0]
        text = tf.strings.unicode_transcode(
            text, "UTF-8", "UTF-8", errors="replace"
        )
        text = tf.strings.regex_replace(text, _SPACES, " ")
        text = tf.strings.regex_replace(text, _DELETED, "")
        strip_accents = self.strip_accents
        if strip_accents is None:
            strip_accents = self.lowercase
        if strip_accents:
            text = tf_text.normalize_utf8(text, "NFD")
            text = tf.strings.regex_replace(text, r"\p{Mn}", "")
        if self.lowercase:
            text = tf.strings.lower(text, encoding="utf-8")
        return self._word_piece.tokenize(text)

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

    def _checked_vocabulary(self) -> list[str]:
        if self._vocabulary is None:
            raise ValueError(
                "This tokenizer has no vocabulary yet. Pass `vocabulary=` or "
                "call `set_vocabulary()`."
            )
        return self._vocabulary
