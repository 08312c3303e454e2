"""Reviews to the `tf.data.Dataset` that `fit` and `evaluate` take."""

from typing import Any

import tensorflow as tf

from kerassent.contract import encode_texts
from kerassent.review_base import ReviewsBase
from kerassent.review_stream import ReviewStream

DEFAULT_BATCH_SIZE = 32

# How many reviews a stream is shuffled among: at IMDB's mean length 22 MB.
_STREAM_BUFFER = 16384
# How many batches are sorted by length together.
_WINDOW = 32


def make_dataset(
    reviews: ReviewsBase,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    shuffle: bool = False,
    seed: int | None = None,
) -> Any:
    """Returns batches of `(text, label)`, or of `text` without labels.

    `fit` on plain lists never shuffles in keras-nlp, and a spreadsheet is
    often sorted by class: shuffle what you train on. A batch is padded to its
    longest text, so with `shuffle` texts of about the same length in bytes
    share one: of each 32 batches' worth of shuffled reviews the shortest make
    the first batch and so on, and the batches are shuffled again.

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
    dataset = _rows(reviews)
    if shuffle:
        streamed = isinstance(reviews, ReviewStream)
        dataset = dataset.shuffle(
            _STREAM_BUFFER if streamed else len(reviews), seed=seed
        )
        dataset = _batched_by_length(dataset, batch_size)
        dataset = dataset.shuffle(_WINDOW, seed=seed)
    else:
        dataset = dataset.batch(batch_size)
    num_batches = -(-len(reviews) // batch_size)
    return dataset.apply(
        tf.data.experimental.assert_cardinality(num_batches)
    ).prefetch(tf.data.AUTOTUNE)


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
        lambda: reviews.iter_rows() if labelled else iter(reviews.texts),
        output_signature=(text_spec, label_spec) if labelled else text_spec,
    )


def _batched_by_length(dataset: Any, batch_size: int) -> Any:
    def batches(text: Any, *label: Any) -> Any:
        order = tf.argsort(tf.strings.length(text))
        columns = tuple(tf.gather(column, order) for column in (text, *label))
        return tf.data.Dataset.from_tensor_slices(
            columns if label else columns[0]
        ).batch(batch_size)

    return dataset.batch(_WINDOW * batch_size).flat_map(batches)
