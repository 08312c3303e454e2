"""csv, tsv and json lines, to whose end rows are added."""

import csv
import io
import json
from typing import ClassVar

from kerassent.reading.table import MISSING
from kerassent.scoring.answers import Answers
from kerassent.scoring.chunks import Chunk
from kerassent.scoring.output import Output, cell_text, json_text, utf8


class _Rows(io.StringIO):
    """Takes rows, each written at once, that end in CR LF."""

    def write(self, row: str) -> int:
        """Adds a row, which ends in LF from here on."""
        return super().write(row.removesuffix("\r\n") + "\n")


class CsvOutput(Output):
    """Comma-separated values, UTF-8, with a header."""

    separator: ClassVar[str] = ","

    def head(self) -> bytes:
        """Returns the header."""
        return self._lines([[*self.columns, *self.added.names]])

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        """Returns the rows, a record each."""
        return self._lines(
            [
                [*map(cell_text, cells), label or "", *figures, error]
                for cells, label, figures, error in zip(
                    chunk.rows(),
                    answers.labels,
                    answers.decimals(),
                    answers.errors,
                    strict=True,
                )
            ]
        )

    def _lines(self, rows: list[list[str]]) -> bytes:
        text = _Rows()
        # A field is quoted for what ends a row here: a reader ends one at a
        # lone \r too.
        csv.writer(
            text, delimiter=self.separator, lineterminator="\r\n"
        ).writerows(rows)
        return utf8(text.getvalue())


class TsvOutput(CsvOutput):
    """Tab-separated values; a text that holds a tab is quoted."""

    separator = "\t"


class JsonLinesOutput(Output):
    """An object a line. A key that an object did not have it does not get."""

    by_name = True

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        """Returns the rows, an object each."""
        lines = []
        for cells, label, figures, error in zip(
            chunk.rows(),
            answers.labels,
            answers.decimals(),
            answers.errors,
            strict=True,
        ):
            row: dict[str, object] = {
                name: cell
                for name, cell in zip(self.columns, cells, strict=True)
                if cell is not MISSING
            }
            row[self.added.label] = label
            for name, figure in zip(self.added.figures, figures, strict=True):
                row[name] = float(figure) if figure else None
            row[self.added.error] = error or None
            line = json_text(row)
            try:
                lines.append(line.encode("utf-8"))
            except UnicodeEncodeError:  # JSON can say what UTF-8 can't
                lines.append(json.dumps(json.loads(line)).encode("ascii"))
        return b"".join(line + b"\n" for line in lines)
