"""Rows of raw cells become texts and labels, or an error that names rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from kerassent.errors import DataError
from kerassent.reading.labels import LabelIndex
from kerassent.reading.row_numbers import RowNumbers
from kerassent.reading.table import RowList, Table
from kerassent.reading.values import Unreadable, as_text, is_date

_EMPTY_TEXT = Unreadable(
    "an empty text", "Pass `drop_empty=True` to leave {them} out."
)
_EMPTY_LABEL = Unreadable(
    "an empty label", "Give each row a label, or take {them} out."
)
_LONE_SURROGATE = Unreadable(
    "a lone surrogate, which is half a character",
    "Replace {them} with the character that was meant.",
)


@dataclass(frozen=True)
class Checked:
    """What a pass over a table has found out, beside the texts.

    Args:
        label_ids: Each row's class, `(num_rows,)` int32; -1 without labels.
        class_names: The classes' names; none without labels.
        dates: How many cells were dates or times.
        dropped: How many rows were left out for an empty text.
        rows: Where each row is in its source.
    """

    label_ids: npt.NDArray[np.int32]
    class_names: tuple[str, ...]
    dates: int
    dropped: int
    rows: RowNumbers

    def take(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """Returns the same of some rows.

        Args:
            chosen: `(num_rows,)` bool.
        """
        return replace(
            self,
            label_ids=self.label_ids[chosen],
            rows=self.rows.take(chosen),
        )


def read_checked(
    rows: "CheckedRows",
    class_names: tuple[str, ...] | None,
    keep: Callable[[str], object],
) -> Checked:
    """Reads all rows once and hands each text on.

    Args:
        rows: The rows to read.
        class_names: The only labels there may be, in their order, or `None`
            for those there are, sorted.
        keep: Is called with each row's text.

    Raises:
        DataError: A cell is no text, or the labels don't make classes.
        ValueError: There are class names, but no labels.
    """
    numbers = RowNumbers(rows.table)
    if not rows.labelled:
        if class_names is not None:
            raise ValueError(
                "`class_names` are given, but no labels. Pass `label` (or "
                "`labels`) too, or leave `class_names` out."
            )
        num_rows = 0
        for row, text, _ in rows:
            keep(text)
            numbers.add(row)
            num_rows += 1
        label_ids = np.full(num_rows, -1, np.int32)
        return Checked(label_ids, (), rows.dates, rows.dropped, numbers)
    labels = LabelIndex(rows.table, class_names, column=rows.label_column)
    for row, text, label in rows:
        keep(text)
        numbers.add(row)
        labels.add(row, label)
    label_ids, names = labels.finish()
    return Checked(label_ids, names, rows.dates, rows.dropped, numbers)


class CheckedRows:
    """A table's rows as strings; iterating raises on whatever is not one.

    All rows are looked at before an error is raised, so that it can name the
    first ones and say how many there are.

    Args:
        table: The table to read.
        text: The text column's place.
        label: The label column's place, or `None`.
        drop_empty: Whether rows with an empty text are left out.
    """

    def __init__(
        self,
        table: Table,
        text: int,
        label: int | None,
        *,
        drop_empty: bool,
    ) -> None:
        self.table = table
        self._text = text
        self._label = label
        self._drop_empty = drop_empty
        self._problems: dict[tuple[Unreadable, int], RowList] = {}
        self.dates = 0
        self.dropped = 0

    @property
    def labelled(self) -> bool:
        """Whether the rows have labels."""
        return self._label is not None

    @property
    def label_column(self) -> str | None:
        """The label column's name, `None` if there is none."""
        if self._label is None or self.table.columns is None:
            return None
        return self.table.columns[self._label]

    def __iter__(self) -> Iterator[tuple[object, str, str]]:
        """Yields each row's own number, its text, and its label or "".

        Raises:
            DataError: At the end, if a cell is empty or not a text, or if
                there are no rows.
        """
        self._problems = {}
        self.dates = self.dropped = 0
        num_rows = 0
        text_place, label_place = self._text, self._label
        for row, raw_text, raw_label in self.table.rows(
            text_place, label_place
        ):
            text = self._clean(row, raw_text, text_place)
            if not text:
                if text is None:
                    continue
                if self._drop_empty:
                    self.dropped += 1
                else:
                    self._add(row, _EMPTY_TEXT, text_place)
                continue
            label: str | None = ""
            if label_place is not None:
                label = self._clean(row, raw_label, label_place)
                if not label:
                    if label is not None:
                        self._add(row, _EMPTY_LABEL, label_place)
                    continue
            num_rows += 1
            yield row, text, label or ""
        self._raise_problems()
        if not num_rows:
            left = (
                f" with a text; {self.dropped} were empty"
                if self.dropped
                else ""
            )
            raise DataError(
                f"{self.table.name} has no rows{left}. Pass a source with at "
                "least one review."
            )

    def _clean(self, row: object, raw: object, place: int) -> str | None:
        """Returns a cell's text, "" if it is blank, `None` if it is none."""
        if type(raw) is str:
            value: str | Unreadable = raw
        else:
            value = as_text(raw)
            if value and is_date(raw):
                self.dates += 1
        if isinstance(value, Unreadable):
            self._add(row, value, place)
            return None
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                self._add(row, _LONE_SURROGATE, place)
                return None
        return "" if value.isspace() else value

    def _add(self, row: object, problem: Unreadable, place: int) -> None:
        self._problems.setdefault((problem, place), RowList(self.table)).add(
            row
        )

    def _raise_problems(self) -> None:
        for (problem, place), rows in self._problems.items():
            columns = self.table.columns
            where = f" in column {columns[place]!r}" if columns else ""
            fix = problem.fix.format(them="them" if rows.count > 1 else "it")
            raise DataError(
                f"{self.table.name}: {rows.have} {problem.what} ({rows})"
                f"{where}. {fix}"
            )
