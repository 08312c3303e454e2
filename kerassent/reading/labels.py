"""Labels become class names and indices into them."""

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from kerassent.errors import DataError, listed
from kerassent.reading.columns import nearest
from kerassent.reading.table import RowList, Table
from kerassent.reading.values import Unreadable, as_text

# More classes than this, or more than a few that have less than two rows each
# on average, and the label column is taken for a column of free text.
_MAX_CLASSES = 1000
_FEW_CLASSES = 20


class LabelIndex:
    """Collects the labels of a table, a row at a time.

    Args:
        table: The table that the labels come from, for messages.
        class_names: The only labels there may be, in the order they are to
            have. `None` takes the labels there are, sorted.
        column: The label column's name for messages, or `None`.
    """

    def __init__(
        self,
        table: Table,
        class_names: tuple[str, ...] | None,
        *,
        column: str | None,
    ) -> None:
        self._table = table
        self._given = class_names
        self._where = "" if column is None else f" in column {column!r}"
        self._ids = array("i")
        self._index = {name: i for i, name in enumerate(class_names or ())}
        self._first_rows: list[object] = []
        self._unknown: dict[str, RowList] = {}

    def add(self, row: object, label: str) -> None:
        """Adds the next row's label."""
        index = self._index.get(label)
        if index is None:
            index = self._new(row, label)
        self._ids.append(index)

    def finish(self) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
        """Returns each row's index into the class names, and these.

        Raises:
            DataError: A label is not one of the class names, or, where none
                were given, the labels don't make classes.
        """
        ids = np.array(self._ids, dtype=np.int32)
        if self._given is not None:
            self._check_known()
            return ids, self._given
        self._check_classes()
        names = tuple(sorted(self._index))
        place = {name: i for i, name in enumerate(names)}
        order = np.array([place[name] for name in self._index], np.int32)
        return order[ids], names

    def _new(self, row: object, label: str) -> int:
        if self._given is not None:
            # A label that nobody knows may be a different one in each row.
            if label in self._unknown or len(self._unknown) < _MAX_CLASSES:
                rows = self._unknown.setdefault(label, RowList(self._table))
                rows.add(row)
            return 0
        self._first_rows.append(row)
        if len(self._index) == _MAX_CLASSES:
            raise DataError(self._free_text(f"more than {_MAX_CLASSES:,}"))
        return self._index.setdefault(label, len(self._index))

    def _check_known(self) -> None:
        for label, rows in self._unknown.items():
            others = [name for name in self._unknown if name != label]
            more = f" So are {listed(others)}." if others else ""
            other = nearest(label, self._given or ())
            meant = f" Was {other!r} meant?" if other else ""
            raise DataError(
                f"{self._table.name}: {rows.have} the unknown label {label!r}"
                f" ({rows}){self._where}. `class_names` are "
                f"{listed(self._given or ())}.{meant}{more}"
            )

    def _check_classes(self) -> None:
        labels = list(self._index)
        first_row = dict(zip(labels, self._first_rows, strict=True))
        by_folded: dict[str, str] = {}
        for label in labels:
            other = by_folded.setdefault(label.strip().casefold(), label)
            if other != label:
                rows = RowList(self._table)
                rows.add(first_row[other])
                rows.add(first_row[label])
                raise DataError(
                    f"{self._table.name}: the labels {other!r} and {label!r} "
                    f"({rows}){self._where} differ only in case or outer "
                    "spaces. Write them alike, or pass both in "
                    "`class_names` if they are two classes."
                )
        if len(labels) < 2:
            raise DataError(
                f"{self._table.name}: all {len(self._ids):,} rows have the "
                f"label {labels[0]!r}{self._where}, and a classifier needs "
                "two classes or more. Pass `class_names` if the others are "
                "in another file."
            )
        if len(labels) > max(_FEW_CLASSES, len(self._ids) / 2):
            raise DataError(self._free_text(f"{len(labels):,}"))

    def _free_text(self, count: str) -> str:
        return (
            f"{self._table.name}: {len(self._ids):,} rows have {count} "
            f"different labels{self._where}, the first "
            f"{listed(list(self._index)[:3])}. That looks like free text: "
            "pass the label column's name as `label`, or `class_names` if "
            "these are classes."
        )


def checked_class_names(
    class_names: Iterable[object] | None,
) -> tuple[str, ...] | None:
    """Returns `class_names` as labels are read: as text, in their order.

    Raises:
        TypeError: `class_names` is one string, or not a sequence.
        ValueError: There is none, or one is empty or there twice.
    """
    if class_names is None:
        return None
    if not isinstance(class_names, Iterable) or isinstance(
        class_names, (str, bytes, set, frozenset)
    ):
        raise TypeError(
            f"`class_names` must be a list of names, got {class_names!r}."
        )
    names = [as_text(name) for name in class_names]
    texts = tuple(name for name in names if isinstance(name, str))
    if len(texts) < len(names):
        bad = next(name for name in names if isinstance(name, Unreadable))
        raise TypeError(f"`class_names` must be names, got {bad.what}.")
    if not texts or any(not name.strip() for name in texts):
        raise ValueError(
            f"`class_names` must hold names, none of them empty, got "
            f"{list(texts)!r}."
        )
    if len(set(texts)) < len(texts):
        raise ValueError(
            f"`class_names` must be different names, got {list(texts)!r}."
        )
    return texts
