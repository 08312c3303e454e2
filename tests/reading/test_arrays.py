import numpy as np
import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.reading.arrays import ArrayTable


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        pd.Series(["a", "b"], index=[5, 9]),
        pd.Series(["a", "b"], dtype="category"),
    ],
)
def test_sequences_are_rows_counted_from_0(values):
    expected = [(0, "a", "a"), (1, "b", "b")]
    assert list(ArrayTable(values, values).rows(0, 1)) == expected


def test_missing_values_of_a_series_are_none():
    series = pd.Series([pd.NA, 3], dtype="Int64")
    rows = list(ArrayTable(series).rows(0, None))
    assert rows == [(0, None, None), (1, 3, None)]


def test_different_lengths_are_an_error():
    with pytest.raises(DataError, match="^Got 2 texts and 1 labels. Pass one"):
        ArrayTable(["a", "b"], ["pos"])


def test_two_dimensions_are_an_error():
    with pytest.raises(
        DataError, match=r"^`texts` must have one dimension.* shape \(1, 2\)"
    ):
        ArrayTable(np.array([["a", "b"]]))


@pytest.mark.parametrize(
    "values", ["a text", b"bytes", {"a": 1}, {"a"}, 3, (x for x in "ab")]
)
def test_what_is_no_sequence_is_a_type_error(values):
    with pytest.raises(
        TypeError, match="^`labels` must be a list, tuple, array or Series"
    ):
        ArrayTable(["a"], values)
