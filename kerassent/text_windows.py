"""Texts in any number through a model, a bounded number at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from kerassent.arguments import check_counts
from kerassent.contract import encode_each

# Sorted by length, so many fill 256 batches of 32 with little padding, and
# are 10 MB where texts are as long as film reviews.
WINDOW = 8192

_Item = TypeVar("_Item")


def windows(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yields items in order, `WINDOW` at a time, the last time fewer.

    Args:
        items: Any; no more of them is drawn than is yielded next.
    """
    iterator = iter(items)
    while window := list(islice(iterator, WINDOW)):
        yield window


def predict_by_length(
    texts: Iterable[str | bytes],
    predict: Callable[[list[bytes]], np.ndarray],
    *,
    num_classes: int,
    batch_size: int,
) -> np.ndarray:
    """Returns what a model says of texts, in their order.

    Within a window texts of similar length share a batch, so that a short one
    does not pay for a long one. What can be gone through twice, as all but an
    iterator can, is checked before the model is asked for the first time.

    Args:
        texts: Strings or bytes.
        predict: Gives the probabilities `(batch_size, num_classes)` of a batch.
        num_classes: How many there are.
        batch_size: How many texts `predict` is given at once.

    Returns:
        float32 `(num_texts, num_classes)`.

    Raises:
        TypeError: `texts` is a single text or holds something else, or
            `batch_size` is no whole number.
        ValueError: `batch_size` is less than 1.
    """
    check_counts(batch_size=batch_size)
    if not isinstance(texts, Iterator):
        for _ in encode_each(texts):
            pass
    parts = [np.zeros((0, num_classes), np.float32)]
    for window in windows(encode_each(texts)):
        order = np.argsort([len(text) for text in window], kind="stable")
        part = np.empty((len(window), num_classes), np.float32)
        for start in range(0, len(window), batch_size):
            rows = order[start : start + batch_size]
            part[rows] = predict([window[row] for row in rows])
        parts.append(part)
    return np.concatenate(parts)
