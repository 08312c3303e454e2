"""Texts and labels that are in memory: lists, tuples, arrays and Series."""

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from kerassent.errors import DataError
from kerassent.reading.table import Row, Table


class ArrayTable(Table):
    """A sequence of texts, with or without one of labels.

    Args:
        texts: One dimension of texts.
        labels: As many labels, or `None`.

    Raises:
        TypeError: One of them is not a sequence.
        DataError: They differ in length or have more than one dimension.
    """

    def __init__(self, texts: object, labels: object | None = None) -> None:
        super().__init__(
            "the given texts",
            None,
            row_word="row",
            row_note=", counted from 0",
            labelled=labels is not None,
        )
        self._texts = _sequence("texts", texts)
        self._labels = None if labels is None else _sequence("labels", labels)
        if self._labels is not None and len(self._labels) != len(self._texts):
            raise DataError(
                f"Got {len(self._texts):,} texts and {len(self._labels):,} "
                "labels. Pass one label for each text."
            )

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each text and label by its place, counted from 0."""
        if self._labels is None:
            for row, value in enumerate(self._texts):
                yield row, value, None
        else:
            pairs = zip(self._texts, self._labels, strict=True)
            for row, (value, name) in enumerate(pairs):
                yield row, value, name


def _sequence(name: str, values: object) -> Sequence[object]:
    if isinstance(values, (list, tuple)):
        return values
    if getattr(values, "ndim", 1) != 1:
        raise DataError(
            f"`{name}` must have one dimension, got an array of shape "
            f"{getattr(values, 'shape', None)}."
        )
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, pandas.Series):
        return list(values.to_numpy(dtype=object, na_value=None))
    if isinstance(values, np.ndarray) or (
        isinstance(values, Sequence) and not isinstance(values, (str, bytes))
    ):
        return list(values)
    raise TypeError(
        f"`{name}` must be a list, tuple, array or Series, got "
        f"{type(values).__name__}."
    )
