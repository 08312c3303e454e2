"""JSON lines: an object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerassent.errors import DataError
from kerassent.reading.encoding import find_encoding
from kerassent.reading.table import MISSING, Record, Row, Table
from kerassent.reading.values import Unreadable

_NESTED = Unreadable(
    "an object or list instead of a text",
    "Flatten {them}, or choose another column.",
)


class JsonLinesTable(Table):
    """The objects of a JSON lines file, by line.

    A key that an object doesn't have is empty there. Blank lines at the end
    are no rows.

    Args:
        path: The file.
        wanted: The columns that will be asked for, if they are known. Then
            the file is searched for column names until it has shown these,
            and for none of them not at all.
        encoding: Its encoding, or `None` to find it out.

    Raises:
        DataError: A line is not a JSON object.
    """

    def __init__(
        self,
        path: Path,
        *,
        wanted: frozenset[str] | None = None,
        encoding: str | None = None,
    ) -> None:
        self._path = path
        self._encoding = find_encoding(path, encoding)
        columns: dict[str, None] = {}
        records = iter(()) if wanted == frozenset() else self._records()
        for _, record in records:
            columns.update(dict.fromkeys(record))
            if wanted is not None and columns.keys() >= wanted:
                break
        super().__init__(path.name, list(columns), row_word="line")

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each object's line, text and label.

        Raises:
            DataError: A line is not a JSON object.
        """
        columns = self.columns or ()
        text_key = columns[text]
        label_key = None if label is None else columns[label]
        for line, record in self._records():
            yield (
                line,
                _raw(record.get(text_key)),
                None if label_key is None else _raw(record.get(label_key)),
            )

    def scan(self) -> int:
        """Returns how many records there are, and finds all columns.

        Raises:
            DataError: No line is a JSON object.
        """
        columns = dict.fromkeys(self.columns or ())
        count = 0
        first: DataError | None = None
        for line, content in self._lines():
            count += 1
            try:
                columns.update(dict.fromkeys(self._parse(line, content)))
            except DataError as error:
                first = first or error
        if first is not None and not columns:
            raise first
        self.columns = tuple(columns)
        return count

    def records(self, text: int) -> Iterator[Record]:
        """Yields each line's object.

        A line that is none is the text's cell, as it is.
        """
        columns = self.columns or ()
        for line, content in self._lines():
            try:
                record = self._parse(line, content)
            except DataError:
                cells = [MISSING] * len(columns)
                cells[text] = content.rstrip("\r\n")
                yield Record(line, cells, None, "no JSON object in the line")
                continue
            cells = [record.get(key, MISSING) for key in columns]
            yield Record(line, cells, _raw(record.get(columns[text])))

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields each line's number and object; a blank line is empty."""
        for line, content in self._lines():
            yield line, self._parse(line, content)

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yields each line with its number, but for blank ones at the end."""
        blank: list[int] = []
        with self._path.open(encoding=self._encoding, newline="\n") as file:
            for line, content in enumerate(file, 1):
                if not content.strip():
                    blank.append(line)
                    continue
                yield from ((number, "") for number in blank)
                blank.clear()
                yield line, content

    def _parse(self, line: int, content: str) -> dict[str, Any]:
        if not content:
            return {}
        where = f"{self._path.name}, line {line}"
        try:
            record = json.loads(
                content, object_pairs_hook=_unique, parse_constant=_refuse
            )
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{where} is not JSON: {error}. Each line must be one object "
                'such as {"text": "A film.", "label": "pos"}.'
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{where} is a {type(record).__name__}, not an object. Each "
                'line must be one such as {"text": "A film.", "label": "pos"}.'
            )
        return record


def _raw(value: object) -> object:
    return _NESTED if isinstance(value, (dict, list)) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value, null is")
