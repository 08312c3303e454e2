"""csv and tsv files."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from kerassent.errors import DataError
from kerassent.reading.encoding import find_encoding
from kerassent.reading.table import Record, Row, RowList, Table

_SEPARATORS = ",;\t|"
_FIELD_LIMIT = 16 << 20  # characters; the csv module's own limit is 131,072
_SAMPLE = 1 << 18  # characters
_NAMES = {"\t": "a tab", ",": "','", ";": "';'", "|": "'|'"}


class DelimitedTable(Table):
    """The rows of a csv or tsv file, by the line each begins in.

    The first line has to be the header. Blank lines at the end are no rows.

    Args:
        path: The file.
        encoding: Its encoding, or `None` to find it out.
        separator: What stands between two fields, or `None` to find it out:
            the one of comma, semicolon, tab and bar that splits the header
            and the first rows into equally many fields. A .tsv has tabs.

    Raises:
        DataError: The encoding cannot be found out, or there is no header.
        ValueError: The separator is not one character.
    """

    streams = True

    def __init__(
        self,
        path: Path,
        *,
        encoding: str | None = None,
        separator: str | None = None,
    ) -> None:
        if separator is not None and (
            len(separator) != 1 or separator in '"\r\n'
        ):
            raise ValueError(
                "`separator` must be one character, not a quote or a line's "
                f"end, got {separator!r}."
            )
        self._path = path
        self._encoding = find_encoding(path, encoding)
        if csv.field_size_limit() < _FIELD_LIMIT:
            csv.field_size_limit(_FIELD_LIMIT)
        if separator is None and path.suffix.lower() == ".tsv":
            separator = "\t"
        self._separator = separator or self._find_separator()
        header = next(self._records(), None)
        if header is None or not any(header[1]):
            what = "is empty" if header is None else "begins with a blank line"
            raise DataError(
                f"{path.name} {what}. Its first line has to be the header "
                "with the columns' names."
            )
        super().__init__(
            path.name,
            [column.removeprefix("\ufeff") for column in header[1]],
            row_word="line",
        )

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each row's first line, text and label.

        Raises:
            DataError: A row has more or fewer fields than the header, or its
                quotes don't close.
        """
        width = len(self.columns or ())
        uneven = RowList(self)
        first_width = 0
        for line, fields in self._body():
            if not fields:
                yield line, "", ""
            elif len(fields) != width:
                first_width = first_width or len(fields)
                uneven.add(line)
            else:
                yield (
                    line,
                    fields[text],
                    None if label is None else fields[label],
                )
        if uneven.count:
            separator = _NAMES.get(self._separator, repr(self._separator))
            raise DataError(
                f"{self.name}: {uneven.have} more or fewer fields than the "
                f"header, which has {width} ({uneven}; the first has "
                f"{first_width}). Put a text that holds {separator} between "
                "double quotes, or pass the right `separator`."
            )

    def records(self, text: int) -> Iterator[Record]:
        """Yields each row by its first line.

        Of a row with too many fields, the last cell takes all that are over.
        """
        width = len(self.columns or ())
        for line, fields in self._body():
            count = len(fields)
            if count == width:
                yield Record(line, [*fields], fields[text])
                continue
            cells: list[object] = [*fields[:width], *[""] * (width - count)]
            if count > width:
                cells[-1] = self._separator.join(fields[width - 1 :])
            than = "more" if count > width else "fewer"
            problem = f"{than} fields than the header" if fields else ""
            yield Record(line, cells, cells[text], problem)

    def _body(self) -> Iterator[tuple[int, list[str]]]:
        """Yields each record below the header; a blank one has no fields."""
        records = self._records()
        next(records)
        blank: list[int] = []
        for line, fields in records:
            if not any(fields):
                blank.append(line)
                continue
            yield from ((empty, []) for empty in blank)
            blank.clear()
            yield line, fields

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yields each record that has one, with the line it begins in."""
        with self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self._separator, strict=True)
            line = 1
            try:
                for fields in reader:
                    yield line, fields
                    line = reader.line_num + 1
            except csv.Error as error:
                raise DataError(
                    f"{self._path.name}: the record that begins in line "
                    f"{line} cannot be read: {error}. A double quote at the "
                    "beginning of a field must be closed at its end, and one "
                    "inside be written twice."
                ) from error

    def _find_separator(self) -> str:
        with self._path.open(encoding=self._encoding, newline="") as file:
            sample = file.read(_SAMPLE)
            is_all = not file.read(1)
        scores = {
            separator: _score(sample, separator, is_all)
            for separator in _SEPARATORS
        }
        return max(_SEPARATORS, key=lambda separator: scores[separator])


def _score(sample: str, separator: str, is_all: bool) -> tuple[int, int]:
    """Returns how well a separator fits, and into how many columns it splits.

    3: header and rows have equally many fields, two or more; 2: the header
    has two or more; 1: all have one, so that it is a file of one column.
    """
    reader = csv.reader(
        io.StringIO(sample, newline=""), delimiter=separator, strict=True
    )
    width, even = 0, True
    try:
        previous = next(reader, [])
        width = len(previous)
        even = True
        for fields in reader:
            # The last record may be cut off, so each is judged one later.
            even = even and (len(previous) == width or not any(previous))
            previous = fields
        if is_all:
            even = even and (len(previous) == width or not any(previous))
    except csv.Error:
        even = even and not is_all
    if width >= 2:
        return (3 if even else 2), width
    return (1 if even else 0), width
