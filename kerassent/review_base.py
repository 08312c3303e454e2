"""What Reviews in memory and Reviews in a file have in common."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from kerassent.reading.checking import Checked
from kerassent.review_sampling import sample_rows, split_rows
from kerassent.review_summary import Summary, summarize


class ReviewsBase(ABC):
    """Labels, split, sample and summary, wherever the texts are.

    Args:
        checked: What reading the source has found out.
        source: The source's name, for messages.
    """

    __slots__ = ("_checked", "_source")

    def __init__(self, checked: Checked, source: str) -> None:
        checked.label_ids.flags.writeable = False
        self._checked = checked
        self._source = source

    def __len__(self) -> int:
        return len(self._checked.label_ids)

    def __repr__(self) -> str:
        classes = f"class_names={self.class_names!r}, " * bool(self.class_names)
        return (
            f"{type(self).__name__}({len(self):,} texts, {classes}"
            f"source={self._source!r})"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, in the order of `label_ids`; () unlabelled."""
        return self._checked.class_names

    @property
    def label_ids(self) -> npt.NDArray[np.int32]:
        """Each review's index into `class_names`, read-only.

        `(num_reviews,)` int32; -1 everywhere if unlabelled.
        """
        return self._checked.label_ids

    @property
    def source(self) -> str:
        """The name of the file, or what else the reviews come from."""
        return self._source

    def row_name(self, index: int) -> str:
        """Returns where a review is in its source: `Excel row 14`.

        Args:
            index: Its place among the reviews, from 0.
        """
        return self._checked.rows.name(index)

    @property
    @abstractmethod
    def texts(self) -> Collection[str]:
        """The texts."""

    @property
    @abstractmethod
    def labels(self) -> Collection[str] | None:
        """Each text's label, or `None` if unlabelled."""

    @abstractmethod
    def iter_rows(self) -> Iterator[tuple[str, int]]:
        """Yields each text and its index into `class_names`."""

    def split(
        self, *, test_size: float = 0.1, seed: int = 0
    ) -> tuple[Self, Self]:
        """Returns two parts with the classes in the same proportions.

        Each row is in one of the parts, in the order it had, and each class
        is in both. The parts keep `class_names`.

        Args:
            test_size: The second part's share (between 0 and 1, rounded up to
                whole rows), or its number of rows (an int).
            seed: The same seed gives the same parts.

        Returns:
            The rest, for training, and the test part.

        Raises:
            DataError: A class has too few rows to be in both parts.
            ValueError: `test_size` leaves a part with too few rows.
        """
        chosen = split_rows(
            self._strata(), self.class_names, test_size=test_size, seed=seed
        )
        return self._take(~chosen), self._take(chosen)

    def sample(self, limit: int, *, seed: int = 0) -> Self:
        """Returns some of the reviews, the classes in the same proportions.

        Args:
            limit: How many. All, if there are no more.
            seed: The same seed gives the same reviews.

        Raises:
            ValueError: `limit` is less than the number of classes.
        """
        chosen = sample_rows(
            self._strata(), self.class_names, limit=limit, seed=seed
        )
        return self if chosen.all() else self._take(chosen)

    def summary(self) -> Summary:
        """Returns counts, balance, lengths and duplicates.

        `dates` and `dropped` are the source's, in the parts of a split too.
        """
        return summarize(
            source=self._source,
            label_ids=self.label_ids,
            class_names=self.class_names,
            lengths=self._lengths(),
            num_different=self._num_different(),
            dates=self._checked.dates,
            dropped=self._checked.dropped,
        )

    @abstractmethod
    def _lengths(self) -> npt.NDArray[np.int64]:
        """Returns each text's length in characters."""

    @abstractmethod
    def _num_different(self) -> int:
        """Returns how many different texts there are."""

    @abstractmethod
    def _take(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Returns the reviews of some rows, `(num_reviews,)` bool."""

    def _strata(self) -> npt.NDArray[np.int32]:
        return self.label_ids if self.class_names else self.label_ids + 1


def check_reviews(reviews: object, argument: str = "reviews") -> None:
    """Raises `TypeError` for what is no Reviews, such as a file's path.

    Args:
        reviews: What was passed.
        argument: Its name.
    """
    if isinstance(reviews, ReviewsBase):
        return
    if isinstance(reviews, (str, os.PathLike)):
        path = os.fspath(reviews)
        fix = f"Read the file first: `load_reviews({path!r}, text=…, label=…)`."
    else:
        fix = (
            "`load_reviews` makes them of a file or a DataFrame, "
            "`Reviews(texts, labels)` of lists."
        )
    raise TypeError(
        f"`{argument}` must be Reviews. Received: {reviews!r:.60} of type "
        f"{type(reviews).__name__}. {fix}"
    )
