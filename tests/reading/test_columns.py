import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.reading.arrays import ArrayTable
from kerassent.reading.columns import find_columns, nearest
from kerassent.reading.frame import FrameTable


def table(*columns):
    return FrameTable(pd.DataFrame([["x"] * len(columns)], columns=columns))


def test_columns_are_found_by_name():
    found = find_columns(table("id", "Reviews", "Label"), "Reviews", "Label")
    assert found == (1, 2)


def test_without_a_label_there_is_no_place():
    assert find_columns(table("id", "Reviews"), "Reviews", None) == (1, None)


def test_only_column_is_the_text():
    assert find_columns(table("Reviews"), None, None) == (0, None)


def test_only_column_beside_the_label_is_the_text():
    assert find_columns(table("Label", "Reviews"), None, "Label") == (1, 0)


def test_missing_column_is_named_with_the_nearest():
    with pytest.raises(
        DataError,
        match=r"^the DataFrame has no column 'Review'\. Its columns are "
        r"'Reviews', 'Sentiment'\. Pass `text='Reviews'`\?$",
    ):
        find_columns(table("Reviews", "Sentiment"), "Review", "Sentiment")


def test_missing_label_column_without_a_near_one():
    with pytest.raises(
        DataError,
        match=r"has no column 'y'\. Its columns are 'Reviews', 'Sentiment'\.$",
    ):
        find_columns(table("Reviews", "Sentiment"), "Reviews", "y")


def test_long_column_names_are_cut():
    with pytest.raises(DataError, match=r"Its columns are 'x{59}…', 'pos'\.$"):
        find_columns(table("x" * 1000, "pos"), "text", None)


def test_several_columns_need_the_text_to_be_said():
    with pytest.raises(
        DataError,
        match=r"^the DataFrame has 2 columns that could be the text: 'id', "
        r"'Review body'\. Pass `text='Review body'`\.$",
    ):
        find_columns(table("id", "Review body", "stars"), None, "stars")


def test_duplicate_header_is_an_error():
    with pytest.raises(
        DataError,
        match=r"^the DataFrame has more than one column 'text'\. Give each ",
    ):
        find_columns(table("text", "label", "text"), "text", "label")


def test_unnamed_columns_may_be_many():
    assert find_columns(table("", "text", ""), "text", None) == (1, None)


def test_same_column_twice_is_a_wrong_argument():
    with pytest.raises(ValueError, match="`text` and `label` are both 'a'"):
        find_columns(table("a", "b"), "a", "a")


def test_arrays_have_no_columns():
    with pytest.raises(
        ValueError,
        match=r"^the given texts has no columns, but got `text='a'` and "
        r"`label='b'`",
    ):
        find_columns(ArrayTable(["x"], ["y"]), "a", "b")


def test_nearest_ignores_case_and_outer_spaces():
    assert nearest(" reviews", ["Sentiment", "REVIEWS"]) == "REVIEWS"
    assert nearest("xyz", ["Sentiment", "REVIEWS"]) is None


def test_a_columns_place_is_no_name():
    with pytest.raises(
        TypeError, match="`text` must be a column's name, such as '0'. Receiv"
    ):
        find_columns(table("id", "Reviews"), 0, None)
    with pytest.raises(TypeError, match="`label` must be a column's name"):
        find_columns(table("id", "Reviews"), "Reviews", 1)
