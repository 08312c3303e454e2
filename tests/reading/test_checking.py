import pytest

from kerassent.errors import DataError
from kerassent.reading.arrays import ArrayTable
from kerassent.reading.checking import CheckedRows, read_checked


def read(texts, labels=None, class_names=None, *, drop_empty=False):
    kept = []
    rows = CheckedRows(
        ArrayTable(texts, labels),
        0,
        None if labels is None else 1,
        drop_empty=drop_empty,
    )
    return read_checked(rows, class_names, kept.append), kept


def test_rows_become_texts_and_classes():
    checked, texts = read(["good", 7.0, " bad\n"], ["pos", "neg", "neg"])
    assert texts == ["good", "7", " bad\n"]
    assert checked.label_ids.tolist() == [1, 0, 0]
    assert checked.class_names == ("neg", "pos")


def test_without_labels_ids_are_minus_one():
    checked, _ = read(["a", "b"])
    assert checked.label_ids.tolist() == [-1, -1]
    assert checked.class_names == ()


def test_empty_texts_are_an_error_that_names_five_rows():
    texts = ["a", "", "b", None, " \n", float("nan"), "\t", "\u00a0"]
    with pytest.raises(
        DataError,
        match=r"^the given texts: 6 rows have an empty text \(rows 1, 3, 4, "
        r"5, 6 and 1 more, counted from 0\)\. Pass `drop_empty=True` to "
        r"leave them out\.$",
    ):
        read(texts)


def test_one_empty_text_is_a_row_in_the_singular():
    with pytest.raises(
        DataError,
        match=r"1 row has an empty text \(row 1, counted from 0\)\. Pass "
        r"`drop_empty=True` to leave it out\.",
    ):
        read(["a", ""])


def test_drop_empty_leaves_rows_out_and_counts_them():
    checked, texts = read(
        ["a", "", "b", None], ["x", "y", "y", ""], drop_empty=True
    )
    assert texts == ["a", "b"]
    assert checked.label_ids.tolist() == [0, 1]
    assert checked.dropped == 2


def test_nothing_left_is_an_error():
    with pytest.raises(
        DataError,
        match="^the given texts has no rows with a text; 2 were empty",
    ):
        read(["", None], drop_empty=True)


def test_no_rows_are_an_error():
    with pytest.raises(DataError, match="^the given texts has no rows. Pass "):
        read([])


def test_empty_label_is_an_error_even_with_drop_empty():
    with pytest.raises(
        DataError,
        match=r"2 rows have an empty label \(rows 1, 2, counted from 0\)\. "
        "Give each row a label",
    ):
        read(["a", "b", "c"], ["x", None, " "], drop_empty=True)


def test_cell_that_is_no_text_is_an_error():
    with pytest.raises(
        DataError,
        match=r"1 row has a value of type list \(row 1, counted from 0\)",
    ):
        read(["a", ["b"]])


def test_lone_surrogate_is_an_error():
    with pytest.raises(DataError, match="1 row has a lone surrogate"):
        read(["fine 😀", "\ud83d"])


def test_dates_are_counted_in_both_columns():
    import datetime

    day = datetime.date(2024, 2, 29)
    checked, texts = read([day, "a", None], [day, "b", "b"], drop_empty=True)
    assert texts == ["2024-02-29", "a"]
    assert checked.class_names == ("2024-02-29", "b")
    assert checked.dates == 2


def test_class_names_without_labels_are_a_wrong_argument():
    with pytest.raises(ValueError, match="`class_names` are given, but no"):
        read(["a"], class_names=("neg", "pos"))
