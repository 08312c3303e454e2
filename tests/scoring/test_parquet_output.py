import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq

from kerassent.scoring.local import score_file


def test_types_and_metadata_of_a_parquet_file_stay(model, tmp_path):
    table = pa.table(
        {
            "text": pa.array(["good", None, "dull"] * 20).dictionary_encode(),
            "small": pa.array([1, None, 3] * 20, pa.int8()),
            "nested": [{"a": [1, 2]}, None, {"a": []}] * 20,
            "when": pa.array([0, 1, 2] * 20, pa.timestamp("ms", "UTC")),
            "price": pa.array([1, 2, 3] * 20, pa.decimal128(9, 2)),
        }
    ).replace_schema_metadata({"made by": "us"})
    source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(table, source, row_group_size=11)
    score_file(model, source, output, text="text", chunk_rows=7)
    found = pq.read_table(output)
    assert found.select(table.column_names).equals(table)
    assert found.schema.metadata[b"made by"] == b"us"
    types = [str(field.type) for field in found.schema][5:]
    assert types == ["string", "float", "float", "float", "string"]
    assert found["label"].null_count == found["score"].null_count == 20
    assert found["error"].null_count == 40


def test_columns_take_the_type_that_all_chunks_have(model, tmp_path):
    source = tmp_path / "in.jsonl"
    rows = [
        {"text": "a", "i": 1, "f": 1, "m": 1, "late": None, "b": True},
        {"text": "b", "i": 2, "f": 2.5, "m": "x", "late": "s", "b": None},
        {
            "text": "c",
            "i": None,
            "f": None,
            "m": 2.5,
            "b": False,
            "d": {"e": 1},
        },
        {"text": "d", "i": 2**70, "none": None},
    ]
    rows[2]["d"] = {"e": 1}
    source.write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    for chunk_rows in (1, 2, 100):
        output = tmp_path / f"{chunk_rows}.parquet"
        score_file(model, source, output, text="text", chunk_rows=chunk_rows)
        found = pq.read_table(output).to_pydict()
        assert found["i"] == [1, 2, None]
        assert found["f"] == [1.0, 2.5, None]
        assert found["m"] == ["1", "x", "2.5"]
        assert found["late"] == [None, "s", None]
        assert found["b"] == [True, None, False]
        assert found["d"] == [None, None, '{"e": 1}']
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score_file(model, source, tmp_path / "big.parquet", text="text")
    found = pq.read_table(tmp_path / "big.parquet").to_pydict()
    assert found["i"] == ["1", "2", None, str(2**70)]
    assert found["none"] == [None] * 4


def test_large_ids_keep_their_digits_whatever_follows(model, tmp_path):
    source = tmp_path / "in.jsonl"
    ids = [7, 2**53 + 1, None, 0.5]
    rows = [{"text": "a", "id": each, "small": each and 7} for each in ids]
    rows[3]["small"] = 0.5
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for chunk_rows in (1, 2, 100):
        output = tmp_path / f"{chunk_rows}.parquet"
        score_file(model, source, output, text="text", chunk_rows=chunk_rows)
        found = pq.read_table(output).to_pydict()
        assert found["id"] == ["7", "9007199254740993", None, "0.5"]
        assert found["small"] == [7.0, 7.0, None, 0.5]


def test_dates_of_a_workbook_are_dates(model, tmp_path):
    import openpyxl

    when = datetime.datetime(2024, 2, 29, 13, 45)
    book = openpyxl.Workbook()
    book.active.append(["text", "when"])
    book.active.append(["good", when])
    book.save(tmp_path / "in.xlsx")
    score_file(
        model, tmp_path / "in.xlsx", tmp_path / "out.parquet", text="text"
    )
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["when"].to_pylist() == [when]
    assert pa.types.is_timestamp(found["when"].type)


def test_chunks_are_gathered_to_row_groups(model, tmp_path, monkeypatch):
    # A chunk's five rows are some 150 bytes.
    monkeypatch.setattr("kerassent.scoring.parquet_output._GROUP_BYTES", 500)
    source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"text": [f"t{i}" for i in range(50)]}), source)
    score_file(model, source, output, text="text", chunk_rows=5)
    metadata = pq.ParquetFile(output).metadata
    groups = range(metadata.num_row_groups)
    assert [metadata.row_group(i).num_rows for i in groups] == [20, 20, 10]
