"""Reviews to the `tf.data.Dataset` that `fit` and `evaluate` take."""

from typing import Any

import tensorflow as tf

from kerassent.contract import encode_texts
from kerassent.review_base import ReviewsBase
from kerassent.review_stream import ReviewStream

DEFAULT_BATCH_SIZE = 32

# How many reviews a stream is shuffled among: at IMDB's mean length 22 MB.
_STREAM_BUFFER = 16384


def make_dataset(
    reviews: ReviewsBase,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    shuffle: bool = False,
    seed: int | None = None,
) -> Any:
    """Returns batches of `(text, label)`, or of `text` without labels.

    `fit` on plain lists never shuffles in keras-nlp, and a spreadsheet is
    often sorted by class: shuffle what you train on.

    Args:
        reviews: What `load_reviews` returned. A stream is read again in each
            epoch and shuffled within a buffer of 16,384 reviews.
        batch_size: How many reviews make a batch; the last may be smaller.
        shuffle: Whether each epoch has an order of its own.
        seed: Makes the orders the same from run to run.

    Returns:
        A `tf.data.Dataset` of known length: text is string `(batch_size,)`,
        the label int32 `(batch_size,)`, an index into `reviews.class_names`.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(
            f"`batch_size` must be 1 or more. Received: {batch_size}"
        )
    source = _from_stream if isinstance(reviews, ReviewStream) else _from_memory
    dataset = source(reviews, batch_size, shuffle, seed)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _from_memory(
    reviews: ReviewsBase, batch_size: int, shuffle: bool, seed: int | None
) -> Any:
    texts = tf.constant(encode_texts(reviews.texts))
    dataset = tf.data.Dataset.range(len(reviews))
    if shuffle:
        dataset = dataset.shuffle(len(reviews), seed=seed)
    dataset = dataset.batch(batch_size)
    if reviews.labels is None:
        return dataset.map(lambda rows: tf.gather(texts, rows))
    labels = tf.constant(reviews.label_ids)
    return dataset.map(
        lambda rows: (tf.gather(texts, rows), tf.gather(labels, rows))
    )


def _from_stream(
    reviews: ReviewsBase, batch_size: int, shuffle: bool, seed: int | None
) -> Any:
    labelled = reviews.labels is not None
    text_spec = tf.TensorSpec([], tf.string)
    label_spec = tf.TensorSpec([], tf.int32)

    def rows() -> Any:
        return reviews.iter_rows() if labelled else iter(reviews.texts)

    dataset = tf.data.Dataset.from_generator(
        rows,
        output_signature=(text_spec, label_spec) if labelled else text_spec,
    ).apply(tf.data.experimental.assert_cardinality(len(reviews)))
    if shuffle:
        dataset = dataset.shuffle(_STREAM_BUFFER, seed=seed)
    return dataset.batch(batch_size)
