"""Excel files, which have to be written in one go."""

import datetime
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.writer.excel import ExcelWriter

from kerassent.scoring.answers import Answers
from kerassent.scoring.chunks import Chunk
from kerassent.scoring.output import Output, cell_text

# What Excel allows (its "Specifications and limits").
MAX_ROWS: Final = 1_048_576
MAX_COLUMNS: Final = 16_384
MAX_CHARACTERS: Final = 32_767

TOO_LONG: Final = (
    f"a cell that is cut to {MAX_CHARACTERS:,} characters, the most in xlsx"
)

# What XML 1.0 can't say, or reads as something else (a carriage return), and
# what would be taken for an escape. Excel writes them as _x000D_.
_ESCAPED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)"
)
_CUT_ESCAPE: Final = re.compile("(?<!_x[0-9A-Fa-f]{4})_(x[0-9A-Fa-f]{0,4})?$")
# Excel keeps 15 digits of a number, and dates from 1900 on.
_MAX_INTEGER: Final = 10**15
_FIRST_YEAR: Final = 1901
_WHEN: Final = datetime.datetime(1980, 1, 1)


class XlsxOutput(Output):
    """One sheet, in which text is text, whatever it begins with.

    Numbers, booleans and dates stay what they are. Each row waits as JSON.
    """

    max_rows = MAX_ROWS
    max_columns = MAX_COLUMNS

    def check(self, chunk: Chunk) -> None:
        """Notes which rows have a text that is too long for a cell."""
        for place, cells in enumerate(chunk.rows()):
            if any(_is_too_long(cell) for cell in cells):
                other = chunk.problems[place]
                chunk.problems[place] = (
                    f"{other}; {TOO_LONG}" if other else TOO_LONG
                )

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        """Returns the rows, a JSON list each."""
        lines = []
        for cells, label, figures, error in zip(
            chunk.rows(),
            answers.labels,
            answers.decimals(),
            answers.errors,
            strict=True,
        ):
            row = [_plain(cell) for cell in cells]
            row.append(None if label is None else cut(escaped(label)))
            row += [float(figure) if figure else None for figure in figures]
            row.append(error or None)
            lines.append(json.dumps(row).encode("ascii") + b"\n")
        return b"".join(lines)

    def finish(self, data: Path, ends: Sequence[int], target: Path) -> Path:
        """Writes the rows to a workbook, which holds no time of writing."""
        book = Workbook(write_only=True)
        book.properties.created = book.properties.modified = _WHEN
        sheet = book.create_sheet("Sheet1")
        header = [*self.columns, *self.added.names]
        sheet.append([_cell(sheet, cut(escaped(name))) for name in header])
        for row in _lines(data):
            sheet.append([_cell(sheet, value) for value in row])
        with _TimelessZip(target, "w", ZIP_DEFLATED, allowZip64=True) as file:
            ExcelWriter(book, file).save()
        return target


class _TimelessZip(ZipFile):
    """A zip whose bytes don't depend on when it is written."""

    def writestr(
        self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any
    ) -> None:
        with self.open(_undated(zinfo_or_arcname), "w") as member:
            member.write(
                data.encode("utf-8") if isinstance(data, str) else data
            )

    def write(self, filename: Any, arcname: Any = None, *_: Any) -> None:
        with (
            open(filename, "rb") as file,
            self.open(_undated(arcname), "w", force_zip64=True) as member,
        ):
            shutil.copyfileobj(file, member)


def _undated(name: str) -> ZipInfo:
    member = ZipInfo(name, _WHEN.timetuple()[:6])
    member.compress_type = ZIP_DEFLATED
    return member


def escaped(text: str) -> str:
    """Returns text with all that XML can't hold as Excel escapes it.

    Args:
        text: The text.
    """
    return _ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def cut(text: str) -> str:
    """Returns as much of an escaped text as a cell holds.

    Args:
        text: The text; its characters are counted as Excel does, in UTF-16.
    """
    if 2 * len(text) <= MAX_CHARACTERS:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_CHARACTERS:
        return text
    kept = units[: 2 * MAX_CHARACTERS].decode("utf-16-le", "ignore")
    return _CUT_ESCAPE.sub("", kept)


def _is_too_long(cell: object) -> bool:
    if isinstance(cell, (int, float, type(None))):
        return False
    text = escaped(cell_text(cell))
    return text != cut(text)


def _plain(cell: object) -> object:
    """Returns a cell as JSON holds it: a date is a list of kind and text."""
    if isinstance(cell, bool) or cell is None:
        return cell
    if isinstance(cell, int) and abs(cell) < _MAX_INTEGER:
        return cell
    if isinstance(cell, float):
        if cell != cell:
            return None
        if abs(cell) < float("inf"):
            return cell
    if isinstance(cell, Decimal) and cell.is_finite():
        number = float(cell)
        if Decimal(repr(number)) == cell and abs(number) < _MAX_INTEGER:
            return number
    if isinstance(cell, datetime.date) and cell.year >= _FIRST_YEAR:
        if not isinstance(cell, datetime.datetime):
            return ["date", cell.isoformat()]
        if cell.tzinfo is None:
            return ["datetime", cell.isoformat()]
    if isinstance(cell, datetime.time) and cell.tzinfo is None:
        return ["time", cell.isoformat()]
    return cut(escaped(cell_text(cell)))


_KINDS: Final[dict[str, Any]] = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
}


def _cell(sheet: Any, value: Any) -> Any:
    if isinstance(value, list):
        kind, text = value
        return WriteOnlyCell(sheet, _KINDS[kind].fromisoformat(text))
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # not a formula or an error value
    return cell


def _lines(data: Path) -> Iterator[list[Any]]:
    with data.open("rb") as file:
        for line in file:
            yield json.loads(line)
