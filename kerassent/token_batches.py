"""Reviews as tokens, made once, and the batches of each epoch."""

import hashlib
import itertools
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf

from kerassent.contract import encode_texts
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.review_base import ReviewsBase
from kerassent.review_hash import hash_reviews
from kerassent.shutdown import until_shutdown
from kerassent.vocabulary_hash import hash_vocabulary

# How many reviews are tokenized in one call.
_CHUNK = 2048

# How many batches are made while one is trained on.
_BATCHES_AHEAD = 2

# How many batches' worth of reviews are sorted by length together.
WINDOW = 32


@dataclass(frozen=True, eq=False)
class TokenizedReviews:
    """The tokens of all reviews, one after the other.

    Args:
        tokens: `(num_tokens,)`, uint16 or int32; may be mapped from a file.
        splits: int64 `(num_reviews + 1,)`, where each review's tokens begin.
    """

    tokens: np.ndarray
    splits: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64 `(num_reviews,)`: how many tokens each review has."""
        return np.diff(self.splits)

    @classmethod
    def of(
        cls,
        reviews: ReviewsBase,
        preprocessor: SentimentPreprocessor,
        cache: str | os.PathLike[str] | None = None,
        data_hash: str | None = None,
    ) -> Self:
        """Tokenizes reviews, or takes what was kept of the last time.

        Args:
            reviews: The reviews.
            preprocessor: Makes their tokens.
            cache: A directory for them, on disk instead of in memory. What is
                in it is known by a hash of the reviews, the vocabulary and
                the preprocessor's settings.
            data_hash: What `hash_reviews` returned, if it is known.
        """
        dtype = np.dtype(
            np.uint16
            if preprocessor.tokenizer.vocabulary_size() <= 1 << 16
            else np.int32
        )
        if cache is None:
            parts = list(_tokenized(reviews, preprocessor))
            return cls(
                np.concatenate(
                    [
                        np.zeros(0, dtype),
                        *(ids.astype(dtype) for ids, _ in parts),
                    ]
                ),
                _splits([lengths for _, lengths in parts]),
            )
        data_hash = data_hash or hash_reviews(reviews)
        home = pathlib.Path(cache, _key(data_hash, preprocessor))
        if not home.is_dir():
            beside = home.with_name(f"{home.name}.{os.getpid()}.writing")
            beside.mkdir(parents=True)
            try:
                counts = []
                with (beside / "tokens.bin").open("wb") as file:
                    for ids, lengths in _tokenized(reviews, preprocessor):
                        ids.astype(dtype).tofile(file)
                        counts.append(lengths)
                np.save(beside / "splits.npy", _splits(counts))
                if not home.is_dir():
                    beside.rename(home)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        splits = np.load(home / "splits.npy", allow_pickle=False)
        if not splits[-1]:
            return cls(np.zeros(0, dtype), splits)
        return cls(np.memmap(home / "tokens.bin", dtype, "r"), splits)


@dataclass(frozen=True, eq=False)
class TokenBatches:
    """The batches of each epoch: which reviews, and their padded tokens.

    Reviews of about the same length share a batch, each epoch has another
    order, no review is left out or comes twice, and the number of batches is
    the same each time.

    Args:
        reviews: The tokens.
        label_ids: int32 `(num_reviews,)`, or `None`.
        preprocessor: Says how wide a batch is, and what pads it.
        batch_size: How many reviews make a batch.
        max_tokens: Instead: how many tokens with padding a batch may have.
        shuffle: Whether each epoch has an order of its own.
        seed: Makes the orders the same from run to run.
    """

    reviews: TokenizedReviews
    label_ids: np.ndarray | None
    preprocessor: SentimentPreprocessor
    batch_size: int | None
    max_tokens: int | None
    shuffle: bool
    seed: int

    def __len__(self) -> int:
        return len(self._plan(np.random.default_rng(0)))

    def epoch(self, number: int, start: int = 0) -> Iterator[Any]:
        """Yields an epoch's batches.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """
        for rows in self._order(number)[start:]:
            yield self._batch(rows)

    def num_tokens(self, number: int) -> np.ndarray:
        """Returns how many tokens, without padding, an epoch's batches have.

        Args:
            number: The epoch, from 0.

        Returns:
            int64 `(num_batches,)`.
        """
        lengths = self.reviews.lengths
        return np.array(
            [lengths[rows].sum() for rows in self._order(number)], np.int64
        )

    def _order(self, number: int) -> list[np.ndarray]:
        """Returns the rows of an epoch's batches, in their order."""
        rng = np.random.default_rng([self.seed, number * self.shuffle])
        plan = self._plan(rng)
        if self.shuffle:
            rng.shuffle(plan)
        return plan

    def _plan(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Returns each batch's rows."""
        lengths = self.reviews.lengths
        if self.max_tokens is not None:
            return self._plan_by_tokens(lengths, rng)
        size = self.batch_size or 1
        order = np.arange(len(lengths))
        if self.shuffle:
            rng.shuffle(order)
            for first in range(0, len(order), WINDOW * size):
                window = order[first : first + WINDOW * size]
                order[first : first + WINDOW * size] = window[
                    np.argsort(lengths[window], kind="stable")
                ]
        return [order[i : i + size] for i in range(0, len(order), size)]

    def _plan_by_tokens(
        self, lengths: np.ndarray, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Returns batches of as many rows as fit, all lengths sorted.

        The cuts depend on the sorted lengths alone, so they are the same in
        each epoch; rows of equal width change places between batches.
        """
        most = self.max_tokens or 1
        widths = self.preprocessor.width(lengths)
        order = np.lexsort((rng.permutation(len(lengths)), widths))
        plan, first = [], 0
        for i in range(len(order)):
            if (i + 1 - first) * widths[order[i]] > most and i > first:
                plan.append(order[first:i])
                first = i
        if first < len(order):
            plan.append(order[first:])
        return plan

    def _batch(self, rows: np.ndarray) -> Any:
        lengths = self.reviews.lengths[rows]
        width = self.preprocessor.width(lengths.max())
        inside = np.arange(width) < lengths[:, np.newaxis]
        token_ids = np.full(
            inside.shape, self.preprocessor.tokenizer.pad_token_id, np.int32
        )
        splits = self.reviews.splits
        token_ids[inside] = np.concatenate(
            [self.reviews.tokens[splits[i] : splits[i + 1]] for i in rows]
        )
        x = {"token_ids": token_ids, "padding_mask": inside.astype(np.int32)}
        return x if self.label_ids is None else (x, self.label_ids[rows])


def token_dataset(
    batches: TokenBatches, position: Callable[[], tuple[int, int]]
) -> Any:
    """Returns the `tf.data.Dataset` of an epoch's batches.

    Args:
        batches: The batches.
        position: Asked each time the dataset is iterated over anew: the
            epoch, and the batch to begin with.
    """
    tokens = tf.TensorSpec([None, None], tf.int32)
    x = {"token_ids": tokens, "padding_mask": tokens}
    labels = tf.TensorSpec([None], tf.int32)
    dataset = tf.data.Dataset.from_generator(
        lambda: until_shutdown(batches.epoch(*position())),
        output_signature=x if batches.label_ids is None else (x, labels),
    )
    return drawn_ahead(dataset, len(batches))


def drawn_ahead(dataset: Any, num_batches: int) -> Any:
    """Returns a dataset of known length whose next batches are made meanwhile.

    Without tf.data's autotuning: its thread sleeps 10 ms, 20 ms and so on up
    to a minute, and the end of an epoch's iterator waits until it wakes: half
    of the epochs of 12 s took 20 s (TensorFlow 2.21).

    Args:
        dataset: Of batches.
        num_batches: How many.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        dataset.apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(_BATCHES_AHEAD)
        .with_options(options)
    )


def in_turn() -> Callable[[], tuple[int, int]]:
    """Returns a position that is the next epoch's beginning each time."""
    count = itertools.count()
    return lambda: (next(count), 0)


def _tokenized(
    reviews: ReviewsBase, preprocessor: SentimentPreprocessor
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields tokens and their numbers, some thousand reviews at a time."""
    # Concrete, since TensorFlow warns where one line is traced several times,
    # though it is for as many preprocessors.
    tokens_of = tf.function(
        preprocessor.tokens, autograph=False
    ).get_concrete_function(tf.TensorSpec([None], tf.string))
    chunk: list[str] = []

    def tokenized() -> tuple[np.ndarray, np.ndarray]:
        tokens = tokens_of(tf.constant(encode_texts(chunk), tf.string))
        return tokens.values.numpy(), tokens.row_lengths().numpy()

    for text, _ in reviews.iter_rows():
        chunk.append(text)
        if len(chunk) == _CHUNK:
            yield tokenized()
            chunk.clear()
    if chunk:
        yield tokenized()


def _splits(lengths: list[np.ndarray]) -> np.ndarray:
    return np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)


def _key(data_hash: str, preprocessor: SentimentPreprocessor) -> str:
    """Returns a hash of all that decides the tokens."""
    made_by = [
        data_hash,
        hash_vocabulary(preprocessor),
        json.dumps(preprocessor.settings, sort_keys=True),
    ]
    return hashlib.sha256(" ".join(made_by).encode()).hexdigest()[:32]
