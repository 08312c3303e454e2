"""Reviews to the `tf.data.Dataset` that `fit` and `evaluate` take."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from kerassent.arguments import check_counts
from kerassent.contract import encode_texts
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.review_base import ReviewsBase, check_reviews
from kerassent.review_stream import ReviewStream
from kerassent.shutdown import until_shutdown
from kerassent.token_batches import (
    WINDOW,
    TokenBatches,
    TokenizedReviews,
    drawn_ahead,
    in_turn,
    token_dataset,
)

DEFAULT_BATCH_SIZE = 32

# How many reviews a stream is shuffled among: at IMDB's mean length 22 MB.
_STREAM_BUFFER = 16384


def make_dataset(
    reviews: ReviewsBase,
    *,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preprocessor: SentimentPreprocessor | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Any:
    """Returns batches of `(text, label)`, or of `text` without labels.

    `fit` on plain lists never shuffles in keras-nlp, and a spreadsheet is
    often sorted by class: shuffle what you train on. A batch is padded to its
    longest text, so with `shuffle` texts of about the same length share one:
    of each 32 batches' worth of shuffled reviews the shortest make the first
    batch and so on, and the batches are shuffled again.

    With `preprocessor` the texts are tokenized now, once for all epochs, and
    lengths are in tokens; without, they are in bytes.

    Args:
        reviews: What `load_reviews` returned. A stream is read again in each
            epoch and shuffled within a buffer of 16,384 reviews; with
            `preprocessor` it is read once.
        batch_size: How many reviews make a batch; the last may be smaller.
            Default: 32.
        max_tokens: Instead of `batch_size`: how many tokens, with padding, a
            batch may have. Short reviews then make large batches. Goes with
            `preprocessor`.
        shuffle: Whether each epoch has an order of its own.
        seed: Makes the orders the same from run to run.
        preprocessor: Of the classifier that is trained.
        cache: With `preprocessor`: a directory to keep the tokens in, so that
            they take no memory and the next run finds them. Default: memory.

    Returns:
        A `tf.data.Dataset` of known length. Text is string `(batch_size,)`,
        or with `preprocessor` a dictionary of `token_ids` and `padding_mask`,
        int32 `(batch_size, width)`; the label int32 `(batch_size,)`, an index
        into `reviews.class_names`.

    Raises:
        TypeError: `reviews` are no Reviews, or a number is no whole one.
        ValueError: An argument is below 1, or goes with another one.
    """
    check_reviews(reviews)
    check_counts(batch_size=batch_size, max_tokens=max_tokens)
    if preprocessor is None and (max_tokens or cache) is not None:
        raise ValueError(
            "`max_tokens` and `cache` need to know the tokens: pass "
            "`preprocessor=classifier.preprocessor`. Received: "
            f"max_tokens={max_tokens}, cache={cache!r}"
        )
    if batch_size is not None and max_tokens is not None:
        raise ValueError(
            "`batch_size` and `max_tokens` are two ways to say the same. "
            f"Received: batch_size={batch_size}, max_tokens={max_tokens}"
        )
    if batch_size is None:
        batch_size = DEFAULT_BATCH_SIZE
    if preprocessor is not None:
        return token_dataset(
            TokenBatches(
                TokenizedReviews.of(reviews, preprocessor, cache),
                None if reviews.labels is None else reviews.label_ids,
                preprocessor,
                batch_size=batch_size,
                max_tokens=max_tokens,
                shuffle=shuffle,
                seed=_drawn() if seed is None else seed,
            ),
            in_turn(),
        )
    dataset = _rows(reviews)
    if shuffle:
        streamed = isinstance(reviews, ReviewStream)
        dataset = dataset.shuffle(
            _STREAM_BUFFER if streamed else len(reviews), seed=seed
        )
        dataset = _batched_by_length(dataset, batch_size)
        dataset = dataset.shuffle(WINDOW, seed=seed)
    else:
        dataset = dataset.batch(batch_size)
    return drawn_ahead(dataset, -(-len(reviews) // batch_size))


def _drawn() -> int:
    return int(np.random.default_rng().integers(1 << 31))


def _rows(reviews: ReviewsBase) -> Any:
    """Returns a dataset of `(text, label)`, or of `(text,)`."""
    labelled = reviews.labels is not None
    if not isinstance(reviews, ReviewStream):
        texts = tf.constant(encode_texts(reviews.texts))
        columns = (texts, reviews.label_ids) if labelled else texts
        return tf.data.Dataset.from_tensor_slices(columns)
    text_spec = tf.TensorSpec([], tf.string)
    label_spec = tf.TensorSpec([], tf.int32)
    return tf.data.Dataset.from_generator(
        lambda: until_shutdown(
            reviews.iter_rows() if labelled else iter(reviews.texts)
        ),
        output_signature=(text_spec, label_spec) if labelled else text_spec,
    )


def _batched_by_length(dataset: Any, batch_size: int) -> Any:
    def batches(text: Any, *label: Any) -> Any:
        order = tf.argsort(tf.strings.length(text))
        columns = tuple(tf.gather(column, order) for column in (text, *label))
        return tf.data.Dataset.from_tensor_slices(
            columns if label else columns[0]
        ).batch(batch_size)

    return dataset.batch(WINDOW * batch_size).flat_map(batches)
