"""The worst mistakes, each as a card with its text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kerassent.contract import Explanation
from kerassent.evaluation import Evaluation
from kerassent.evaluation_parts import Mistake
from kerassent.highlighting import Piece, pieces, shown
from kerassent.html_report.wording import count

MOST_SHOWN: Final = 20
# What is shown of a longer text before one asks for the rest, in characters,
# and how few more are worth no question.
_SHOWN: Final = 700
_FEW_MORE: Final = 300
# A review of nothing but lines would fill the page.
_BLANK_LINES: Final = re.compile(r"(?:[^\S\n]*\n){3,}")


@dataclass(frozen=True)
class Card:
    """A mistake to be read.

    Args:
        where: Its row, or its place among the reviews.
        mistake: It.
        shown: The beginning of the text, or all of it.
        rest: What follows, if anything.
        missing: How many characters more the report doesn't have, in words.
        explained: Whether the pieces say what moved the answer.
    """

    where: str
    mistake: Mistake
    shown: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    missing: str
    explained: bool


def mistake_cards(
    evaluation: Evaluation, explanations: Sequence[Explanation | None]
) -> list[Card]:
    """Returns the worst mistakes, the surest first.

    Args:
        evaluation: What `evaluate` returned.
        explanations: Of its mistakes, in their order; there may be fewer.
    """
    return [
        _card(mistake, explanations[i] if i < len(explanations) else None)
        for i, mistake in enumerate(evaluation.mistakes[:MOST_SHOWN])
    ]


def mislabelled_cards(evaluation: Evaluation) -> list[Card]:
    """Returns what is likely mislabelled and not among the worst mistakes.

    Args:
        evaluation: What `evaluate` returned.
    """
    seen = {each.index for each in evaluation.mistakes[:MOST_SHOWN]}
    others = [e for e in evaluation.likely_mislabelled if e.index not in seen]
    return [_card(each, None) for each in others[:MOST_SHOWN]]


def _card(mistake: Mistake, explanation: Explanation | None) -> Card:
    found = tuple(_pieces(mistake.text, explanation))
    begins, rest = found, tuple[Piece, ...]()
    if len(mistake.text) > _SHOWN + _FEW_MORE:
        begins, rest = _split(found)
    missing = mistake.num_characters - len(mistake.text)
    return Card(
        mistake.row,
        mistake,
        begins,
        rest,
        f"{count(missing)} characters more" if missing > 0 else "",
        explanation is not None,
    )


def _pieces(text: str, explanation: Explanation | None) -> Iterator[Piece]:
    found = pieces(text, explanation) if explanation else [Piece(shown(text))]
    for piece in found:
        if piece.text:  # a word may be beyond the beginning of a long text
            yield replace(piece, text=_BLANK_LINES.sub("\n\n", piece.text))


def _split(
    found: Sequence[Piece],
) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Cuts pieces in two, between words if there are any."""
    begins: list[Piece] = []
    left = _SHOWN
    remaining: Iterator[Piece] = iter(found)
    for piece in remaining:
        if len(piece.text) <= left:
            begins.append(piece)
            left -= len(piece.text)
            continue
        if piece.attribution is not None and begins:  # not within a marked word
            return tuple(begins), (piece, *remaining)
        cut = max(piece.text.rfind(" ", 0, left + 1), 0) or left
        return (
            (*begins, replace(piece, text=piece.text[:cut])),
            (replace(piece, text=piece.text[cut:]), *remaining),
        )
    return tuple(begins), ()
