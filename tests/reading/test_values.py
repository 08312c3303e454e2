import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kerassent.reading.values import Unreadable, as_text, is_date


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" as it is\n", " as it is\n"),
        (np.str_("numpy"), "numpy"),
        (None, ""),
        (float("nan"), ""),
        (np.float32("nan"), ""),
        (Decimal("nan"), ""),
        (pd.NaT, ""),
        (np.datetime64("NaT"), ""),
        (True, "TRUE"),
        (np.False_, "FALSE"),
        (3, "3"),
        (np.int64(-7), "-7"),
        (12345678901234567890, "12345678901234567890"),
        (5.0, "5"),
        (-0.0, "0"),
        (3.5, "3.5"),
        (0.1 + 0.2, "0.3"),
        (np.float32(0.1), "0.1"),
        (123456789012345.0, "123456789012345"),
        (1e20, "1E+20"),
        (1e-7, "1E-07"),
        (Decimal("4.50"), "4.5"),
        (Decimal("100"), "100"),
        (b"caf\xc3\xa9", "café"),
    ],
)
def test_text_of_a_cell(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 13, 5), "2024-02-29T13:05:00"),
        (
            datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
            "2024-02-29T00:00:00+00:00",
        ),
        (datetime.time(9, 30), "09:30:00"),
        (datetime.timedelta(days=1, hours=2, seconds=3.5), "P1DT2H3.5S"),
        (datetime.timedelta(minutes=-90), "-PT1H30M"),
        (datetime.timedelta(0), "PT0S"),
        (pd.Timestamp("2024-02-29"), "2024-02-29"),
        (np.datetime64("2024-02-29T13:05"), "2024-02-29T13:05:00"),
        (np.datetime64(1709211900, "s"), "2024-02-29T13:05:00"),
        (np.timedelta64(36, "h"), "P1DT12H"),
    ],
)
def test_dates_are_iso_8601_and_known_as_dates(value, text):
    assert as_text(value) == text
    assert is_date(value)


@pytest.mark.parametrize("value", ["2024-02-29", 45351, 1.5, None, True])
def test_other_cells_are_not_dates(value):
    assert not is_date(value)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ([1], "a value of type list"),
        (object(), "a value of type object"),
        (float("inf"), "an infinite number"),
        (b"caf\xe9", "bytes that are not UTF-8"),
    ],
)
def test_what_is_no_text_is_said(value, what):
    cell = as_text(value)
    assert isinstance(cell, Unreadable)
    assert cell.what == what
