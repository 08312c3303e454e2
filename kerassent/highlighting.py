"""A text with its words coloured by how much they moved the answer.

A review is hostile input: whatever it holds is shown, and does nothing.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerassent.contract import Explanation, Word, encode_texts

# Of the largest attribution of a text: less is left plain, and each step more
# is a shade deeper.
_STEPS = (0.1, 0.25, 0.5, 0.75)
NUM_SHADES = len(_STEPS)

# What moves a terminal's cursor, or turns the line that follows around.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
_LINE_ENDS = re.compile("\r\n?|\x85|\u2028|\u2029")

# Blue is for and orange against, which the colour-blind tell apart; the shades
# of a page are in its style sheet.
_FOR = ("#d6e6f8", "#a9cdf2", "#74aee8", "#4a90d9")
_AGAINST = ("#fbe3d1", "#f7c59f", "#f0a164", "#e07b2a")


@dataclass(frozen=True)
class Piece:
    """A stretch of a text.

    Args:
        text: What is shown of it, without control characters.
        attribution: The word's, or `None` between words.
        shade: How deep it is coloured, 1 to `NUM_SHADES`, for the label;
            negative against it; 0 not at all.
    """

    text: str
    attribution: float | None = None
    shade: int = 0


def pieces(text: str | bytes, explanation: Explanation) -> Iterator[Piece]:
    """Yields all of a text: its words, and what is between them.

    Args:
        text: The text that was explained.
        explanation: Its explanation.
    """
    [encoded] = encode_texts([text])
    largest = max((abs(w.attribution) for w in explanation.words), default=0.0)
    end = 0
    for word in explanation.words:
        if end < word.start:
            yield Piece(_shown(encoded[end : word.start]))
        yield Piece(
            _shown(encoded[max(word.start, end) : word.end]),
            word.attribution,
            _shade(word.attribution, largest),
        )
        end = max(word.end, end)
    if end < len(encoded):
        yield Piece(_shown(encoded[end:]))


def strongest(
    explanation: Explanation, *, sign: int, limit: int = 5
) -> list[Word]:
    """Returns the words that moved the answer most, the strongest first.

    Args:
        explanation: What to look at.
        sign: 1 for words that spoke for the label, -1 for those against it.
        limit: How many at most.
    """
    words = [w for w in explanation.words if w.attribution * sign > 0]
    return sorted(words, key=lambda w: -abs(w.attribution))[:limit]


def highlighted(text: str | bytes, explanation: Explanation) -> Any:
    """Returns a text as HTML: a `<p>` that needs `highlight_style` beside it.

    Args:
        text: The text that was explained.
        explanation: Its explanation.

    Returns:
        A `markupsafe.Markup`, which a template puts in as it is.
    """
    from markupsafe import Markup

    template = _environment().get_template("highlighted.html")
    return Markup(  # noqa: S704  the template escaped it
        template.render(pieces=pieces(text, explanation))
    )


def highlight_style() -> str:
    """Returns the CSS of `highlighted`, for light and dark."""
    template = _environment().get_template("highlighted.css")
    return str(template.render())


def explanation_page(
    texts: Sequence[str | bytes], explanations: Iterable[Explanation]
) -> str:
    """Returns a self-contained page of HTML with texts and their words.

    Args:
        texts: The texts that were explained.
        explanations: Theirs.
    """
    from markupsafe import Markup

    rows = [
        {
            "explanation": each,
            "text": highlighted(text, each),
            "words": [
                (_shown(encode_texts([word.text])[0]), word.attribution)
                for word in sorted(
                    each.words, key=lambda w: -abs(w.attribution)
                )
            ],
        }
        for text, each in zip(texts, explanations, strict=True)
    ]
    style = Markup(highlight_style())  # noqa: S704  our own
    template = _environment().get_template("explanations.html")
    return str(template.render(rows=rows, style=style))


def highlighted_line(text: str | bytes, explanation: Explanation) -> Any:
    """Returns a text for the terminal, as a `rich.text.Text`.

    Args:
        text: The text that was explained.
        explanation: Its explanation.
    """
    from rich.text import Text

    line = Text()
    for piece in pieces(text, explanation):
        shades = _FOR if piece.shade > 0 else _AGAINST
        line.append(
            piece.text,
            f"black on {shades[abs(piece.shade) - 1]}" if piece.shade else "",
        )
    return line


def shown(text: str) -> str:
    """Returns a text without what controls a terminal or turns lines around.

    Args:
        text: Any.
    """
    return _UNPRINTABLE.sub(
        "\N{REPLACEMENT CHARACTER}", _LINE_ENDS.sub("\n", text)
    )


def _shown(encoded: bytes) -> str:
    return shown(encoded.decode("utf-8", "replace"))


def _shade(attribution: float, largest: float) -> int:
    if not largest:
        return 0
    shade = sum(abs(attribution) >= step * largest for step in _STEPS)
    return shade if attribution > 0 else -shade


@functools.cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("kerassent", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
