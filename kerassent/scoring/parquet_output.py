"""Parquet, which has to be written in one go."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from kerassent.reading.table import MISSING
from kerassent.scoring.answers import Answers
from kerassent.scoring.chunks import Chunk
from kerassent.scoring.output import Output, cell_text, utf8

# Chunks are gathered to row groups of so much, which the writer holds whole.
_GROUP_BYTES: Final = 16 << 20


class ParquetOutput(Output):
    """Columns with types: a parquet file's own, or what its cells have.

    Cells of other files are int64, float64, bool, dates or strings; a column
    of several kinds is a column of strings. Each chunk waits as an Arrow
    stream.
    """

    by_name = True

    def table(self, chunk: Chunk, answers: Answers) -> pa.Table:
        """Returns the rows as a table.

        Args:
            chunk: The rows.
            answers: What the model says of them.
        """
        table = chunk.table
        if table is None:
            columns = zip(*chunk.cells, strict=True)
            table = pa.table(
                [_typed(list(column)) for column in columns],
                names=list(self.columns),
            )
        table = table.append_column(
            pa.field(self.added.label, pa.string()),
            pa.array(answers.labels, pa.string()),
        )
        for name, figures in zip(
            self.added.figures, answers.figures.T, strict=True
        ):
            table = table.append_column(
                pa.field(name, pa.float32()),
                pa.array(figures, pa.float32(), from_pandas=True),
            )
        return table.append_column(
            pa.field(self.added.error, pa.string()),
            pa.array([error or None for error in answers.errors], pa.string()),
        )

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        """Returns the rows as an Arrow stream."""
        table = self.table(chunk, answers)
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
            stream.write_table(table)
        return bytes(sink.getvalue())

    def finish(self, data: Path, ends: Sequence[int], target: Path) -> Path:
        """Writes the chunks' rows as one parquet file."""
        schema: pa.Schema | None = None
        for stream in _streams(data, ends):
            found = stream.schema
            schema = found if schema is None else _unified(schema, found)
        if schema is None:
            raise ValueError("`ends` must be those of one chunk or more.")
        inexact = _inexact(schema, _streams(data, ends))
        schema = pa.schema(
            [
                field.with_type(pa.string())
                if _is_null(field) or place in inexact
                else field
                for place, field in enumerate(schema)
            ],
            metadata=schema.metadata,
        )
        with pq.ParquetWriter(target, schema) as writer:
            tables: list[pa.Table] = []
            for stream in _streams(data, ends):
                tables.append(_cast(stream.read_all(), schema))
                if sum(table.nbytes for table in tables) >= _GROUP_BYTES:
                    writer.write_table(pa.concat_tables(tables))
                    tables = []
            if tables:
                writer.write_table(pa.concat_tables(tables))
        return target


def _streams(
    data: Path, ends: Sequence[int]
) -> Iterator[pa.RecordBatchStreamReader]:
    with data.open("rb") as file:
        for start, end in zip(ends, ends[1:], strict=False):
            file.seek(start)
            with pa.ipc.open_stream(file.read(end - start)) as stream:
                yield stream


def _inexact(
    schema: pa.Schema, streams: Iterator[pa.RecordBatchStreamReader]
) -> set[int]:
    """Returns the float64 columns that can't hold integers of some chunk."""
    found: set[int] = set()
    for stream in streams:
        places = [
            place
            for place, (field, wanted) in enumerate(
                zip(stream.schema, schema, strict=True)
            )
            if field.type == pa.int64() and wanted.type == pa.float64()
        ]
        if not places:
            continue
        table = stream.read_all()
        for place in places:
            try:
                table.column(place).cast(pa.float64())
            except pa.ArrowInvalid:  # beyond 2**53
                found.add(place)
    return found


def _typed(column: list[object]) -> pa.Array:
    """Returns a column of what its cells are, or else of strings."""
    values = [
        cell_text(cell)
        if isinstance(cell, (dict, list))
        else None
        if cell is MISSING
        else cell
        for cell in column
    ]
    if not all(value is None or isinstance(value, str) for value in values):
        try:
            found = pa.array(values)
        except (pa.ArrowException, OverflowError):
            pass
        else:
            if not pa.types.is_binary(found.type):
                return found
    return _strings(values)


def _strings(values: list[object]) -> pa.Array:
    if all(value is None for value in values):
        return pa.nulls(len(values))
    texts = [
        None if value is None else utf8(cell_text(value)) for value in values
    ]
    return pa.array(texts, pa.binary()).cast(pa.string())


def _unified(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Returns the schema that holds what two hold."""
    fields = []
    for ours, theirs in zip(one, other, strict=True):
        kinds = {ours.type, theirs.type}
        if len(kinds) == 1 or _is_null(theirs):
            fields.append(ours)
        elif _is_null(ours):
            fields.append(theirs)
        elif kinds == {pa.int64(), pa.float64()}:
            fields.append(ours.with_type(pa.float64()))
        else:
            fields.append(ours.with_type(pa.string()))
    return pa.schema(fields, metadata=one.metadata)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for column, field in zip(table.columns, schema, strict=True):
        if column.type == field.type:
            columns.append(column)
        elif pa.types.is_null(column.type) or field.type == pa.float64():
            columns.append(column.cast(field.type, safe=False))
        else:
            columns.append(_strings(column.to_pylist()))
    return pa.table(columns, schema=schema)


def _is_null(field: pa.Field) -> bool:
    return bool(pa.types.is_null(field.type))
