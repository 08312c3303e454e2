"""A chunk's texts through a model: each text once, like lengths together."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kerassent.client import Client
from kerassent.client._waiting import begin
from kerassent.errors import TextTooLong
from kerassent.prediction import Model

# A batch holds so many bytes of text, and no fewer or more texts than these:
# a matrix product is as fast as it gets from a few thousand tokens on.
BATCH_BYTES: Final = 60_000
MIN_BATCH: Final = 32
MAX_BATCH: Final = 256

# So many texts a client is given at a time, which it cuts into requests, and so
# many times at once: the server has work while one call's last answers come.
_CLIENT_TEXTS: Final = 1024
_CLIENT_CALLS: Final = 2

FloatArray = npt.NDArray[np.float32]


def score_texts(
    model: Model,
    texts: list[bytes | None],
    *,
    batch_size: int | None = None,
    advance: Callable[[int], object] = lambda count: None,
    refused: set[bytes] | None = None,
) -> FloatArray:
    """Returns what a model says of texts, in their order.

    Args:
        model: What to ask.
        texts: The texts; `None` for a row that has none.
        batch_size: How many texts go through a model of this process at once,
            or `None` for as many as are fast: the shorter, the more.
        advance: Is called with how many more rows have an answer.
        refused: Gets the texts that are too long for a server. Without it
            the first of them is an error.

    Returns:
        float32 `(num_texts, num_classes)`; NaN where there is no text, or a
        refused one.

    Raises:
        ServingError: The server gave no answer.
    """
    places: dict[bytes, int] = {}
    for text in texts:
        if text is not None:
            places.setdefault(text, len(places))
    unique = list(places)
    lengths = np.array([len(text) for text in unique], np.int64)
    order = np.argsort(lengths, kind="stable")
    num_classes = len(model.class_names)
    # The last row is that of all which have no text.
    answers = np.full((len(unique) + 1, num_classes), np.nan, np.float32)
    rows = np.array(
        [-1 if text is None else places[text] for text in texts], np.int64
    )
    counts = np.bincount(rows[rows >= 0], minlength=len(unique))
    batches = [
        order[start:end]
        for start, end in _spans(model, lengths[order], batch_size)
    ]
    asked = _asked(
        model,
        ([unique[place] for place in batch] for batch in batches),
        refused,
    )
    for batch, probabilities in zip(batches, asked, strict=True):
        answers[batch] = probabilities
        advance(int(counts[batch].sum()))
    return answers[rows]


def _asked(
    model: Any, batches: Iterable[list[bytes]], refused: set[bytes] | None
) -> Iterator[FloatArray]:
    """Yields the probabilities of each batch, in order."""
    is_client = isinstance(model, Client)

    def ask(batch: list[bytes]) -> FloatArray:
        found: FloatArray
        if not is_client:
            found = model.predict_proba(batch, batch_size=len(batch))
            return found
        try:
            found = model.predict_proba(batch)
        except TextTooLong:
            if refused is None:
                raise
            if len(batch) == 1:
                refused.update(batch)
                return np.full((1, len(model.class_names)), np.nan, np.float32)
            middle = len(batch) // 2
            parts = [ask(batch[:middle]), ask(batch[middle:])]
            found = np.concatenate(parts)
        return found

    calls = _CLIENT_CALLS if is_client else getattr(model, "calls_at_once", 1)
    if calls == 1:
        yield from map(ask, batches)
        return
    if not is_client:
        with ThreadPoolExecutor(calls) as pool:
            try:
                yield from pool.map(ask, batches)
            finally:
                pool.shutdown(cancel_futures=True)
        return
    under_way: collections.deque[Future[FloatArray]] = collections.deque()
    for batch in batches:
        if len(under_way) == calls:
            yield under_way.popleft().result()
        under_way.append(begin(partial(ask, batch)))
    while under_way:
        yield under_way.popleft().result()


def _spans(
    model: Model, lengths: npt.NDArray[np.int64], batch_size: int | None
) -> Iterator[tuple[int, int]]:
    """Yields the batches of texts that are sorted by length."""
    start = 0
    while start < len(lengths):
        if isinstance(model, Client):
            end = start + _CLIENT_TEXTS
        elif batch_size is not None:
            end = start + batch_size
        else:
            end = start + _batch_size(lengths, start)
        yield start, min(end, len(lengths))
        start = end


def _batch_size(lengths: npt.NDArray[np.int64], start: int) -> int:
    """Returns how many of the next texts fit, each as long as the longest."""
    candidates = lengths[start : start + MAX_BATCH]
    room = BATCH_BYTES // np.maximum(candidates, 1)
    fits = np.arange(1, len(candidates) + 1) <= np.maximum(room, MIN_BATCH)
    return int(np.count_nonzero(np.logical_and.accumulate(fits)))
