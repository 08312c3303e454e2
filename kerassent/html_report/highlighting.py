"""A text in pieces, each with what it did to the answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kerassent.contract import Explanation

LEVELS: Final = 4
# What moved the answer less than this share of the strongest word is not shown.
_LEAST: Final = 0.1
# A review of nothing but lines would fill the page.
_BLANK_LINES: Final = re.compile(r"(?:[^\S\n]*\n){3,}")


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    Args:
        text: The part.
        level: 0, or 1 to `LEVELS`: how much it did.
        speaks_for: Whether it spoke for the answer.
    """

    text: str
    level: int = 0
    speaks_for: bool = True


def pieces(text: str, explanation: Explanation | None) -> tuple[Piece, ...]:
    """Returns a text in pieces.

    Args:
        text: The text that was explained, or its beginning.
        explanation: Of the text; `None` gives one piece.
    """
    return tuple(
        Piece(_BLANK_LINES.sub("\n\n", each.text), each.level, each.speaks_for)
        for each in _pieces(text, explanation)
        if each.text
    )


def _pieces(text: str, explanation: Explanation | None) -> Iterator[Piece]:
    data = text.encode("utf-8", "surrogatepass")
    done = 0
    for start, end, share in _strong_words(explanation, len(data)):
        if start < done:
            continue
        yield Piece(_decoded(data[done:start]))
        yield Piece(
            _decoded(data[start:end]),
            min(int(abs(share) * LEVELS) + 1, LEVELS),
            share > 0,
        )
        done = end
    yield Piece(_decoded(data[done:]))


def _strong_words(
    explanation: Explanation | None, size: int
) -> Iterator[tuple[int, int, float]]:
    words = explanation.words if explanation else ()
    strongest = max((abs(word.attribution) for word in words), default=0.0)
    for word in words:
        if word.end > size:  # the text is only the beginning
            return
        if strongest and abs(word.attribution) >= _LEAST * strongest:
            yield word.start, word.end, word.attribution / strongest


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
