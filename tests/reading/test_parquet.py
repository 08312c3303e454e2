import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerassent.errors import DataError
from kerassent.reading.parquet import ParquetTable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews.parquet"


def test_rows_are_counted_from_0_across_row_groups(path):
    texts = [f"text {i}" for i in range(20_000)]
    labels = ["pos", None] * 10_000
    table = pa.table({"id": range(20_000), "text": texts, "label": labels})
    pq.write_table(table, path, row_group_size=7_000)
    read = ParquetTable(path)
    assert read.columns == ("id", "text", "label")
    assert list(read.rows(1, 2)) == list(
        zip(range(20_000), texts, labels, strict=True)
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array([1, None], pa.int8()), [1, None]),
        (pa.array([1.5, float("inf")]), [1.5, float("inf")]),
        (pa.array([True, False]), [True, False]),
        (pa.array([b"caf\xc3\xa9"]), [b"caf\xc3\xa9"]),
        (pa.array([Decimal("4.50")]), [Decimal("4.50")]),
        (
            pa.array([datetime.date(2024, 2, 29)]),
            [datetime.date(2024, 2, 29)],
        ),
        (
            pa.array([datetime.datetime(2024, 2, 29, 1)]),
            [datetime.datetime(2024, 2, 29, 1)],
        ),
    ],
)
def test_columns_of_any_flat_type_are_read(path, column, values):
    pq.write_table(pa.table({"text": column}), path)
    rows = list(ParquetTable(path).rows(0, None))
    assert rows == [(i, value, None) for i, value in enumerate(values)]


def test_nested_column_is_an_error(path):
    pq.write_table(pa.table({"text": [["a", "b"]]}), path)
    with pytest.raises(
        DataError,
        match=r"^reviews\.parquet: column 'text' holds list<\w+: string> "
        r"values, not texts\. Choose another column",
    ):
        list(ParquetTable(path).rows(0, None))


@pytest.mark.parametrize("content", [b"", b"text,label\n", b"PAR1" * 10])
def test_what_is_no_parquet_file_is_an_error(path, content):
    path.write_bytes(content)
    with pytest.raises(
        DataError,
        match=r"^reviews\.parquet cannot be read as a parquet file, it may be",
    ):
        ParquetTable(path)


def test_truncated_file_is_an_error(path):
    pq.write_table(pa.table({"text": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="may be truncated or damaged"):
        ParquetTable(path)


def test_damaged_page_is_an_error(path):
    texts = [f"text {i}" for i in range(10_000)]
    pq.write_table(
        pa.table({"text": texts}),
        path,
        compression="gzip",
        use_dictionary=False,
    )
    content = bytearray(path.read_bytes())
    content[1000:3000] = bytes(2000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="may be truncated or damaged"):
        list(ParquetTable(path).rows(0, None))


def test_column_name_with_dots_is_found(path):
    pq.write_table(pa.table({"a.b": ["x"], "a": ["y"]}), path)
    assert list(ParquetTable(path).rows(0, 1)) == [(0, "x", "y")]


def test_string_that_is_not_utf8_is_an_error(path):
    column = pa.array([b"caf\xe9"]).view(pa.binary())
    pq.write_table(
        pa.table({"text": column.cast(pa.string(), safe=False)}), path
    )
    with pytest.raises(DataError, match="cannot be read as a parquet file"):
        list(ParquetTable(path).rows(0, None))
