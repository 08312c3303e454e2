"""Which rows go where: drawn by a seed, each class in its proportion."""

import math

import numpy as np
import numpy.typing as npt

from kerassent.arguments import check_seed
from kerassent.errors import DataError

Rows = npt.NDArray[np.bool_]


def split_rows(
    label_ids: npt.NDArray[np.int32],
    class_names: tuple[str, ...],
    *,
    test_size: float,
    seed: int,
) -> Rows:
    """Returns which rows are a split's test part, `(num_reviews,)` bool.

    Args:
        label_ids: Each row's class, `(num_reviews,)` int32; all alike without
            labels.
        class_names: The classes' names; none means no labels.
        test_size: The test part's share (between 0 and 1, rounded up), or
            its rows (an int).
        seed: The same seed draws the same rows.

    Raises:
        DataError: A class has too few rows to be in both parts.
        ValueError: `test_size` leaves one of the parts without rows.
    """
    num_rows = len(label_ids)
    if _is_whole(test_size):
        size = int(test_size)
    elif isinstance(test_size, float) and 0 < test_size < 1:
        size = math.ceil(test_size * num_rows)
    else:
        raise ValueError(
            "`test_size` must be a share between 0 and 1, or a whole number "
            f"of rows, got {test_size!r}."
        )
    counts = np.bincount(label_ids)
    num_classes = int(np.count_nonzero(counts))
    if not num_classes <= size <= num_rows - num_classes:
        classes = f" of {num_classes} classes" if class_names else ""
        raise ValueError(
            f"`test_size={test_size!r}` of {num_rows:,} rows{classes} is "
            f"{size:,} rows and leaves {num_rows - size:,}. Both parts need "
            f"at least {num_classes}."
        )
    small = [
        name
        for name, count in zip(class_names, counts, strict=False)
        if count == 1
    ]
    if small:
        raise DataError(
            f"The class {small[0]!r} has 1 row, and a split needs 2 of each "
            "class. Add rows of it, or take the class out."
        )
    present = np.minimum(counts, 1)
    takes = _allocate(counts, size, present, counts - present)
    return _draw(label_ids, takes, seed)


def sample_rows(
    label_ids: npt.NDArray[np.int32],
    class_names: tuple[str, ...],
    *,
    limit: int,
    seed: int,
) -> Rows:
    """Returns which rows are a sample, `(num_reviews,)` bool.

    Args:
        label_ids: Each row's class, `(num_reviews,)` int32; all alike without
            labels.
        class_names: The classes' names; none means no labels.
        limit: How many rows to draw.
        seed: The same seed draws the same rows.

    Raises:
        ValueError: `limit` is less than the number of classes.
    """
    if not _is_whole(limit):
        raise TypeError(f"`limit` must be a whole number, got {limit!r}.")
    counts = np.bincount(label_ids)
    num_classes = int(np.count_nonzero(counts))
    if limit < num_classes:
        least = f"{num_classes}, one row of each class" if class_names else "1"
        raise ValueError(f"`limit` must be at least {least}, got {limit!r}.")
    if limit >= len(label_ids):
        return np.ones(len(label_ids), bool)
    takes = _allocate(counts, int(limit), np.minimum(counts, 1), counts)
    return _draw(label_ids, takes, seed)


def _allocate(
    counts: npt.NDArray[np.intp],
    size: int,
    lowest: npt.NDArray[np.intp],
    highest: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """Returns how many rows of each class make a part of `size` rows.

    Each class's share is rounded so that the sum is exact: up where the
    remainder is largest, and within the bounds.
    """
    shares = counts * (size / counts.sum())
    takes: npt.NDArray[np.intp] = np.clip(
        np.floor(shares).astype(np.intp), lowest, highest
    )
    while (missing := size - takes.sum()) != 0:
        step = 1 if missing > 0 else -1
        room = takes < highest if step > 0 else takes > lowest
        gain = np.where(room, (shares - takes) * step, -np.inf)
        takes[np.argmax(gain)] += step
    return takes


def _draw(
    label_ids: npt.NDArray[np.int32], takes: npt.NDArray[np.intp], seed: int
) -> Rows:
    check_seed(seed)
    random = np.random.default_rng(int(seed))
    chosen = np.zeros(len(label_ids), bool)
    by_class = np.argsort(label_ids, kind="stable")
    ends = np.cumsum(np.bincount(label_ids))
    for rows, take in zip(np.split(by_class, ends[:-1]), takes, strict=True):
        chosen[random.choice(rows, size=take, replace=False)] = True
    return chosen


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
