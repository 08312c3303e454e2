"""Which words moved the answer: gradient times input."""

from typing import Any, NamedTuple

import tensorflow as tf

from kerassent.flat_forward import FlatForward
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.text_offsets import TokenPlacer


class Explanation(NamedTuple):
    """Of one text, the words and what each adds to the label's margin.

    The margin is the label's logit less the runner-up's. Attributions are a
    linear estimate of what it would lose without the words' embeddings.

    Args:
        logits: float32 `(num_classes,)`.
        words: string `(num_words,)`, valid UTF-8.
        starts: int32 `(num_words,)`, a word's first byte in the text.
        ends: int32 `(num_words,)`, the byte after its last.
        attributions: float32 `(num_words,)`.
        completeness_error: float32 scalar: the sum of the attributions less
            what the margin really loses without all words' embeddings.
    """

    logits: Any
    words: Any
    starts: Any
    ends: Any
    attributions: Any
    completeness_error: Any


class Explainer:
    """Explains the answer to one text at a time.

    Args:
        forward: The classifier's pass.
        preprocessor: Makes its tokens.

    Attributes:
        num_classes: The number of logits.

    Reference:
        [Shrikumar et al., 2016](https://arxiv.org/abs/1605.01713).
    """

    def __init__(
        self, forward: FlatForward, preprocessor: SentimentPreprocessor
    ) -> None:
        self._forward = forward
        self.num_classes = forward.num_classes
        self._place = TokenPlacer(preprocessor)
        tokenizer = preprocessor.tokenizer
        self._cls, self._sep = (
            tf.constant([id_], tf.int32)
            for id_ in (tokenizer.cls_token_id, tokenizer.sep_token_id)
        )

    def __call__(self, text: tf.Tensor) -> Explanation:
        """Returns the words of a text, and what each did.

        Args:
            text: A string scalar.
        """
        tokens = self._place(text)
        embeddings = self._forward.token_embeddings(
            tf.concat([self._cls, tokens.ids, self._sep], 0)
        )
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            logits = self._forward.logits_of_one(embeddings)
            label, runner_up = tf.unstack(tf.math.top_k(logits, 2).indices)
            margin = logits[label] - logits[runner_up]
        gradient = tape.gradient(margin, embeddings)
        by_token = tf.reduce_sum(embeddings * gradient, 1)[1:-1]
        is_word = tf.pad(tf.ones_like(tokens.ids), [[1, 1]])[:, tf.newaxis]
        without = self._forward.logits_of_one(
            embeddings * tf.cast(1 - is_word, tf.float32)
        )
        lost = margin - (without[label] - without[runner_up])
        starts = tf.math.segment_min(tokens.starts, tokens.words)
        ends = tf.math.segment_max(tokens.ends, tokens.words)
        # A word may span bytes that are no UTF-8, which BERT deletes.
        words = tf.strings.unicode_transcode(
            tf.strings.substr(
                tf.fill(tf.shape(starts), text), starts, ends - starts
            ),
            "UTF-8",
            "UTF-8",
        )
        return Explanation(
            logits,
            words,
            starts,
            ends,
            tf.math.segment_sum(by_token, tokens.words),
            tf.reduce_sum(by_token) - lost,
        )


def explain_each(explainer: Explainer, text: tf.Tensor) -> Explanation:
    """Returns the explanations of texts, one computed after the other.

    Args:
        explainer: Explains one.
        text: string `(num_texts,)`.

    Returns:
        As of one text, with a first axis of `num_texts`; words and what belongs
        to them are padded with `""`, -1, -1 and 0.
    """
    num_texts = tf.size(text)
    shapes: tuple[tuple[Any, list[int | None]], ...] = (
        (tf.float32, [explainer.num_classes]),
        (tf.string, [None]),
        (tf.int32, [None]),
        (tf.int32, [None]),
        (tf.float32, [None]),
        (tf.float32, []),
    )
    arrays = tuple(
        tf.TensorArray(dtype, num_texts, element_shape=shape, infer_shape=False)
        for dtype, shape in shapes
    )
    counts = tf.TensorArray(tf.int64, num_texts, element_shape=[])

    def step(i: Any, counts: Any, arrays: Any) -> Any:
        found = explainer(text[i])
        return (
            i + 1,
            counts.write(i, tf.size(found.words, tf.int64)),
            tuple(
                array.write(i, each)
                for array, each in zip(arrays, found, strict=True)
            ),
        )

    _, counts, arrays = tf.while_loop(
        lambda i, *_: i < num_texts,
        step,
        (0, counts, arrays),
        # One at a time, so that memory is bounded.
        parallel_iterations=1,
    )
    logits, *of_words, error = arrays
    num_words = counts.stack()

    def padded(array: Any, default: Any) -> Any:
        return tf.RaggedTensor.from_row_lengths(
            array.concat(), num_words, validate=False
        ).to_tensor(default)

    words, starts, ends, attributions = (
        padded(array, default)
        for array, default in zip(of_words, ("", -1, -1, 0.0), strict=True)
    )
    return Explanation(
        logits.stack(), words, starts, ends, attributions, error.stack()
    )
