"""Where in its source each review is, to be found there again."""

from array import array
from itertools import compress
from typing import Self

import numpy as np
import numpy.typing as npt

from kerassent.reading.table import Table


class RowNumbers:
    """The number that a source's own program gives each row: 8 bytes a row.

    Args:
        table: The table whose rows they are.
    """

    __slots__ = ("_note", "_rows", "_word")

    def __init__(self, table: Table) -> None:
        self._word = table.row_word
        self._note = table.row_note
        self._rows: array[int] | list[object] = array("q")

    def add(self, row: object) -> None:
        """Adds the next row, by its source's own numbering."""
        try:
            self._rows.append(row)  # type: ignore[arg-type]
        except (TypeError, OverflowError):
            # A folder's are file names, a DataFrame's whatever its index has.
            self._rows = [*self._rows, row]

    def take(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """Returns those of some rows.

        Args:
            chosen: `(num_rows,)` bool.
        """
        part = object.__new__(type(self))
        part._word, part._note = self._word, self._note
        rows = compress(self._rows, chosen)
        part._rows = (
            array("q", rows)  # type: ignore[arg-type]
            if isinstance(self._rows, array)
            else list(rows)
        )
        return part

    def name(self, index: int) -> str:
        """Returns what a row is called: `Excel row 14`.

        Args:
            index: Its place among the rows, from 0.
        """
        return f"{self._word} {self._rows[index]}{self._note}"
