"""Which words moved the answer: integrated gradients, from no word to all.

The path leads from a text whose words nobody reads to the text as it is. On the
way attention reads every word, in all layers, with a part of its weight, and
what the margin gains at each step is shared out by its gradient for each word's
weight. So a word's attribution is what its being read adds, and all of them
together are the margin less that of the text without words.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kerassent.flat_forward import FlatForward
from kerassent.forward import NEVER
from kerassent.path_points import path_points
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.text_offsets import TokenPlacer

# The first rule's intervals; each further rule, which has twice as many, is
# tried only where the last one's error is larger than this part of the change
# of the margin, or than so many logits where there is hardly a change.
_INTERVALS = 12
_NUM_RULES = 3
_TOLERATED = 0.01
_TOLERATED_LOGITS = 0.002

# A word's weight is this power of the way gone: the first few hundredths of the
# weight of many words move the answer most.
_POWER = 4

# What is read at once, so that memory is bounded.
_TOKENS_AT_ONCE = 1024


class Explained(NamedTuple):
    """Of one text, the words and what each adds to the label's margin.

    The margin is the label's logit less the highest of the others.

    Args:
        logits: float32 `(num_classes,)`.
        label: int32 scalar: the class that is explained.
        words: string `(num_words,)`, valid UTF-8.
        starts: int32 `(num_words,)`, a word's first byte in the text.
        ends: int32 `(num_words,)`, the byte after its last.
        attributions: float32 `(num_words,)`.
        completeness_error: float32 scalar: the sum of the attributions less
            what the margin really loses when no word is read.
    """

    logits: Any
    label: Any
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
        target: The class to explain. Default: each text's label.

    Attributes:
        num_classes: The number of logits.

    Reference:
        [Sundararajan et al., 2017](https://arxiv.org/abs/1703.01365).
    """

    def __init__(
        self,
        forward: FlatForward,
        preprocessor: SentimentPreprocessor,
        target: int | None = None,
    ) -> None:
        self._forward = forward
        self._target = target
        self.num_classes = forward.num_classes
        self._place = TokenPlacer(preprocessor)
        tokenizer = preprocessor.tokenizer
        self._cls, self._sep = (
            tf.constant([id_], tf.int32)
            for id_ in (tokenizer.cls_token_id, tokenizer.sep_token_id)
        )
        rules = path_points(_INTERVALS, _NUM_RULES)
        # At the first point, where nothing is read, the gradient is 0.
        points = rules.points[1:]
        self._counts = tf.constant(rules.counts, tf.int32) - 1
        # Of the logarithm of the words' weight, which is added to scores.
        self._log_weights = tf.constant(_POWER * np.log(points), tf.float32)
        self._rules = tf.constant(
            rules.weights[:, 1:] * _POWER / points, tf.float32
        )

    def __call__(self, text: tf.Tensor) -> Explained:
        """Returns the words of a text, and what each did.

        Args:
            text: A string scalar.
        """
        tokens = self._place(text)
        ids = tf.concat([self._cls, tokens.ids, self._sep], 0)
        without, logits = tf.unstack(
            self._forward.logits_by_reading(
                ids, _of_words(ids, tf.constant([NEVER, 0.0]))
            )
        )
        label, other = self._compared(logits)
        change = (logits[label] - logits[other]) - (
            without[label] - without[other]
        )
        by_token = self._integrated(ids, label, other, change)
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
        return Explained(
            logits,
            label,
            words,
            starts,
            ends,
            tf.math.segment_sum(by_token, tokens.words),
            tf.reduce_sum(by_token) - change,
        )

    def _compared(self, logits: Any) -> tuple[Any, Any]:
        """Returns the class that is explained, and the highest other."""
        label = (
            tf.argmax(logits, output_type=tf.int32)
            if self._target is None
            else tf.constant(self._target, tf.int32)
        )
        is_label = tf.range(self.num_classes) == label
        others = tf.where(is_label, logits.dtype.min, logits)
        return label, tf.argmax(others, output_type=tf.int32)

    def _slopes(
        self, ids: Any, label: Any, other: Any, log_weights: Any
    ) -> Any:
        """Returns the margin's, for the logarithm of each token's weight.

        Args:
            ids: The tokens from [CLS] to [SEP].
            label: The class that is explained.
            other: The one it is compared with.
            log_weights: `(num_readings,)`, what the words' weights are.

        Returns:
            `(num_readings, num_tokens - 2)`.
        """
        bias = _of_words(ids, log_weights)
        with tf.GradientTape() as tape:
            tape.watch(bias)
            logits = self._forward.logits_by_reading(ids, bias)
        margin = tf.one_hot([label], self.num_classes) - tf.one_hot(
            [other], self.num_classes
        )
        of_each = tf.broadcast_to(margin, tf.shape(logits))
        return tape.gradient(logits, bias, of_each)[:, 1:-1]

    def _integrated(self, ids: Any, label: Any, other: Any, change: Any) -> Any:
        """Returns what each token adds, `(num_tokens - 2,)`."""
        num_tokens = tf.size(ids) - 2
        at_once = tf.maximum(_TOKENS_AT_ONCE // tf.size(ids), 1)
        tolerated = tf.maximum(_TOLERATED * tf.abs(change), _TOLERATED_LOGITS)

        def look(rule: Any, slopes: Any, _: Any) -> Any:
            done = tf.shape(slopes)[0]
            upto = tf.minimum(done + at_once, self._counts[rule])
            found = self._slopes(
                ids, label, other, self._log_weights[done:upto]
            )
            slopes = tf.concat([slopes, found], 0)
            by_token = tf.linalg.matvec(
                slopes, self._rules[rule, :upto], transpose_a=True
            )
            error = tf.abs(tf.reduce_sum(by_token) - change)
            is_done = upto == self._counts[rule]
            is_finer = is_done & (error > tolerated) & (rule < _NUM_RULES - 1)
            return rule + tf.cast(is_finer, tf.int32), slopes, by_token

        _, _, by_token = tf.while_loop(
            lambda rule, slopes, _: tf.shape(slopes)[0] < self._counts[rule],
            look,
            (0, tf.zeros([0, num_tokens]), tf.zeros([num_tokens])),
            (
                tf.TensorShape([]),
                tf.TensorShape([None, None]),
                tf.TensorShape([None]),
            ),
            parallel_iterations=1,
        )
        return by_token


def _of_words(ids: Any, log_weights: Any) -> Any:
    """Returns log weights of tokens, of which [CLS] and [SEP] keep theirs.

    Args:
        ids: The tokens.
        log_weights: `(num_readings,)`, the words'.

    Returns:
        `(num_readings, num_tokens)`.
    """
    is_word = tf.pad(tf.ones(tf.shape(ids) - 2), [[1, 1]])
    return log_weights[:, tf.newaxis] * is_word
