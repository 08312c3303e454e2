"""The rows of all files, as they are: the bad ones are what is looked for."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerassent.data_checks.findings import Example
from kerassent.errors import DataError
from kerassent.reading.columns import find_columns
from kerassent.reading.opening import open_table
from kerassent.reading.table import Table, file_errors
from kerassent.reading.values import Unreadable, as_text

_SHOWN_CHARACTERS: Final = 160


@dataclass
class File:
    """What one file holds.

    Args:
        name: The file's name.
        row_word: What its rows are called.
        labelled: Whether it has labels.
        first: Its first text's place in the corpus.
        num_texts: How many texts it has.
        empty: Rows whose text is empty.
        unlabelled: Rows whose label is empty or no text.
        unreadable: Rows whose text is none, and why.
    """

    name: str
    row_word: str
    labelled: bool
    first: int
    num_texts: int = 0
    empty: list[object] = field(default_factory=list)
    unlabelled: list[object] = field(default_factory=list)
    unreadable: list[tuple[object, str]] = field(default_factory=list)

    @property
    def num_rows(self) -> int:
        """All rows, with and without a text."""
        return self.num_texts + len(self.empty) + len(self.unreadable)

    @property
    def texts(self) -> slice:
        """Its texts' places in the corpus."""
        return slice(self.first, self.first + self.num_texts)

    def where(self, row: object) -> str:
        """Returns a row as its file's user finds it.

        Args:
            row: The row's own number.
        """
        return f"{self.name}, {self.row_word} {row}"


class Corpus:
    """All texts of some files, one file after the other.

    Attributes:
        files: The files, the training's first.
        texts: Every text that is one.
        rows: Each text's own row number.
        class_names: All labels there are, in order.
        label_ids: Each text's index into them, int32; -1 without a label.
    """

    def __init__(self) -> None:
        self.files: list[File] = []
        self.texts: list[str] = []
        self.rows: list[object] = []
        self.class_names: tuple[str, ...] = ()
        self.label_ids: np.ndarray = np.zeros(0, np.int32)
        self._labels: list[str] = []

    def __len__(self) -> int:
        return len(self.texts)

    def add(
        self,
        source: object,
        *,
        text: str | None,
        label: str | None,
        **options: Any,
    ) -> None:
        """Reads a source to its end.

        Args:
            source: As in `load_reviews`.
            text: The column of the texts.
            label: The column of the labels, or `None` for none.
            **options: `sheet`, `encoding`, `separator`.

        Raises:
            DataError: It can't be read, or has no rows.
        """
        path = Path(source) if isinstance(source, str | os.PathLike) else None
        with (
            nullcontext() if path is None else file_errors(path),
            open_table(source, columns=(text, label), **options) as table,
        ):
            self._read(table, *find_columns(table, text, label))

    def _read(self, table: Table, text: int, label: int | None) -> None:
        file = File(
            table.name, table.row_word, label is not None, len(self.texts)
        )
        for row, raw_text, raw_label in table.rows(text, label):
            value = _value(raw_text)
            if isinstance(value, Unreadable):
                file.unreadable.append((row, value.what))
                continue
            if not value or value.isspace():
                file.empty.append(row)
                continue
            named = "" if label is None else _value(raw_label)
            if isinstance(named, Unreadable) or not named.strip():
                named = ""
                if label is not None:
                    file.unlabelled.append(row)
            self.texts.append(value)
            self.rows.append(row)
            self._labels.append(named)
        file.num_texts = len(self.texts) - file.first
        if not file.num_rows:
            raise DataError(
                f"{file.name} has no rows. Pass a source with at least one "
                "review."
            )
        self.files.append(file)
        self.class_names = tuple(sorted(set(self._labels) - {""}))
        index = {name: i for i, name in enumerate(self.class_names)} | {"": -1}
        self.label_ids = np.array(
            [index[name] for name in self._labels], np.int32
        )

    def file_of(self, index: int) -> File:
        """Returns the file that a text is in.

        Args:
            index: The text's place.
        """
        return next(
            file
            for file in reversed(self.files)
            if file.num_texts and file.first <= index
        )

    def where(self, index: int) -> str:
        """Returns where a text is: "train.xlsx, Excel row 14".

        Args:
            index: The text's place.
        """
        return self.file_of(index).where(self.rows[index])

    def label(self, index: int) -> str:
        """Returns a text's label, or "".

        Args:
            index: The text's place.
        """
        label_id = self.label_ids[index]
        return self.class_names[label_id] if label_id >= 0 else ""

    def examples(
        self, indices: Sequence[int], notes: Sequence[str] = ()
    ) -> tuple[Example, ...]:
        """Returns texts as examples.

        Args:
            indices: Their places.
            notes: What there is to see of each, or nothing.
        """
        return tuple(
            Example(
                self.where(index),
                shortened(self.texts[index]),
                notes[i] if notes else "",
            )
            for i, index in enumerate(indices)
        )


def read_corpus(sources: Sequence[object], **options: Any) -> Corpus:
    """Returns all rows of some files.

    Args:
        sources: The files, as in `load_reviews`.
        **options: Of `Corpus.add`.

    Raises:
        DataError: One can't be read, or has no rows.
    """
    corpus = Corpus()
    for source in sources:
        corpus.add(source, **options)
    if not len(corpus):
        names = ", ".join(file.name for file in corpus.files)
        raise DataError(
            f"{names}: no row has a text. Pass `text` if another column does."
        )
    return corpus


def shortened(text: str) -> str:
    """Returns the beginning of a text, on one line.

    Args:
        text: The text.
    """
    # A long text's beginning is all that is looked at.
    line = " ".join(text[: 4 * _SHOWN_CHARACTERS].split())
    if len(line) > _SHOWN_CHARACTERS:
        return f"{line[: _SHOWN_CHARACTERS - 1]}…"
    return line


def _value(raw: object) -> str | Unreadable:
    value = raw if type(raw) is str else as_text(raw)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return Unreadable("a lone surrogate, which is half a character", "")
    return value
