"""What every reader offers: named columns, and rows of raw cells."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, NamedTuple, Self

from kerassent.errors import DataError, listed

# A row by its source's own numbering, its text and its label as they are read.
Row = tuple[object, object, object]

# The cell of a column that a row does not have; in a JSON object, no such key.
MISSING: Final = object()


class Record(NamedTuple):
    """A whole row, as it is read.

    Args:
        row: Its number, by its source's own numbering.
        cells: A cell for each column, to be kept as it is.
        text: The text's cell as `rows` gives it.
        problem: What is wrong with the row as a whole, to follow "3 rows
            have", or "".
    """

    row: object
    cells: list[object]
    text: object
    problem: str = ""


class Table(ABC):
    """Rows of cells, as a reader finds them.

    Args:
        name: The source's name in messages: `reviews.xlsx`.
        columns: The columns' names, an unnamed one is empty. Or `None` where
            the form itself says what is text and what is label.
        row_word: What the source calls a row: `Excel row`, `line`.
        row_note: What to say behind the rows' numbers, if anything.
        labelled: Whether there are labels, where `columns` is `None`.
    """

    # Whether `rows` can be called again and again, and holds a few at a time.
    streams: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        columns: Sequence[str] | None,
        *,
        row_word: str,
        row_note: str = "",
        labelled: bool = False,
    ) -> None:
        self.name = name
        self.columns = None if columns is None else tuple(columns)
        self.row_word = row_word
        self.row_note = row_note
        self.labelled = labelled
        self._resources = ExitStack()

    @abstractmethod
    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each row's number, text and label, as they are read.

        Args:
            text: The text column's place among the columns.
            label: The label column's place, or `None` for no label.
        """

    def scan(self) -> int:
        """Returns how many records there are, and finds all columns.

        Raises:
            DataError: A part of the file can't be taken for rows.
        """
        return sum(1 for _ in self.records(0))

    def records(self, text: int) -> Iterator[Record]:
        """Yields each row with all its cells, after a `scan`.

        A row that is broken comes with its problem, and doesn't end the pass.

        Args:
            text: The text column's place.

        Raises:
            TypeError: The source has no records: it is no file of them.
        """
        raise TypeError(
            f"{self.name} is no file of rows with columns. Expected an xlsx, "
            "csv, tsv, parquet or jsonl file."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes what the table holds open."""
        self._resources.close()


class RowList:
    """The first rows that share a problem, and how many do.

    Args:
        table: The table whose rows they are.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._first: list[object] = []
        self.count = 0

    def add(self, row: object) -> None:
        """Adds a row by its own numbering."""
        self.count += 1
        if len(self._first) < 5:
            self._first.append(row)

    def __str__(self) -> str:
        """Returns the rows for a message: `Excel rows 14, 90 and 7 more`."""
        more = self.count - len(self._first)
        return (
            f"{self._table.row_word}{'s' if self.count > 1 else ''} "
            f"{listed(self._first)}{f' and {more} more' if more else ''}"
            f"{self._table.row_note}"
        )

    @property
    def have(self) -> str:
        """The beginning of a message: `3 rows have`."""
        return "1 row has" if self.count == 1 else f"{self.count:,} rows have"


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turns what the operating system says of a file into a `DataError`."""
    try:
        yield
    except PermissionError as error:
        raise DataError(
            f"{path.name} is locked, or you may not read it "
            f"({error.strerror}). Close it in the program that has it open, "
            "or check the file's permissions."
        ) from error
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from error
