"""What every format offers that scored rows are written in."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from kerassent.errors import DataError
from kerassent.reading.table import MISSING
from kerassent.reading.values import Unreadable, as_text
from kerassent.scoring.answers import AnswerColumns, Answers
from kerassent.scoring.chunks import Chunk


class Output(ABC):
    """A format, and the columns to be written.

    While a file is scored, its rows are added to a file beside the output, a
    chunk at a time. If the format can be added to, that file is what the
    output will be; if not, it holds what the output is made of at the end.

    Args:
        columns: The columns of the scored file, in order.
        added: Those of the answers, to their right.
    """

    # What a file holds of rows and columns, the header included.
    max_rows: ClassVar[int | None] = None
    max_columns: ClassVar[int | None] = None
    # Whether a column has to have a name of its own.
    by_name: ClassVar[bool] = False

    def __init__(self, columns: Sequence[str], added: AnswerColumns) -> None:
        self.columns = tuple(columns)
        self.added = added

    def check_fits(self, source: str, output: str, num_rows: int) -> None:
        """Raises `DataError` if a file can't be written in this format.

        Args:
            source: The scored file's name.
            output: The output's.
            num_rows: How many rows there are.
        """
        self.added.check(source, self.columns)
        width = len(self.columns) + len(self.added.names)
        for what, count, limit in (
            ("rows and a header", num_rows + 1, self.max_rows),
            ("columns with the answers", width, self.max_columns),
        ):
            if limit is not None and count > limit:
                raise DataError(
                    f"{source} has {count:,} {what}, and {output} can hold "
                    f"{limit:,}. Write a .csv or .parquet file."
                )
        unnamed = self.columns.count("")
        if self.by_name and unnamed:
            raise DataError(
                f"{source} has {unnamed} column{'s' if unnamed > 1 else ''} "
                f"without a name, and {output} knows columns by their names. "
                "Name each in the header, or write a .csv or .xlsx file."
            )

    def head(self) -> bytes:
        """Returns what comes before the first row."""
        return b""

    def check(self, chunk: Chunk) -> None:  # noqa: B027  most formats take all
        """Notes in a chunk's problems what can't be written as it is.

        Args:
            chunk: The rows.
        """

    @abstractmethod
    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        """Returns a chunk's rows with their answers.

        Args:
            chunk: The rows.
            answers: What the model says of them.
        """

    def finish(self, data: Path, ends: Sequence[int], target: Path) -> Path:
        """Returns the path of a file that holds the whole output.

        Args:
            data: The file with the head and all chunks' rows.
            ends: The byte that the head and each chunk end before.
            target: What may be written.
        """
        return data


def cell_text(value: object) -> str:
    """Returns a cell as text that says all that it holds.

    Args:
        value: The cell.
    """
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, float):
        return "" if value != value else repr(value)
    if isinstance(value, (dict, list)):
        return json_text(value)
    text = as_text(value)
    if not isinstance(text, Unreadable):
        return text
    return value.hex() if isinstance(value, bytes) else str(value)


def json_text(value: object) -> str:
    """Returns a value as JSON; what JSON has no number for is null.

    Args:
        value: Anything that a cell holds.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, default=cell_text
        )
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=cell_text)


def utf8(text: str) -> bytes:
    """Returns text as UTF-8; a lone surrogate, which has none, is U+FFFD.

    Args:
        text: The text.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return (
            text.encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
            .encode("utf-8")
        )


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
