import datetime

import numpy as np
import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.reading.frame import FrameTable


def test_rows_are_numbered_by_the_index():
    frame = pd.DataFrame(
        {"text": ["a", "b"], "label": ["pos", "neg"]}, index=["x", 7]
    )
    table = FrameTable(frame)
    assert table.columns == ("text", "label")
    assert list(table.rows(0, 1)) == [("x", "a", "pos"), (7, "b", "neg")]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([None, "a"], dtype=object),
        pd.Series([np.nan, 1.0]),
        pd.Series([pd.NA, 1], dtype="Int64"),
        pd.Series([pd.NA, "a"], dtype="string"),
        pd.Series([pd.NA, True], dtype="boolean"),
        pd.Series([pd.NaT, pd.Timestamp("2024-02-29")]),
        pd.Series([None, "a"], dtype="category"),
        pd.Series([pd.NA, "a"], dtype=object),
    ],
)
def test_every_missing_value_is_none(column):
    rows = list(FrameTable(pd.DataFrame({"text": column})).rows(0, None))
    assert rows[0] == (0, None, None)
    assert rows[1][1] is not None


def test_values_stay_what_they_are():
    day = datetime.date(2024, 2, 29)
    frame = pd.DataFrame({"text": [1, "x", day, True, 1.5]}, dtype=object)
    values = [text for _, text, _ in FrameTable(frame).rows(0, None)]
    assert values == [1, "x", day, True, 1.5]


def test_column_names_become_text():
    assert FrameTable(pd.DataFrame([["a", "b"]])).columns == ("0", "1")


def test_columns_of_several_levels_are_an_error():
    columns = pd.MultiIndex.from_tuples([("a", "text"), ("a", "label")])
    with pytest.raises(
        DataError, match="^The DataFrame's columns have 2 levels. Flatten"
    ):
        FrameTable(pd.DataFrame([["x", "y"]], columns=columns))


def test_frame_is_not_changed():
    frame = pd.DataFrame({"text": ["a", None]})
    before = frame.copy()
    list(FrameTable(frame).rows(0, None))
    pd.testing.assert_frame_equal(frame, before)
