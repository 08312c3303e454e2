"""Excel files, through openpyxl."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl
from defusedxml import DefusedXmlException

from kerassent.errors import DataError, listed
from kerassent.reading.columns import nearest
from kerassent.reading.container import check_container
from kerassent.reading.table import Record, Row, Table
from kerassent.reading.values import Unreadable, as_text

# A sheet has no more rows than this (ECMA-376 leaves it open, Excel doesn't).
_MAX_ROWS = 1_048_576
# Excel writes control characters as _x000D_, and a literal _x as _x005F_x, of
# which openpyxl has taken x005F_ away in shared strings.
_ESCAPE = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff])_")

_NO_VALUE = Unreadable(
    "a formula without a stored value",
    "Open the file in Excel or LibreOffice and save it there. If {them} should "
    "be a text that begins with '=', store it as text.",
)
# No formula begins like this. Programs that write any text with a leading "="
# as a formula (pandas does) write "===spoilers===" so too, and the formula is
# the whole text.
_TEXT_AS_FORMULA = re.compile(r"=\s*[=*/^&<>,;)]")


class XlsxTable(Table):
    """The rows of one sheet, by Excel's row numbers.

    The first row that is not blank has to be the header. Blank rows at the end
    are no rows: Excel leaves them where cells were cleared or formatted.

    Args:
        path: The file.
        sheet: The sheet's name, or `None` for the only one with cells that is
            not hidden.

    Raises:
        DataError: The file is not an xlsx, is damaged or too large, or the
            sheet is not clear.
    """

    def __init__(self, path: Path, *, sheet: str | None = None) -> None:
        self._path = path
        self._file = path.open("rb")
        try:
            check_container(self._file, path)
            with _openpyxl_errors(path.name):
                self._book = _open_book(self._file, data_only=True)
                self._sheet = _find_sheet(self._book, sheet, path.name)
                self._header_row, header = _first_row(self._sheet)
        except BaseException:
            self._file.close()
            raise
        names = [as_text(_raw(cell)) for cell in header]
        columns = [name if isinstance(name, str) else "" for name in names]
        while columns and not columns[-1]:
            columns.pop()
        self._columns = columns
        self._last_row = self._header_row
        self._has_valueless = False
        super().__init__(path.name, columns, row_word="Excel row")
        self._resources.enter_context(self._file)

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each row's number, text and label.

        Raises:
            DataError: The file turns out to be damaged.
        """
        places = [text] if label is None else [text, label]
        with _openpyxl_errors(self.name):
            rows = self._read(places)
        for row, cells in enumerate(rows, self._header_row + 1):
            yield row, cells[0], None if label is None else cells[1]

    def scan(self) -> int:
        """Returns how many records there are, and finds all columns.

        Cells to the right of the header belong to columns without a name.
        """
        width = len(self._columns)
        last = last_valueless = self._header_row
        with _openpyxl_errors(self.name):
            for row, cells in self._body(self._sheet):
                for place, cell in enumerate(cells):
                    if cell.value not in (None, ""):
                        last = row
                        width = max(width, place + 1)
                    elif _is_valueless(cell):
                        last_valueless = row
            self._has_valueless = last_valueless > self._header_row
            if last_valueless > last:
                for row, cells in self._body(self._formula_sheet()):
                    if any(cell.data_type == "f" for cell in cells):
                        last = max(last, row)
        names = (*self._columns, *[""] * (width - len(self._columns)))
        self.columns = names
        self._last_row = last
        return last - self._header_row

    def records(self, text: int) -> Iterator[Record]:
        """Yields each row by its number, with the values of formulas.

        A formula without a stored value is kept as it is, as text.
        """
        width = len(self.columns or ())
        with _openpyxl_errors(self.name):
            formulas: Iterator[tuple[int, Any]] = (
                self._body(self._formula_sheet())
                if self._has_valueless
                else repeat((0, ()))
            )
            # A sheet ends anywhere, the formulas' where the values' does.
            pairs = zip(self._body(self._sheet), formulas, strict=False)
            for (row, cells), (_, formula_cells) in pairs:
                if row > self._last_row:
                    break
                kept = [_value(cell) for cell in cells[:width]]
                kept += [None] * (width - len(kept))
                raw = _raw(cells[text]) if text < len(cells) else None
                for place, cell in enumerate(formula_cells):
                    if cell.data_type == "f" and _is_valueless(cells[place]):
                        formula = str(cell.value)
                        kept[place] = formula
                        if place == text:
                            raw = _formula(formula)
                yield Record(row, kept, raw)

    def _body(self, sheet: Any) -> Iterator[tuple[int, Any]]:
        first = self._header_row + 1
        for row, cells in enumerate(sheet.iter_rows(min_row=first), first):
            _check_row(row, self.name)
            yield row, cells

    def _read(self, places: list[int]) -> list[list[object]]:
        """Returns the cells of each row up to the last that isn't blank."""
        first = self._header_row + 1
        last = self._header_row
        rows: list[list[object]] = []
        valueless: list[tuple[int, int]] = []
        for row, cells in enumerate(
            self._sheet.iter_rows(min_row=first, max_col=len(self._columns)),
            first,
        ):
            _check_row(row, self.name)
            rows.append([_raw(cells[place]) for place in places])
            if any(cell.value not in (None, "") for cell in cells):
                last = row
            for place in places:
                if _is_valueless(cells[place]):
                    valueless.append((row, place))
        if valueless:
            formulas = self._formulas(places, valueless[-1][0])
            for row, place in valueless:
                formula = formulas.get((row, place))
                if formula is None:
                    continue
                rows[row - first][places.index(place)] = _formula(formula)
                last = max(last, row)
        return rows[: last + 1 - first]

    def _formulas(
        self, places: list[int], last: int
    ) -> dict[tuple[int, int], str]:
        """Returns the formulas in columns, up to a row, by row and place.

        Among the stored values a formula without one looks like a cell that
        is only formatted; only among the formulas do they differ.
        """
        sheet = self._formula_sheet()
        first = self._header_row + 1
        return {
            (row, place): str(cells[place].value)
            for row, cells in enumerate(
                sheet.iter_rows(
                    min_row=first, max_row=last, max_col=len(self._columns)
                ),
                first,
            )
            for place in places
            if cells[place].data_type == "f"
        }

    def _formula_sheet(self) -> Any:
        sheet = _open_book(self._file, data_only=False)[self._sheet.title]
        sheet.reset_dimensions()
        return sheet


