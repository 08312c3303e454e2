"""Reviews: texts and labels, read from whatever they are kept in."""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import compress
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt

from kerassent.reading.arrays import ArrayTable
from kerassent.reading.checking import Checked, CheckedRows, read_checked
from kerassent.reading.columns import find_columns
from kerassent.reading.labels import checked_class_names
from kerassent.reading.opening import open_table
from kerassent.reading.table import file_errors
from kerassent.review_base import ReviewsBase
from kerassent.review_stream import ReviewStream


class Reviews(ReviewsBase):
    """Texts with or without labels, checked once and never changed.

    `load_reviews` makes them of files and frames; of texts that are in memory
    they are made directly.

    Args:
        texts: The texts, none of them empty: a list, tuple, array or Series.
        labels: A label for each text, or `None` for unlabelled reviews.
            Numbers and booleans become their text: 1 is the class "1".
        class_names: The only labels there may be, in the order that the
            classes shall have. `None` takes the labels there are, sorted, and
            then there must be two or more.

    Raises:
        DataError: A text or label is empty or not a text, a label is not one
            of the class names, or there are no rows.

    Example:
        ```python
        reviews = Reviews(["A gem.", "A bore."], ["pos", "neg"])
        reviews.class_names  # ("neg", "pos")
        reviews.label_ids  # array([1, 0], dtype=int32)
        ```
    """

    __slots__ = ("_labels", "_texts")

    def __init__(
        self,
        texts: Sequence[object],
        labels: Sequence[object] | None = None,
        class_names: Sequence[object] | None = None,
    ) -> None:
        table = ArrayTable(texts, labels)
        rows = CheckedRows(
            table, 0, None if labels is None else 1, drop_empty=False
        )
        self._read(rows, checked_class_names(class_names))

    @property
    def texts(self) -> Sequence[str]:
        """The texts, exactly as they were read."""
        return self._texts

    @property
    def labels(self) -> Sequence[str] | None:
        """Each text's label, or `None` if unlabelled."""
        return self._labels

    def iter_rows(self) -> Iterator[tuple[str, int]]:
        """Yields each text and its index into `class_names`, -1 unlabelled."""
        return zip(self._texts, self.label_ids.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reviews):
            return NotImplemented
        return (
            self._texts == other._texts
            and self.class_names == other.class_names
            and np.array_equal(self.label_ids, other.label_ids)
        )

    __hash__ = None  # type: ignore[assignment] # equal by all its texts

    def _read(
        self, rows: CheckedRows, class_names: tuple[str, ...] | None
    ) -> None:
        texts: list[str] = []
        checked = read_checked(rows, class_names, texts.append)
        self._keep(tuple(texts), checked, rows.table.name)

    def _keep(
        self, texts: tuple[str, ...], checked: Checked, source: str
    ) -> None:
        super().__init__(checked, source)
        names = checked.class_names
        self._texts = texts
        self._labels = (
            tuple(names[i] for i in checked.label_ids) if names else None
        )

    def _lengths(self) -> npt.NDArray[np.int64]:
        return np.fromiter(map(len, self._texts), np.int64, len(self._texts))

    def _num_different(self) -> int:
        return len(set(self._texts))

    def _take(self, rows: npt.NDArray[np.bool_]) -> Self:
        part = object.__new__(type(self))
        texts = tuple(compress(self._texts, rows))
        checked = self._checked.take(rows)
        part._keep(texts, checked, self.source)
        return part


@overload
def load_reviews(
    source: object,
    *,
    text: str | None = None,
    label: str | None = None,
    class_names: Sequence[object] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    drop_empty: bool = False,
    stream: Literal[False] = False,
) -> Reviews: ...


@overload
def load_reviews(
    source: object,
    *,
    text: str | None = None,
    label: str | None = None,
    class_names: Sequence[object] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    drop_empty: bool = False,
    stream: Literal[True],
) -> ReviewStream: ...


def load_reviews(
    source: object,
    *,
    text: str | None = None,
    label: str | None = None,
    class_names: Sequence[object] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    drop_empty: bool = False,
    stream: bool = False,
) -> Reviews | ReviewStream:
    """Reads reviews, or says what is wrong with them and in which rows.

    Everything is read as text: numbers as Excel's value (`5.0` is "5"),
    booleans as TRUE and FALSE, dates as ISO 8601. A text is kept exactly as it
    is; it is empty if it is missing or only white space. Labels are kept
    exactly too, but two that differ only in case or outer spaces are taken for
    a typing mistake.

    Args:
        source: The path of an .xlsx, .csv, .tsv, .parquet or .jsonl file, or
            of a folder with a folder of .txt files for each class (aclImdb's
            form); a pandas DataFrame; a sequence of texts; or the tuple
            `(texts, labels)`.
        text: The text column's name. `None` takes the only column beside
            `label`.
        label: The label column's name. `None` reads unlabelled reviews.
        class_names: The only labels there may be, in the order that the
            classes shall have. `None` takes the labels there are, sorted, and
            then there must be two or more. Of a folder only these class
            folders are read.
        sheet: An Excel file's sheet. `None` takes the only one with cells
            that isn't hidden.
        encoding: A csv, tsv, jsonl or txt file's encoding. `None` finds it
            out: UTF-8, UTF-16 and UTF-32 by their marks, and cp1252 where no
            other Windows code page would read the bytes differently.
        separator: A csv or tsv file's separator. `None` finds it out among
            comma, semicolon, tab and bar.
        drop_empty: Whether to leave out rows with an empty text, which the
            summary counts, instead of raising an error.
        stream: Whether the texts of a csv, tsv or parquet file stay there and
            are read again in each pass, for files larger than memory.

    Returns:
        The Reviews, or with `stream=True` a ReviewStream.

    Raises:
        DataError: The source cannot become Reviews. The message names the
            file, the column and the first rows by their own numbering: Excel
            rows, the lines of a text file, a DataFrame's index.
        TypeError: The source is none of these, or a column's name no string.
        ValueError: An argument doesn't fit the source.

    Example:
        ```python
        reviews = load_reviews("train.xlsx", text="Reviews", label="Sentiment")
        print(reviews.summary())
        ```
    """
    names = checked_class_names(class_names)
    path = Path(source) if isinstance(source, (str, os.PathLike)) else None
    with nullcontext() if path is None else file_errors(path):
        with open_table(
            source if path is None else path,
            columns=(text, label),
            class_names=names,
            sheet=sheet,
            encoding=encoding,
            separator=separator,
        ) as table:
            rows = CheckedRows(
                table, *find_columns(table, text, label), drop_empty=drop_empty
            )
            if not stream:
                reviews = object.__new__(Reviews)
                reviews._read(rows, names)
                return reviews
            if path is None or not table.streams:
                raise ValueError(
                    "`stream=True` reads csv, tsv and parquet files, got "
                    f"{table.name}. Leave it out, or save the reviews as one "
                    "of these."
                )
            return ReviewStream(rows, path, names)
