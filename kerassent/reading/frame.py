"""A pandas DataFrame."""

from collections.abc import Iterator

import pandas as pd

from kerassent.errors import DataError
from kerassent.reading.table import Row, Table


class FrameTable(Table):
    """The rows of a DataFrame, by their index.

    Args:
        frame: The DataFrame. It is not changed.

    Raises:
        DataError: Its columns have more than one level.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        if isinstance(frame.columns, pd.MultiIndex):
            raise DataError(
                f"The DataFrame's columns have {frame.columns.nlevels} "
                "levels. Flatten them to one name a column first."
            )
        super().__init__(
            "the DataFrame",
            [str(column) for column in frame.columns],
            row_word="index value",
        )
        self._frame = frame

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each row's index value, text and label; missing is None."""
        texts = self._column(text)
        labels = [None] * len(texts) if label is None else self._column(label)
        yield from zip(self._frame.index, texts, labels, strict=True)

    def _column(self, place: int) -> list[object]:
        column = self._frame.iloc[:, place]
        values: list[object] = list(column)
        for row in column.isna().to_numpy().nonzero()[0]:
            values[row] = None
        return values
