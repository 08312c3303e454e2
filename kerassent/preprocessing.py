"""Text to `token_ids` and `padding_mask`, padded to the batch and no further.

keras-nlp's preprocessor pads every batch to `sequence_length`, keeps the head
of a long text only, and packs with an op that TensorFlow Serving before 2.20
lacks. A review's verdict often stands in its last lines, so the tail counts.
"""

from typing import Any, Literal

import keras
import keras_nlp
import tensorflow as tf

from kerassent.tokenizer import BertTokenizer

Truncate = Literal["head", "tail", "head_tail"]

# Sun et al. keep 128 of 510 tokens from the head, the rest from the tail.
_HEAD_SHARE = {"head": 1.0, "tail": 0.0, "head_tail": 0.25}


@keras.saving.register_keras_serializable(package="kerassent")
class SentimentPreprocessor(keras_nlp.models.Preprocessor):
    """Tokenizes, truncates, and packs texts for a DistilBERT.

    Args:
        tokenizer: A `BertTokenizer`.
        sequence_length: The most tokens a text may have, `[CLS]` and `[SEP]`
            included; at least 3.
        truncate: What is kept of a longer text: its `"head"`, its `"tail"`, or
            `"head_tail"`: a quarter from the head, the rest from the tail.

    Call arguments:
        x: string `(batch_size,)`, or a scalar.
        y: Labels, passed through.
        sample_weight: Weights, passed through.

    Returns:
        `token_ids` and `padding_mask`, int32 `(batch_size, longest)`, where
        `longest` is the length of the batch's longest text, then `y` and
        `sample_weight` if there are any.

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
        truncate: Truncate = "head_tail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sequence_length < 3:
            raise ValueError(
                "`sequence_length` must be at least 3: [CLS], a token, [SEP]. "
                f"Received: {sequence_length}"
            )
        if truncate not in _HEAD_SHARE:
            raise ValueError(
                "`truncate` must be 'head', 'tail' or 'head_tail'. "
                f"Received: {truncate!r}"
            )
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.truncate = truncate
        self.built = True

    def call(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Returns the batch as `fit` and the model want it."""
        with tf.device("cpu"):
            x = self._pack(tf.convert_to_tensor(x, tf.string))
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the tokenizer serialized."""
        config: dict[str, Any] = super().get_config()
        config["sequence_length"] = self.sequence_length
        config["truncate"] = self.truncate
        return config

    def _pack(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        if text.shape.rank == 0:
            batch = self._pack(text[tf.newaxis])
            return {name: tensor[0] for name, tensor in batch.items()}
        tokens = self._truncated(self.tokenizer(text))
        ones = tf.ones([tokens.nrows(), 1], tf.int32)
        tokens = tf.concat(
            [
                ones * self.tokenizer.cls_token_id,
                tokens,
                ones * self.tokenizer.sep_token_id,
            ],
            axis=1,
        )
        lengths = tokens.row_lengths()
        # An empty batch has no longest text; the model still wants a [CLS].
        longest = tf.reduce_max(tf.concat([[2], lengths], axis=0))
        return {
            "token_ids": tokens.to_tensor(
                self.tokenizer.pad_token_id,
                shape=tf.stack([tokens.nrows(), longest]),
            ),
            "padding_mask": tf.sequence_mask(lengths, longest, tf.int32),
        }

    def _truncated(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        budget = self.sequence_length - 2
        head = int(budget * _HEAD_SHARE[self.truncate])
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        position = tf.ragged.range(lengths)
        first_of_tail = tf.expand_dims(lengths - (budget - head), 1)
        kept = tf.logical_or(position < head, position >= first_of_tail)
        return tf.ragged.boolean_mask(tokens, kept)
