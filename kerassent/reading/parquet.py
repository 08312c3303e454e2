"""Parquet files, through pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kerassent.errors import DataError
from kerassent.reading.table import Row, Table

_BATCH = 8192  # rows that are in memory at a time


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
        for name in names:
            kind = self._schema.field(name).type
            if pa.types.is_nested(kind):
                raise DataError(
                    f"{self.name}: column {name!r} holds {kind} values, not "
                    "texts. Choose another column, or flatten it."
                )
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
