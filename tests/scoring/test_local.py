import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerassent.errors import DataError
from kerassent.scoring.local import score_file
from tests.scoring.conftest import COLUMNS, WordModel, read_table, write_table

FORMATS = ["csv", "tsv", "jsonl", "parquet", "xlsx"]
ADDED = ["label", "score", "probability_neg", "probability_pos", "error"]
ROWS = [
    [i, f'film "{i % 40}",\nof {"very " * (i % 8)}old', "n"] for i in range(100)
]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("given", FORMATS)
def test_every_format_becomes_every_format(given, target, model, tmp_path):
    source = write_table(tmp_path / f"in.{given}", ROWS)
    output = tmp_path / f"out.{target}"
    scored = score_file(
        model, source, output, text="Review text", chunk_rows=30
    )
    columns, rows = read_table(output)
    assert columns == [*COLUMNS, *ADDED]
    typed = {"csv", "tsv"}.isdisjoint((given, target))
    assert [row[:3] for row in rows] == [
        [number if typed else str(number), text, note]
        for number, text, note in ROWS
    ]
    for row in rows:
        neg, pos = WordModel.probabilities(row[1].encode())
        assert row[3] == ("pos" if pos > neg else "neg")
        figures = [float(figure) for figure in row[4:7]]
        assert figures == pytest.approx([max(neg, pos), neg, pos], abs=1e-7)
        assert not row[7]
    assert (scored.num_rows, scored.num_scored) == (100, 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [source.name, output.name]
    )


def test_each_text_is_scored_once_in_a_chunk_and_with_its_like(model, tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS)
    score_file(
        *(model, source, tmp_path / "out.csv"),
        text="Review text",
        batch_size=8,
        chunk_rows=60,
    )
    asked = [text for batch in model.batches for text in batch]
    chunks = [ROWS[:60], ROWS[60:]]
    unique = [{row[1].encode() for row in chunk} for chunk in chunks]
    assert len(asked) == sum(map(len, unique)) < 100
    assert set(asked) == unique[0] | unique[1]
    for chunk in (asked[: len(unique[0])], asked[len(unique[0]) :]):
        assert [len(text) for text in chunk] == sorted(map(len, chunk))
    assert {len(batch) for batch in model.batches} <= {
        8,
        len(unique[0]) % 8,
        len(unique[1]) % 8,
    }


BAD = [
    [0, "good", "n"],
    [1, "", "n"],
    [2, "  \t", "n"],
    [3, "dull", "n"],
    [4, None, "n"],
]


@pytest.mark.parametrize("form", FORMATS)
def test_rows_without_a_text_are_marked_and_counted(form, model, tmp_path):
    source = write_table(tmp_path / f"in.{form}", BAD)
    output = tmp_path / f"out.{form}"
    scored = score_file(model, source, output, text="Review text")
    _, rows = read_table(output)
    assert [str(row[0]) for row in rows] == ["0", "1", "2", "3", "4"]
    for place, row in enumerate(rows):
        if place in (0, 3):
            assert row[3] in ("neg", "pos")
            assert not row[7]
        else:
            assert row[3:7] in ([None] * 4, [""] * 4)
            assert row[7] == "an empty text"
    assert scored.num_scored == 2
    assert scored.problems == {"an empty text": 3}
    where = {
        "parquet": "(rows 1, 2, 4, counted from 0)",
        "xlsx": "(Excel rows 3, 4, 6)",
        "jsonl": "(lines 2, 3, 5)",
    }.get(form, "(lines 3, 4, 6)")
    assert scored.messages == (f"3 rows have an empty text {where}",)


