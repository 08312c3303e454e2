import datetime
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerassent.errors import DataError
from kerassent.reading.xlsx import XlsxTable
from kerassent.scoring.local import score_file
from kerassent.scoring.xlsx_output import MAX_CHARACTERS, TOO_LONG, cut, escaped
from tests.scoring.conftest import write_table

TEXTS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+49 170",
    "-5 stars",
    "@home",
    "=",
    "#N/A",
    "TRUE",
    "12",
    " two  spaces ",
    "tab\tand\nline\r\nend\r",
    "bell \x07 nul \x00 \x1f",
    "literally _x000D_ and _x0041_",
    "emoji \U0001f600 <&>\"'",
    "not a character \uffff",
]


@pytest.fixture
def scored(model, tmp_path):
    """Scores rows of one column of texts, and returns the workbook's path."""

    def score(texts):
        source = tmp_path / "in.parquet"
        pq.write_table(pa.table({"text": texts}), source)
        output = tmp_path / "out.xlsx"
        result = score_file(model, source, output, text="text")
        return output, result

    return score


def test_text_stays_text_whatever_it_is(scored):
    path, _ = scored(TEXTS)
    for data_only in (False, True):
        book = openpyxl.load_workbook(path, data_only=data_only)
        cells = [row[0] for row in book.active.iter_rows(min_row=2)]
        assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    # What our own reader gives back, escapes and all.
    with XlsxTable(path) as table:
        found = [text for _, text, _ in table.rows(0, None)]
    assert found[:-1] == TEXTS[:-1]
    assert found[-1] == "not a character _xFFFF_"


def test_the_header_is_text_too(model, tmp_path):
    source = write_table(tmp_path / "in.csv", [["good", "1"]], ["text", "=a"])
    score_file(model, source, tmp_path / "out.xlsx", text="text")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert sheet["B1"].value == "=a"
    assert sheet["B1"].data_type == "s"


def test_a_text_too_long_is_scored_whole_cut_and_marked(scored, model):
    long = "x" * MAX_CHARACTERS
    emoji = "\U0001f600" * 16_384  # 32,768 of UTF-16
    controls = "\x07" * 4_682  # 32,774 as they are escaped
    path, result = scored([long, long + "y", emoji, controls, "short"])
    rows = list(openpyxl.load_workbook(path).active.values)[1:]
    lengths = [len(row[0]) for row in rows]
    assert lengths == [32_767, 32_767, 16_383, 32_767, 5]
    assert rows[3][0].endswith("_x0007_")
    assert [row[-1] for row in rows] == [
        None,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        None,
    ]
    assert all(row[1] in ("neg", "pos") for row in rows)
    assert (long + "y").encode() in {t for b in model.batches for t in b}
    assert result.problems == {TOO_LONG: 3}
    assert result.num_scored == 5


def test_an_escape_is_not_cut_in_two():
    for length in range(MAX_CHARACTERS - 8, MAX_CHARACTERS + 2):
        text = cut(escaped("x" * length + "\x07" * 3))
        assert text.count("_") % 2 == 0
        assert MAX_CHARACTERS - 7 < len(text) <= MAX_CHARACTERS


def test_numbers_and_dates_are_what_they_were(model, tmp_path):
    when = datetime.datetime(2024, 2, 29, 13, 45, 30)
    cells = [5, 2.5, True, when, datetime.date(2024, 2, 29), None, 10**15 + 1]
    cells += [datetime.time(13, 45), datetime.datetime(1899, 1, 1), "x"]
    source = tmp_path / "in.jsonl"
    book = openpyxl.Workbook()
    names = [f"c{place}" for place in range(6)]
    book.active.append(["text", *names])
    book.active.append(["good", *cells[:6]])
    source = tmp_path / "in.xlsx"
    book.save(source)
    score_file(model, source, tmp_path / "out.xlsx", text="text")
    row = list(openpyxl.load_workbook(tmp_path / "out.xlsx").active.values)[1]
    midnight = datetime.datetime(2024, 2, 29)
    assert row[1:7] == (5, 2.5, True, when, midnight, None)
    pq.write_table(
        pa.table(
            {
                "text": ["good"],
                "big": [10**15 + 1],
                "time": [datetime.time(13, 45)],
                "old": [datetime.datetime(1899, 1, 1)],
                "zoned": [when.replace(tzinfo=datetime.UTC)],
                "inf": [float("inf")],
                "nan": [float("nan")],
                "list": [[1, 2]],
            }
        ),
        tmp_path / "odd.parquet",
    )
    score_file(
        model, tmp_path / "odd.parquet", tmp_path / "odd.xlsx", text="text"
    )
    row = list(openpyxl.load_workbook(tmp_path / "odd.xlsx").active.values)[1]
    assert row[1:8] == (
        "1000000000000001",
        datetime.time(13, 45),
        "1899-01-01",
        "2024-02-29T13:45:30+00:00",
        "inf",
        None,
        "[1, 2]",
    )


def test_all_cells_of_a_sheet_are_kept(model, tmp_path):
    """To the right of the header, error values, and formulas."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([])
    sheet.append(["text", "n"])
    sheet.append(["good", "#N/A", "beyond"])
    sheet.append(["=A1&B1", "=1+2"])
    sheet.append([None, None])
    sheet.append(["#REF!", 3])
    sheet.append([None, "=NOW()"])
    source = tmp_path / "in.xlsx"
    book.save(source)
    result = score_file(model, source, tmp_path / "out.xlsx", text="text")
    header, *rows = openpyxl.load_workbook(tmp_path / "out.xlsx").active.values
    assert header[:4] == ("text", "n", None, "label")
    assert [row[:3] for row in rows] == [
        ("good", "#N/A", "beyond"),
        ("=A1&B1", "=1+2", None),
        (None, None, None),
        ("#REF!", 3, None),
        (None, "=NOW()", None),
    ]
    assert [row[-1] for row in rows] == [
        None,
        "a formula without a stored value",
        "an empty text",
        "the error value #REF!",
        "an empty text",
    ]
    assert "2 rows have an empty text (Excel rows 5, 7)" in result.messages


def test_more_rows_than_a_sheet_holds_are_refused_at_once(
    model, tmp_path, monkeypatch
):
    source = write_table(tmp_path / "in.csv", [[i, "x", ""] for i in range(10)])
    monkeypatch.setattr("kerassent.scoring.xlsx_output.XlsxOutput.max_rows", 10)
    with pytest.raises(
        DataError,
        match=r"in.csv has 11 rows and a header, and out.xlsx can hold 10. "
        r"Write a .csv or .parquet file.",
    ):
        score_file(model, source, tmp_path / "out.xlsx", text="Review text")
    assert model.batches == []
    monkeypatch.setattr("kerassent.scoring.xlsx_output.XlsxOutput.max_rows", 11)
    score_file(model, source, tmp_path / "out.xlsx", text="Review text")


def test_a_workbook_does_not_say_when_it_was_written(scored):
    path, _ = scored(TEXTS)
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time for info in archive.infolist()} == {
            (1980, 1, 1, 0, 0, 0)
        }
        core = archive.read("docProps/core.xml").decode()
    assert "2026" not in core
    assert core.count("1980-01-01T00:00:00Z") == 2
