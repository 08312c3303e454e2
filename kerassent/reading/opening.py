"""From what `load_reviews` is given to the reader for it."""

import os
import sys
from pathlib import Path

from kerassent.errors import DataError, listed
from kerassent.reading.arrays import ArrayTable
from kerassent.reading.columns import nearest
from kerassent.reading.delimited import DelimitedTable
from kerassent.reading.folder import FolderTable
from kerassent.reading.json_lines import JsonLinesTable
from kerassent.reading.table import Table

_EXCEL = (".xlsx", ".xlsm", ".xls")
_DELIMITED = (".csv", ".tsv")
_PARQUET = (".parquet",)
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_SUPPORTED = (".xlsx", ".csv", ".tsv", ".parquet", ".jsonl")


def open_table(
    source: object,
    *,
    columns: tuple[str | None, str | None] = (None, None),
    class_names: tuple[str, ...] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    scan: bool = False,
) -> Table:
    """Returns the reader for a source, opened.

    Args:
        source: A path, a DataFrame, or texts with or without labels.
        columns: The text's and the label's column, if they are given.
        class_names: The only labels there may be, or `None`.
        sheet: An Excel file's sheet, or `None`.
        encoding: A text file's encoding, or `None`.
        separator: A csv file's separator, or `None`.
        scan: Whether the table's `scan` will be called, which finds columns.

    Raises:
        TypeError: The source is none of these.
        DataError: The file is not there, or is not what its name says.
        ValueError: An option is given that the source has no use for.
    """
    options = {"sheet": sheet, "encoding": encoding, "separator": separator}
    if not isinstance(source, (str, os.PathLike)):
        _refuse_options(options, (), "A source in memory")
        return _in_memory(source)
    path = Path(source)
    if path.is_dir():
        _refuse_options(options, ("encoding",), "A folder")
        return FolderTable(path, class_names=class_names, encoding=encoding)
    _check_is_there(path)
    suffix = path.suffix.lower()
    if suffix in _EXCEL:
        _refuse_options(options, ("sheet",), path.name)
        from kerassent.reading.xlsx import XlsxTable

        return XlsxTable(path, sheet=sheet)
    if suffix in _DELIMITED:
        _refuse_options(options, ("encoding", "separator"), path.name)
        return DelimitedTable(path, encoding=encoding, separator=separator)
    if suffix in _PARQUET:
        _refuse_options(options, (), path.name)
        from kerassent.reading.parquet import ParquetTable

        return ParquetTable(path)
    if suffix in _JSON_LINES:
        _refuse_options(options, ("encoding",), path.name)
        wanted = frozenset(name for name in columns if name is not None)
        look_for_all = columns[0] is None and not scan
        return JsonLinesTable(
            path,
            wanted=None if look_for_all else wanted,
            encoding=encoding,
        )
    raise DataError(
        f"{path.name} ends in {suffix!r}. Reviews are read from files that "
        f"end in {listed(_SUPPORTED)}, from a folder of class folders, from a "
        "DataFrame, or from arrays."
    )


def _in_memory(source: object) -> Table:
    # Who has a DataFrame has imported pandas; nobody else has to.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        from kerassent.reading.frame import FrameTable

        return FrameTable(source)
    if (
        isinstance(source, tuple)
        and len(source) == 2
        and not isinstance(source[0], str)
        and not isinstance(source[1], str)
    ):
        return ArrayTable(*source)
    try:
        return ArrayTable(source)
    except TypeError as error:
        raise TypeError(
            "`source` must be a path, a DataFrame, a list of texts, or the "
            f"tuple `(texts, labels)`. Received: {source!r:.60} of type "
            f"{type(source).__name__}"
        ) from error


def _refuse_options(
    options: dict[str, str | None], allowed: tuple[str, ...], what: str
) -> None:
    for name, value in options.items():
        if value is not None and name not in allowed:
            raise ValueError(
                f"{what} has no use for `{name}`, got {value!r}. Leave it out."
            )


def _check_is_there(path: Path) -> None:
    if path.name.startswith("~$"):
        raise DataError(
            f"{path.name} is the lock file that Excel keeps while a file is "
            f"open. Pass {path.name[2:]!r} itself."
        )
    if path.exists():
        return
    if not path.parent.is_dir():
        raise DataError(
            f"There is no file {str(path)!r}, and no folder "
            f"{str(path.parent)!r}."
        )
    names = sorted(entry.name for entry in path.parent.iterdir())
    other = nearest(path.name, names)
    meant = f" Was {other!r} meant?" if other else ""
    raise DataError(f"There is no file {str(path)!r}.{meant}")
