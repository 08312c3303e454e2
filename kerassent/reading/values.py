"""What a cell is as text: one rule for every format."""

import datetime
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

# Excel keeps 15 significant digits of a number and writes no more of them.
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell that a reader found, but that is no text.

    Args:
        what: What the cell holds, to follow "3 rows have": a formula
            without a stored value.
        fix: What to do about it, a whole sentence; `{them}` stands for it.
    """

    what: str
    fix: str


def is_date(value: object) -> bool:
    """Returns whether a cell is a date, a time, or a span of time."""
    return isinstance(
        value,
        (
            datetime.date,
            datetime.time,
            datetime.timedelta,
            np.datetime64,
            np.timedelta64,
        ),
    )


def as_text(value: object) -> str | Unreadable:
    """Returns a cell's text; a missing value is the empty text.

    Strings stay as they are. Numbers are written as Excel writes their value
    (`5.0` is `5`, 15 significant digits at most), booleans are TRUE and FALSE,
    dates and times are ISO 8601 (only the date where the time is midnight),
    and bytes are UTF-8. `None` and whatever differs from itself (NaN, NaT) are
    missing.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Unreadable):
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    # Before the numbers: numpy's timedelta64 is one of its integers.
    if is_date(value):
        return "" if value != value else _iso(value)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return _number(value)
    if isinstance(value, Decimal):
        return "" if value.is_nan() else _decimal(value)
    if isinstance(value, bytes):
        return _decoded(value)
    return Unreadable(
        f"a value of type {type(value).__name__}",
        "Turn {them} into a text first.",
    )


def _number(value: "float | np.floating[Any]") -> str | Unreadable:
    # A float32 becomes the double that it is written as: 0.1, and not
    # 0.100000001490116.
    number = float(str(value)) if isinstance(value, np.floating) else value
    if math.isnan(number):
        return ""
    if math.isinf(number):
        return Unreadable("an infinite number", "Replace {them}.")
    if number.is_integer() and abs(number) < 10**_DIGITS:
        return str(int(number))
    return format(number, f".{_DIGITS}g").upper()


def _decimal(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decoded(value: bytes) -> str | Unreadable:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return Unreadable("bytes that are not UTF-8", "Decode {them} first.")


def _iso(value: object) -> str:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, np.timedelta64):
        value = value.astype("timedelta64[us]").item()
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if isinstance(value, datetime.datetime):
        midnight = value.tzinfo is None and value.time() == datetime.time()
        return (value.date() if midnight else value).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _duration(value: datetime.timedelta) -> str:
    """Returns a span of time as ISO 8601 has it: `P1DT2H3M4.5S`."""
    if value < datetime.timedelta():
        return "-" + _duration(-value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{value.microseconds:06}".rstrip("0").rstrip(".")
    days = f"{value.days}D" if value.days else ""
    parts = ((hours, "H"), (minutes, "M"))
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    if seconds or fraction or not (days or time):
        time += f"{seconds}{fraction}S"
    return f"P{days}" + (f"T{time}" if time else "")