@pytest.mark.parametrize("form", FORMATS)
def test_strict_refuses_them_before_the_model_is_asked(form, model, tmp_path):
    source = write_table(tmp_path / f"in.{form}", BAD)
    with pytest.raises(DataError, match="3 rows have an empty text .*`strict`"):
        score_file(
            *(model, source, tmp_path / "out.csv"),
            text="Review text",
            strict=True,
        )
    assert model.batches == []
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_broken_lines_are_kept_and_marked(model, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text('a,text,b\n1,good,x\n2,bad\n3,"so,\nso",y,z\n4,fine,w\n')
    output = tmp_path / "out.csv"
    scored = score_file(model, source, output, text="text")
    _, rows = read_table(output)
    assert [row[:3] for row in rows] == [
        ["1", "good", "x"],
        ["2", "bad", ""],
        ["3", "so,\nso", "y,z"],
        ["4", "fine", "w"],
    ]
    assert [row[7] for row in rows] == [
        "",
        "fewer fields than the header",
        "more fields than the header",
        "",
    ]
    assert scored.num_scored == 2
    assert scored.messages == (
        "1 row has fewer fields than the header (line 3)",
        "1 row has more fields than the header (line 4)",
    )


@pytest.mark.parametrize("target", ["csv", "tsv"])
def test_line_ends_within_a_text_end_no_row(target, model, tmp_path):
    texts = ["so\rso", "so\nso", "so\r\nso", "fine\r", "good"]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    output, again = tmp_path / f"out.{target}", tmp_path / "again.csv"
    score_file(model, source, output, text="text")
    _, rows = read_table(output)
    assert [row[0] for row in rows] == texts
    lines = output.read_bytes().replace(b"so\r\nso", b"so so")
    assert b"\r\n" not in lines
    # Others' reader and our own see the same rows.
    separator = "," if target == "csv" else "\t"
    assert len(pd.read_csv(output, sep=separator)) == len(texts)
    scored = score_file(model, output, again, text="text", prefix="again_")
    assert scored.num_scored == len(texts)


@pytest.mark.parametrize("target", ["csv", "xlsx", "jsonl"])
def test_dates_beyond_pythons_are_written_as_text(target, model, tmp_path):
    microseconds = [0, 253_402_300_800_000_000, -99_999_999_999_000_000, None]
    times = pa.array(microseconds, pa.timestamp("us"))
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"when": times, "text": ["good"] * 4}), source)
    output = tmp_path / f"out.{target}"
    scored = score_file(model, source, output, text="text")
    assert scored.num_scored == 4
    _, rows = read_table(output)
    first, late, early, none = (row[0] for row in rows)
    assert str(first).startswith("1970-01-01")
    assert late.startswith("10000-01-01 00:00:00")
    assert early.startswith("-1199-")
    assert none in (None, "")


