"""Text to `token_ids` and `padding_mask`, padded to the batch and no further.

keras-nlp's preprocessor pads every batch to `sequence_length`, keeps the head
of a long text only, and packs with an op that TensorFlow Serving before 2.20
lacks. A review's verdict often stands in its last lines.
"""

from typing import Any, Literal, get_args

import keras
import keras_nlp
import numpy as np
import tensorflow as tf

from kerassent.markup import clean_html as cleaned
from kerassent.tokenizer import BertTokenizer

Truncate = Literal["head", "tail", "head_tail"]

# Sun et al. keep 128 of 510 tokens from the head, the rest from the tail.
_HEAD_SHARE = 0.25

# A token of real text has 4 to 5 bytes, one of markup, URLs or a script that
# the vocabulary lacks has tens. What lies further from the ends is not read.
BYTES_PER_TOKEN = 256


@keras.saving.register_keras_serializable(package="kerassent")
class SentimentPreprocessor(keras_nlp.models.Preprocessor):
    """Tokenizes, truncates, and packs texts for a DistilBERT.

    The time a text takes is bounded: no more than the first 256 bytes for each
    token that is kept from its head, and the last 256 for each from its tail,
    are looked at. Where these hold fewer tokens than are kept, as in ten
    thousand spaces in a row, those are all there are.

    Args:
        tokenizer: A `BertTokenizer`. keras-nlp's DistilBERT tokenizer does
            too, but cannot be exported.
        sequence_length: The most tokens a text may have, `[CLS]` and `[SEP]`
            included; at least 3.
        truncate: What is kept of a longer text: its `"head"`, its `"tail"`, or
            `"head_tail"`: `head_tokens` from the head, the rest from the tail.
        head_tokens: How many tokens `"head_tail"` keeps from the head, from 1
            to `sequence_length - 3`. Default: a quarter.
        clean_html: Whether HTML's tags become spaces and its entities the
            characters they stand for, as in `kerassent.markup`.
        pad_to_multiple_of: The width of a batch is rounded up to a multiple of
            this, so that there are fewer shapes; never beyond
            `sequence_length`.

    Call arguments:
        x: string `(batch_size,)`, or a scalar. A dictionary, which this made
            before, is passed through.
        y: Labels, passed through.
        sample_weight: Weights, passed through.

    Returns:
        `token_ids` and `padding_mask`, int32 `(batch_size, width)`, where
        `width` is the length of the batch's longest text, rounded up, then `y`
        and `sample_weight` if there are any.

    Reference:
        [Sun et al., 2019](https://arxiv.org/abs/1905.05583), who found
        `head_tail` the best of the three.
    """

    backbone_cls = None  # for the reason given in `BertTokenizer`
    tokenizer_cls = BertTokenizer

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 512,
        truncate: Truncate = "head",
        head_tokens: int | None = None,
        clean_html: bool = False,
        pad_to_multiple_of: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sequence_length < 3:
            raise ValueError(
                "`sequence_length` must be at least 3: [CLS], a token, [SEP]. "
                f"Received: {sequence_length}"
            )
        if truncate not in get_args(Truncate):
            raise ValueError(
                "`truncate` must be 'head', 'tail' or 'head_tail'. "
                f"Received: {truncate!r}"
            )
        if head_tokens is not None and not (
            truncate == "head_tail" and 1 <= head_tokens <= sequence_length - 3
        ):
            raise ValueError(
                "`head_tokens` goes with `truncate='head_tail'` and must be "
                "from 1 to `sequence_length - 3`, so that the tail has a token "
                f"too. Received: head_tokens={head_tokens}, "
                f"truncate={truncate!r}, sequence_length={sequence_length}"
            )
        if pad_to_multiple_of < 1:
            raise ValueError(
                "`pad_to_multiple_of` must be 1 or more. "
                f"Received: {pad_to_multiple_of}"
            )
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.truncate = truncate
        self.head_tokens = head_tokens
        self.clean_html = clean_html
        self.pad_to_multiple_of = pad_to_multiple_of
        self.built = True

    def call(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Returns the batch as `fit` and the model want it."""
        if isinstance(x, dict):  # it is one already
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        # keras-nlp's tokenizers are Python loops unless they are traced.
        pack = (
            self._pack
            if isinstance(self.tokenizer, BertTokenizer)
            else tf.function(self._pack, autograph=False)
        )
        with tf.device("cpu"):
            x = pack(tf.convert_to_tensor(x, tf.string))
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the tokenizer serialized."""
        config: dict[str, Any] = super().get_config()
        return config | self.settings

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments but for the tokenizer."""
        names = (
            "sequence_length",
            "truncate",
            "head_tokens",
            "clean_html",
            "pad_to_multiple_of",
        )
        return {name: getattr(self, name) for name in names}

    def with_settings(self, **changes: Any) -> "SentimentPreprocessor":
        """Returns one with the same tokenizer and other settings.

        Args:
            **changes: Arguments of the constructor; `None` keeps what is.
        """
        settings = self.settings
        changes = {k: v for k, v in changes.items() if v is not None}
        if changes.get("truncate", "head_tail") != "head_tail":
            settings["head_tokens"] = None
        return type(self)(self.tokenizer, **(settings | changes))

    @property
    def kept_tokens(self) -> tuple[int, int]:
        """How many tokens of a long text are kept from its head and tail."""
        budget = self.sequence_length - 2
        if self.truncate == "head":
            return budget, 0
        if self.truncate == "tail":
            return 0, budget
        head = self.head_tokens or max(int(budget * _HEAD_SHARE), 1)
        return head, budget - head

    @property
    def kept_bytes(self) -> tuple[int, int]:
        """How many bytes of a text are looked at, from its head and tail."""
        head, tail = self.kept_tokens
        return BYTES_PER_TOKEN * head, BYTES_PER_TOKEN * tail

    def _pack(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        if text.shape.rank == 0:
            batch = self._pack(text[tf.newaxis])
            return {name: tensor[0] for name, tensor in batch.items()}
        tokens = self.tokens(text)
        lengths = tokens.row_lengths()
        # An empty batch has no longest text; the model still wants a [CLS].
        longest = tf.reduce_max(tf.concat([[2], lengths], axis=0))
        width = self.width(longest)
        return {
            "token_ids": tokens.to_tensor(
                self.tokenizer.pad_token_id,
                shape=tf.stack([tokens.nrows(), width]),
            ),
            "padding_mask": tf.sequence_mask(lengths, width, tf.int32),
        }

    def tokens(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns what the model sees of each text, without padding.

        Args:
            text: string `(batch_size,)`.

        Returns:
            int32 `(batch_size, None)`, from `[CLS]` to `[SEP]`.
        """
        text = self.shortened(text)
        if self.clean_html:
            text = cleaned(text)
        tokens = self.tokenizer(text)
        starts, ends = tokens.row_splits[:-1], tokens.row_splits[1:]
        head, tail = self.kept_tokens
        head_ends = tf.minimum(starts + head, ends)
        tail_starts = tf.maximum(ends - tail, head_ends)
        # [CLS] and [SEP] come after all tokens, to be gathered with them.
        cls = tf.zeros_like(starts) + ends[-1:]
        parts = tf.ragged.range(
            _row_by_row(cls, starts, tail_starts, cls + 1),
            _row_by_row(cls + 1, head_ends, ends, cls + 2),
        )
        special = [self.tokenizer.cls_token_id, self.tokenizer.sep_token_id]
        return tf.RaggedTensor.from_row_splits(
            tf.gather(tf.concat([tokens.values, special], 0), parts.values),
            parts.row_splits[::4],
            validate=False,
        )

    def width(self, longest: Any) -> Any:
        """Returns how wide a batch is whose longest text has so many tokens.

        Args:
            longest: An int, or an integer array or tensor.
        """
        step = self.pad_to_multiple_of
        rounded = -(-longest // step) * step
        smaller = tf.minimum if tf.is_tensor(longest) else np.minimum
        return smaller(rounded, self.sequence_length)

    def shortened(self, text: tf.Tensor) -> tf.Tensor:
        """Returns texts without what is too far from the ends to be kept.

        Args:
            text: string `(batch_size,)`.
        """
        head, tail = self.kept_bytes
        lengths = tf.strings.length(text)
        is_long = lengths > head + tail

        def of_all() -> tf.Tensor:
            starts = tf.maximum(lengths - tail, 0)
            ends = tf.strings.join(
                [
                    tf.strings.substr(text, 0, head),
                    # A space, since what meets here is no word.
                    " ",
                    tf.strings.substr(text, starts, lengths - starts),
                ]
            )
            return tf.where(is_long, ends, text)

        return tf.cond(tf.reduce_any(is_long), of_all, lambda: text)


def _row_by_row(*columns: Any) -> Any:
    return tf.reshape(tf.stack(columns, 1), [-1])