def _open_book(file: BinaryIO, *, data_only: bool) -> Any:
    file.seek(0)
    return openpyxl.load_workbook(
        file, read_only=True, data_only=data_only, keep_links=False
    )


def _find_sheet(book: Any, name: str | None, file_name: str) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    for sheet in sheets.values():
        # Programs write a wrong size, and openpyxl would stop reading there.
        sheet.reset_dimensions()
    if name is not None:
        if name in sheets:
            return sheets[name]
        other = nearest(name, list(sheets))
        fix = f" Pass `sheet={other!r}`?" if other else ""
        raise DataError(
            f"{file_name} has no sheet {name!r}. "
            f"Its sheets are {listed(sheets)}.{fix}"
        )
    filled = [
        title
        for title, sheet in sheets.items()
        if sheet.sheet_state == "visible" and _first_row(sheet)[1]
    ]
    if len(filled) > 1:
        raise DataError(
            f"{file_name} has {len(filled)} sheets with cells: "
            f"{listed(filled)}. Pass `sheet={filled[0]!r}` or another."
        )
    if not filled:
        raise DataError(
            f"{file_name} has no rows: all its sheets are blank or hidden "
            f"({listed(sheets)})."
        )
    return sheets[filled[0]]


def _first_row(sheet: Any) -> tuple[int, tuple[Any, ...]]:
    """Returns the first row that isn't blank and its cells, or 0 and none."""
    for row, cells in enumerate(sheet.iter_rows(), 1):
        _check_row(row, sheet.title)
        if any(cell.value not in (None, "") for cell in cells):
            return row, cells
    return 0, ()


def _raw(cell: Any) -> object:
    if cell.data_type == "e":
        return Unreadable(
            f"the error value {cell.value}",
            "Correct {them} in the spreadsheet.",
        )
    return _value(cell)


def _value(cell: Any) -> object:
    value = cell.value
    if isinstance(value, str) and "_x" in value:
        return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
    return value


def _formula(formula: str) -> object:
    """Returns what stands for a text's formula that has no stored value."""
    return formula if _TEXT_AS_FORMULA.match(formula) else _NO_VALUE


def _is_valueless(cell: Any) -> bool:
    # A text formula's stored "" has the type "str", a missing cell has no row.
    return cell.value is None and cell.data_type == "n" and hasattr(cell, "row")


def _check_row(row: int, name: str) -> None:
    if row > _MAX_ROWS:
        raise DataError(
            f"{name} says it has a row beyond {_MAX_ROWS:,}, and Excel has "
            "no more. Save it again in Excel or LibreOffice."
        )


@contextmanager
def _openpyxl_errors(name: str) -> Iterator[None]:
    """Makes whatever openpyxl says of a file a `DataError`.

    Its warnings are of styles and extensions, which hold no reviews.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DataError, MemoryError):
        raise
    # From a damaged file openpyxl raises what it stumbles over: KeyError,
    # TypeError, zlib.error, ParseError and more.
    except Exception as error:
        hostile = isinstance(error, DefusedXmlException) or isinstance(
            error.__cause__, DefusedXmlException
        )
        if hostile:
            raise DataError(
                f"{name} declares XML entities, which no spreadsheet program "
                "writes and which can be an attack. It is not read."
            ) from error
        raise DataError(
            f"{name} cannot be read as an xlsx file, it may be truncated or "
            f"damaged ({type(error).__name__}: {error}). Open it in Excel or "
            "LibreOffice and save it again."
        ) from error
