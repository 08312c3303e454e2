"""Reviews that stay in their file and are read again in each pass."""

from array import array
from collections.abc import Callable, Collection, Iterator
from itertools import compress
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kerassent.errors import DataError
from kerassent.reading.checking import CheckedRows, read_checked
from kerassent.reading.table import file_errors
from kerassent.review_base import ReviewsBase


class Streamed(Collection[str]):
    """Strings that are read anew whenever they are iterated over.

    Args:
        length: How many there are.
        read: Begins a pass over them.
    """

    __slots__ = ("_length", "_read")

    def __init__(self, length: int, read: Callable[[], Iterator[str]]) -> None:
        self._length = length
        self._read = read

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return self._read()

    def __contains__(self, text: object) -> bool:
        return any(text == other for other in self)

    def __getitem__(self, index: object) -> str:
        raise TypeError(
            "Streamed reviews can be iterated over, but not indexed. Load "
            "them without `stream=True`, or take a `sample`."
        )


class ReviewStream(ReviewsBase):
    """Reviews of a large csv, tsv or parquet file, with Reviews' methods.

    `load_reviews(..., stream=True)` makes it in one pass over the file, which
    checks all that Reviews check. In memory it keeps 28 bytes a row (class,
    row number, length, and a hash that duplicates are counted by); `texts` and
    `iter_rows` read the file again in each pass. `split` and `sample` give
    streams of some of the rows.

    Args:
        rows: The file's rows.
        path: The file, which must stay as it is.
        class_names: The only labels there may be, or `None`.
    """

    __slots__ = ("_chosen", "_hashes", "_path", "_rows", "_sizes", "_stamp")

    def __init__(
        self,
        rows: CheckedRows,
        path: Path,
        class_names: tuple[str, ...] | None,
    ) -> None:
        self._rows = rows
        self._path = path
        self._stamp = _stamp(path)
        sizes, hashes = array("q"), array("q")

        def keep(text: str) -> None:
            sizes.append(len(text))
            hashes.append(hash(text))

        super().__init__(read_checked(rows, class_names, keep), path.name)
        self._sizes = np.frombuffer(sizes, np.int64)
        self._hashes = np.frombuffer(hashes, np.int64)
        self._chosen = np.ones(len(self), bool)

    @property
    def texts(self) -> Streamed:
        """The texts, read from the file in each pass."""
        return Streamed(
            len(self), lambda: (text for text, _ in self.iter_rows())
        )

    @property
    def labels(self) -> Streamed | None:
        """Each text's label, or `None` if unlabelled."""
        if not self.class_names:
            return None
        names = self.class_names
        return Streamed(len(self), lambda: (names[i] for i in self.label_ids))

    def iter_rows(self) -> Iterator[tuple[str, int]]:
        """Yields each text and its index into `class_names`, -1 unlabelled.

        Raises:
            DataError: The file is not what it was when it was loaded.
        """
        self._check_unchanged()
        ids = iter(self.label_ids)
        with file_errors(self._path):
            try:
                for _, text, _ in compress(self._rows, self._chosen):
                    yield text, int(next(ids))
            except DataError:
                self._check_unchanged()
                raise
        self._check_unchanged()

    def _lengths(self) -> npt.NDArray[np.int64]:
        return self._sizes

    def _num_different(self) -> int:
        # Sorting takes a tenth of np.unique's time and half of its memory.
        ordered = np.sort(self._hashes)
        return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))

    def _take(self, rows: npt.NDArray[np.bool_]) -> Self:
        part = object.__new__(type(self))
        part._rows = self._rows
        part._path = self._path
        part._stamp = self._stamp
        part._sizes = self._sizes[rows]
        part._hashes = self._hashes[rows]
        part._chosen = self._chosen.copy()
        part._chosen[self._chosen] = rows
        checked = self._checked.take(rows)
        ReviewsBase.__init__(part, checked, self.source)
        return part

    def _check_unchanged(self) -> None:
        if _stamp(self._path) != self._stamp:
            raise DataError(
                f"{self._path.name} has changed since it was loaded. Load it "
                "again, and leave it alone while it is streamed."
            )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns
