"""A file's rows, a bounded number at a time, and what of them is scored."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa

from kerassent.errors import DataError
from kerassent.reading.checking import clean_text
from kerassent.reading.columns import find_columns
from kerassent.reading.opening import open_table
from kerassent.reading.parquet import ParquetTable
from kerassent.reading.table import Record, Table
from kerassent.reading.values import Unreadable

# Sorted by length, so many fill batches with little padding, and a process
# that is killed loses the work of at most so many.
CHUNK_ROWS = 8192
# Of texts and whatever stands beside them. Film reviews come to 12 MB.
CHUNK_BYTES = 32 << 20

_EMPTY = "an empty text"
_TOO_LONG = "a text longer than the server takes"


@dataclass
class Chunk:
    """Consecutive rows of a file.

    Args:
        numbers: The rows' numbers, by their source's own numbering.
        texts: What is to be scored, UTF-8; `None` where there is no text.
        problems: What is wrong with each row, or "".
        cells: All columns' cells of each row; empty if `table` has them.
        table: The rows of a parquet file, with their types.
    """

    numbers: list[object] = field(default_factory=list)
    texts: list[bytes | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cells: list[list[object]] = field(default_factory=list)
    table: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, number: object, text: object, problem: str) -> None:
        """Adds a row's number, text and problem.

        Args:
            number: The row's number.
            text: The text's cell.
            problem: What is wrong with the row as a whole, or "".
        """
        found = clean_text(text)
        if isinstance(found, Unreadable):
            problem = problem or found.what
        elif not found:
            problem = problem or _EMPTY
        self.numbers.append(number)
        self.problems.append(problem)
        self.texts.append(None if problem else str(found).encode("utf-8"))

    def add_texts(self, texts: Iterable[object], start: int) -> None:
        """Adds rows that are numbered from `start` on.

        Args:
            texts: Each row's text.
            start: The first one's number.
        """
        for number, text in enumerate(texts, start):
            self.add(number, text, "")

    def refuse(self, texts: Collection[bytes]) -> None:
        """Marks rows whose text a server did not take.

        Args:
            texts: These texts.
        """
        for place, text in enumerate(self.texts):
            if text in texts:
                self.texts[place] = None
                self.problems[place] = _TOO_LONG

    def rows(self) -> list[list[object]]:
        """Returns all columns' cells of each row."""
        if self.table is None:
            return self.cells
        columns = [_cells(column) for column in self.table.columns]
        return [list(row) for row in zip(*columns, strict=True)]


class Source:
    """A file to be scored.

    Args:
        path: An xlsx, csv, tsv, parquet or jsonl file.
        text: The text column's name; `None` takes the only column there is.
        sheet: An Excel file's sheet, or `None`.
        encoding: A text file's encoding, or `None` to find it out.
        separator: A csv file's separator, or `None` to find it out.

    Raises:
        DataError: The file is none of these, or has no such column.
    """

    def __init__(
        self,
        path: Path,
        *,
        text: str | None = None,
        sheet: str | None = None,
        encoding: str | None = None,
        separator: str | None = None,
    ) -> None:
        if path.is_dir():
            raise DataError(
                f"{path} is a folder. Expected a file of rows: xlsx, csv, tsv, "
                "parquet or jsonl."
            )
        self.table: Table = open_table(
            path, sheet=sheet, encoding=encoding, separator=separator, scan=True
        )
        self.num_rows = self.table.scan()
        self.columns = self.table.columns or ()
        self._text, _ = find_columns(self.table, text, None)
        self.text = self.columns[self._text]
        if not self.num_rows:
            raise DataError(
                f"{path.name} has no rows. Pass a file with at least one."
            )
        if isinstance(self.table, ParquetTable):
            self.table.check_texts(self.text)
        self._path = path
        self._stamp = self._stamped()

    def chunks(
        self, start: int = 0, *, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator[Chunk]:
        """Yields the rows in order.

        Where a chunk ends doesn't depend on `start`.

        Args:
            start: How many rows to leave out: as many as full chunks have.
            chunk_rows: How many rows a chunk has at most.

        Raises:
            DataError: The file turns out to be damaged, or changes meanwhile.
        """
        if isinstance(self.table, ParquetTable):
            yield from self._slices(self.table, start, chunk_rows)
        else:
            records = islice(self.table.records(self._text), start, None)
            yield from _gathered(records, chunk_rows)
        if self._stamped() != self._stamp:
            raise DataError(
                f"{self.table.name} has changed since it was opened. Score it "
                "again, and leave it alone meanwhile."
            )

    def close(self) -> None:
        """Closes the file."""
        self.table.__exit__(None, None, None)

    def _slices(
        self, table: ParquetTable, start: int, chunk_rows: int
    ) -> Iterator[Chunk]:
        parts: list[pa.RecordBatch] = []
        num_rows = num_bytes = 0
        for batch in table.batches(start):
            while batch.num_rows:
                part = batch.slice(0, chunk_rows - num_rows)
                batch = batch.slice(part.num_rows)
                parts.append(part)
                num_rows += part.num_rows
                num_bytes += part.nbytes
                if num_rows == chunk_rows or num_bytes > CHUNK_BYTES:
                    yield self._of_parts(parts, start)
                    start += num_rows
                    parts, num_rows, num_bytes = [], 0, 0
        if parts:
            yield self._of_parts(parts, start)

    def _of_parts(self, parts: list[pa.RecordBatch], start: int) -> Chunk:
        table = pa.Table.from_batches(parts)
        chunk = Chunk(table=table)
        chunk.add_texts(table.column(self._text).to_pylist(), start)
        return chunk

    def _stamped(self) -> tuple[int, int]:
        status = os.stat(self._path)
        return status.st_size, status.st_mtime_ns


def _cells(column: pa.ChunkedArray) -> list[object]:
    """Returns a column's values; Arrow's text of those that Python has not."""
    try:
        cells: list[object] = column.to_pylist()
    except (OverflowError, ValueError):  # a date before year 1, or after 9999
        return [_cell(value) for value in column]
    return cells


def _cell(value: pa.Scalar) -> object:
    try:
        cell: object = value.as_py()
    except (OverflowError, ValueError):
        return str(value.cast(pa.string()).as_py())
    return cell


def _gathered(records: Iterator[Record], chunk_rows: int) -> Iterator[Chunk]:
    chunk = Chunk()
    num_bytes = 0
    for number, cells, text, problem in records:
        chunk.add(number, text, problem)
        chunk.cells.append(cells)
        num_bytes += sum(len(cell) for cell in cells if isinstance(cell, str))
        if len(chunk) == chunk_rows or num_bytes > CHUNK_BYTES:
            yield chunk
            chunk = Chunk()
            num_bytes = 0
    if len(chunk):
        yield chunk
