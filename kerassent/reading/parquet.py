"""Parquet files, through pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kerassent.errors import DataError
from kerassent.reading.table import Record, Row, Table

_BATCH = 8192  # rows that are in memory at a time
_SLICE = 256  # the same for whole rows, of which one can be large
_BUFFER = 1 << 20  # bytes of a column that are read ahead


class ParquetTable(Table):
    """The rows of a parquet file, counted from 0.

    Args:
        path: The file.

    Raises:
        DataError: The file is no parquet file, or damaged.
    """

    streams = True

    def __init__(self, path: Path) -> None:
        self._path = path
        with _pyarrow_errors(path.name), pq.ParquetFile(path) as file:
            self._schema = file.schema_arrow
            self._num_rows: int = file.metadata.num_rows
        super().__init__(
            path.name,
            self._schema.names,
            row_word="row",
            row_note=", counted from 0",
        )

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each row's place, text and label; only these are read.

        Raises:
            DataError: A column holds lists or structs, or the file is damaged.
        """
        places = [text] if label is None else [text, label]
        names = [self._schema.names[place] for place in places]
        self.check_texts(*names)
        row = 0
        with _pyarrow_errors(self.name), pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_BATCH, columns=names):
                texts = batch.column(names[0]).to_pylist()
                if label is None:
                    labels = [None] * len(texts)
                else:
                    labels = batch.column(names[1]).to_pylist()
                for value, name in zip(texts, labels, strict=True):
                    yield row, value, name
                    row += 1

    def check_texts(self, *names: str) -> None:
        """Raises `DataError` if columns hold no texts but lists or structs.

        Args:
            *names: The columns.
        """
        for name in names:
            kind = self._schema.field(name).type
            if pa.types.is_nested(kind):
                raise DataError(
                    f"{self.name}: column {name!r} holds {kind} values, not "
                    "texts. Choose another column, or flatten it."
                )

    def scan(self) -> int:
        """Returns how many records there are."""
        return self._num_rows

    def records(self, text: int) -> Iterator[Record]:
        """Yields each row by its place."""
        row = 0
        for batch in self.batches(0):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                yield Record(row, list(cells), cells[text])
                row += 1

    def batches(self, start: int) -> Iterator[pa.RecordBatch]:
        """Yields all columns, 256 rows at a time or fewer.

        Where a batch ends depends on the file alone, not on `start`.

        Args:
            start: How many rows to leave out.
        """
        with (
            _pyarrow_errors(self.name),
            pq.ParquetFile(
                self._path, buffer_size=_BUFFER, pre_buffer=False
            ) as file,
        ):
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if start >= size:
                    start -= size
                    continue
                for batch in file.iter_batches(_SLICE, row_groups=[group]):
                    skipped = min(start, batch.num_rows)
                    start -= skipped
                    if skipped < batch.num_rows:
                        yield batch.slice(skipped)


@contextmanager
def _pyarrow_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (DataError, PermissionError, FileNotFoundError):
        raise
    # pyarrow raises OSError for pages that don't decompress, and the last one
    # for strings that are not UTF-8.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{name} cannot be read as a parquet file, it may be truncated or "
            f"damaged ({error}). Write it again."
        ) from error