def test_a_first_line_that_is_no_json_is_marked_too(model, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.csv"
    source.write_text('{"text": "cut o\n{"id": 7, "text": "good"}\n')
    scored = score_file(model, source, output, text="text")
    assert scored.messages == ("1 row has no JSON object in the line (line 1)",)
    header, rows = read_table(output)
    assert header[:2] == ["id", "text"]
    assert [row[:2] for row in rows] == [["", '{"text": "cut o'], ["7", "good"]]
    source.write_text("good\nbad\n")
    with pytest.raises(DataError, match="in.jsonl, line 1 is not JSON"):
        score_file(model, source, tmp_path / "none.csv", text="text")


def test_broken_json_lines_are_kept_and_marked(model, tmp_path):
    source = tmp_path / "in.jsonl"
    lines = [
        '{"text": "good", "n": {"deep": [1, 2.50]}}',
        '{"text": "cut o',
        '{"n": 1.5, "later": null}',
        '{"text": ["no", "text"]}',
        '{"text": "half \\ud83d"}',
        '{"text": "fine"}',
    ]
    source.write_text("\n".join(lines) + "\n")
    output = tmp_path / "out.jsonl"
    scored = score_file(model, source, output, text="text")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    kept = [{k: v for k, v in row.items() if k not in ADDED} for row in rows]
    assert kept == [
        {"text": "good", "n": {"deep": [1, 2.5]}},
        {"text": '{"text": "cut o'},
        {"n": 1.5, "later": None},
        {"text": ["no", "text"]},
        {"text": "half \ud83d"},
        {"text": "fine"},
    ]
    assert [row["error"] for row in rows] == [
        None,
        "no JSON object in the line",
        "an empty text",
        "an object or list instead of a text",
        "a lone surrogate, which is half a character",
        None,
    ]
    assert rows[1]["label"] is rows[1]["score"] is None
    assert scored.num_scored == 2
    # In csv, what UTF-8 has no place for is replaced; nothing else is lost.
    score_file(model, source, tmp_path / "out.csv", text="text")
    header, table = read_table(tmp_path / "out.csv")
    assert header[:3] == ["text", "n", "later"]
    assert [row[0] for row in table][3:] == [
        '["no", "text"]',
        "half \ufffd",
        "fine",
    ]
    assert table[0][1] == '{"deep": [1, 2.5]}'


def test_numbers_a_model_gives_are_written_as_short_as_they_are_exact(
    model, tmp_path
):
    source = write_table(tmp_path / "in.csv", ROWS[:20])
    score_file(model, source, tmp_path / "out.csv", text="Review text")
    _, rows = read_table(tmp_path / "out.csv")
    for row in rows:
        assert row[6] == str(WordModel.probabilities(row[1].encode())[1])


def test_a_column_that_is_there_is_refused_or_renamed(model, tmp_path):
    source = write_table(
        tmp_path / "in.csv", [["a", "good"]], ["label", "text"]
    )
    output = tmp_path / "out.csv"
    with pytest.raises(
        DataError,
        match=r"in.csv has a column 'label' already.*`prefix='predicted_'`",
    ):
        score_file(model, source, output, text="text")
    score_file(model, source, output, text="text", prefix="predicted_")
    columns, rows = read_table(output)
    assert columns == [
        "label",
        "text",
        *(f"predicted_{name}" for name in ADDED),
    ]
    assert rows[0][:2] == ["a", "good"]


@pytest.mark.parametrize(
    "name, error, message",
    [
        ("out.txt", ValueError, "`output` 'out.txt' ends in '.txt'"),
        ("no/out.csv", FileNotFoundError, "There is no folder"),
        ("there.csv", FileExistsError, "is there already, and nothing beside"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    name, error, message, model, tmp_path
):
    source = write_table(tmp_path / "in.csv", ROWS[:3])
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(error, match=message):
        score_file(model, source, tmp_path / name, text="Review text")
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert model.batches == []


def test_sizes_below_one_are_refused(model, tmp_path):
    for name in ("batch_size", "chunk_rows"):
        with pytest.raises(ValueError, match=f"`{name}` must be 1 or more"):
            score_file(model, "in.csv", tmp_path / "out.csv", **{name: 0})


def test_columns_without_a_name_are_kept_where_names_do_not_matter(
    model, tmp_path
):
    source = tmp_path / "in.csv"
    source.write_text("text,\ngood,left over\n")
    with pytest.raises(DataError, match="1 column without a name"):
        score_file(model, source, tmp_path / "out.jsonl", text="text")
    score_file(model, source, tmp_path / "out.csv", text="text")
    columns, rows = read_table(tmp_path / "out.csv")
    assert columns[:3] == ["text", "", "label"]
    assert rows[0][:2] == ["good", "left over"]


def test_a_chunk_ends_where_its_bytes_do(model, tmp_path, monkeypatch):
    monkeypatch.setattr("kerassent.scoring.chunks.CHUNK_BYTES", 1000)
    for form in ("csv", "parquet"):
        model.batches.clear()
        source = write_table(
            tmp_path / f"in.{form}",
            [[i, "x" * 400 + str(i), ""] for i in range(30)],
        )
        score_file(model, source, tmp_path / f"out.{form}", text="Review text")
        assert max(map(len, model.batches)) <= 7
        assert sum(map(len, model.batches)) == 30


def test_progress_counts_every_row_once(model, tmp_path):
    source = write_table(tmp_path / "in.csv", [*ROWS, *BAD])
    calls = []
    score_file(
        *(model, source, tmp_path / "out.csv"),
        text="Review text",
        chunk_rows=25,
        batch_size=4,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[0] == (0, 105)
    assert calls[-1] == (105, 105)
    assert calls == sorted(calls)
    assert len(calls) > 20


def test_the_source_is_not_written_over(model, tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS)
    before = source.read_bytes()
    (tmp_path / "link.csv").symlink_to(source)
    for output in (source, tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="is the file that is scored"):
            score_file(model, source, output, text="Review text")
    assert source.read_bytes() == before


def test_counts_are_whole_numbers(model, tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS)
    for options in ({"chunk_rows": 2.5}, {"batch_size": "8"}):
        with pytest.raises(TypeError, match="must be a whole number"):
            score_file(model, source, tmp_path / "out.csv", **options)
