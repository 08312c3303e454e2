"""What is wrong with rows: of each kind how many, and which are the first."""

from collections.abc import Iterable
from typing import Any, Final

from kerassent.errors import listed
from kerassent.scoring.chunks import Chunk

_FIRST: Final = 5


class Problems:
    """Rows by what is wrong with them."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[object]]] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each problem."""
        return {what: count for what, (count, _) in self._found.items()}

    def add_chunk(self, chunk: Chunk) -> None:
        """Adds the rows of a chunk that have a problem.

        Args:
            chunk: The rows.
        """
        for number, what in zip(chunk.numbers, chunk.problems, strict=True):
            if what:
                self._add(what, 1, [number])

    def as_list(self) -> list[Any]:
        """Returns all as JSON holds it."""
        return [
            [what, count, rows] for what, (count, rows) in self._found.items()
        ]

    def add_all(self, entries: Iterable[Any]) -> None:
        """Adds what `as_list` gave.

        Args:
            entries: What of each problem.
        """
        for what, count, rows in entries:
            self._add(what, count, rows)

    def lines(self, row_word: str, row_note: str = "") -> list[str]:
        """Returns a line for each problem: `3 rows have … (lines 4, 5, 9)`.

        Args:
            row_word: What the source calls a row.
            row_note: What to say behind the rows' numbers.
        """
        lines = []
        for what, (count, rows) in self._found.items():
            more = count - len(rows)
            have = "1 row has" if count == 1 else f"{count:,} rows have"
            lines.append(
                f"{have} {what} ({row_word}{'s' if count > 1 else ''} "
                f"{listed(rows)}{f' and {more:,} more' if more else ''}"
                f"{row_note})"
            )
        return lines

    def _add(self, what: str, count: int, rows: list[object]) -> None:
        before, first = self._found.get(what, (0, []))
        self._found[what] = (before + count, (first + rows)[:_FIRST])
