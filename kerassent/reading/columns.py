"""Which columns hold the texts and the labels."""

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from kerassent.errors import DataError, listed

# What a column of texts is called when nobody says, likeliest first.
_LIKELY = ("text", "review", "content", "comment", "sentence", "body")


class Headed(Protocol):
    """What has a name and a header."""

    @property
    def name(self) -> str:
        """The source's name in messages."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns' names; `None` where the form says what is text."""

    @property
    def labelled(self) -> bool:
        """Whether there are labels, where `columns` is `None`."""


def find_columns(
    table: Headed, text: str | None, label: str | None
) -> tuple[int, int | None]:
    """Returns the places of the text column and of the label column.

    Args:
        table: The table to look in.
        text: The text column's name. `None` takes the only column there is
            beside the label's.
        label: The label column's name, or `None` for none.

    Raises:
        TypeError: A name is no string.
        DataError: There is no such column, or two have the same name.
        ValueError: The table's form has no columns, or `text` is `label`.
    """
    for argument, name in (("text", text), ("label", label)):
        if name is not None and not isinstance(name, str):
            raise TypeError(
                f"`{argument}` must be a column's name, such as {str(name)!r}. "
                f"Received: {name!r} of type {type(name).__name__}"
            )
    columns = table.columns
    if columns is None:
        given = [
            f"`{name}={value!r}`"
            for name, value in (("text", text), ("label", label))
            if value is not None
        ]
        if given:
            raise ValueError(
                f"{table.name} has no columns, but got {' and '.join(given)}. "
                "Leave it out."
            )
        return 0, 1 if table.labelled else None
    if label is not None and text == label:
        raise ValueError(
            f"`text` and `label` are both {text!r}. Pass two columns."
        )
    if not any(columns):
        raise DataError(f"{table.name} has no rows: it is empty.")
    _check_header(table.name, columns)
    label_place = None if label is None else _place(table, "label", label)
    if text is not None:
        return _place(table, "text", text), label_place
    named = [name for name in columns if name and name != label]
    if len(named) != 1:
        raise DataError(
            f"{table.name} has {len(named)} columns that could be the text: "
            f"{_names(named)}. Pass `text={_likely(named)!r}`."
        )
    return columns.index(named[0]), label_place


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Returns the name that is most like `name`, or `None` if none is."""
    by_folded = {other.strip().casefold(): other for other in reversed(names)}
    close = difflib.get_close_matches(
        name.strip().casefold(), by_folded, n=1, cutoff=0.5
    )
    return by_folded[close[0]] if close else None


def _check_header(name: str, columns: Sequence[str]) -> None:
    counts = Counter(column for column in columns if column)
    twice = [column for column, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"{name} has more than one column {_names(twice)}. Give each "
            "column a name of its own."
        )


def _place(table: Headed, argument: str, name: str) -> int:
    columns = table.columns or ()
    if name in columns:
        return columns.index(name)
    named = [column for column in columns if column]
    other = nearest(name, named)
    fix = f" Pass `{argument}={other!r}`?" if other else ""
    raise DataError(
        f"{table.name} has no column {name!r}. "
        f"Its columns are {_names(named)}.{fix}"
    )


def _likely(names: Sequence[str]) -> str:
    for word in _LIKELY:
        for name in names:
            if word in name.casefold():
                return name
    return names[0] if names else "text"


def _names(names: Sequence[str]) -> str:
    # Without a header row, a whole review can stand for a name.
    return listed(
        name if len(name) <= 60 else name[:59] + "…" for name in names
    )
