import os

import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.reading.opening import open_table


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.jsonl", "a.ndjson"])
def test_text_formats_are_told_by_their_ending(tmp_path, name):
    path = tmp_path / name
    path.write_text('{"text": "a"}')
    with open_table(path) as table:
        assert table.name == name


def test_unknown_ending_lists_the_known(tmp_path):
    path = tmp_path / "reviews.docx"
    path.write_bytes(b"PK")
    with pytest.raises(
        DataError,
        match=r"^reviews\.docx ends in '\.docx'\. Reviews are read from files "
        r"that end in '\.xlsx', '\.csv', '\.tsv', '\.parquet', '\.jsonl', from",
    ):
        open_table(path)


def test_missing_file_is_named_with_the_nearest(tmp_path):
    (tmp_path / "train.xlsx").touch()
    with pytest.raises(
        DataError,
        match=r"^There is no file '.*trian\.xlsx'\. Was 'train\.xlsx' meant\?$",
    ):
        open_table(tmp_path / "trian.xlsx")


def test_missing_folder_is_said(tmp_path):
    with pytest.raises(DataError, match="and no folder '.*nowhere'.$"):
        open_table(tmp_path / "nowhere" / "train.xlsx")


def test_lock_file_is_said(tmp_path):
    path = tmp_path / "~$train.xlsx"
    path.write_bytes(b"\x05owner")
    with pytest.raises(
        DataError,
        match=r"^~\$train\.xlsx is the lock file that Excel keeps while a "
        r"file is open\. Pass 'train\.xlsx' itself\.$",
    ):
        open_table(path)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("a.csv", "sheet"),
        ("a.xlsx", "encoding"),
        ("a.xlsx", "separator"),
        ("a.parquet", "encoding"),
        ("a.jsonl", "separator"),
    ],
)
def test_option_without_use_is_a_wrong_argument(tmp_path, name, option):
    (tmp_path / name).write_text("text")
    with pytest.raises(
        ValueError, match=f"^{name} has no use for `{option}`, got 'x'. Leave"
    ):
        open_table(tmp_path / name, **{option: "x"})


def test_options_have_no_use_in_memory():
    with pytest.raises(ValueError, match="^A source in memory has no use for"):
        open_table(["a"], encoding="utf-8")


def test_path_may_be_a_string_or_any_path(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\na")
    assert open_table(str(path)).columns == ("text",)
    assert open_table(os.fspath(path)).columns == ("text",)


def test_sources_in_memory_are_told_apart():
    assert open_table(pd.DataFrame({"a": ["b"]})).columns == ("a",)
    assert open_table((["a"], ["b"])).labelled
    assert not open_table(["a", "b"]).labelled
    assert not open_table(("a", "b")).labelled


@pytest.mark.parametrize("source", [5, None, 2.5])
def test_what_is_no_source_is_told(source):
    with pytest.raises(
        TypeError, match=f"`source` must be a path, .*Received: {source} of"
    ):
        open_table(source)
