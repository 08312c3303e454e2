import html.parser

import pytest
from rich.console import Console

from kerassent.contract import Explanation, Word
from kerassent.highlighting import (
    explanation_page,
    highlight_style,
    highlighted,
    highlighted_line,
    pieces,
    strongest,
)

HOSTILE = [
    "<script>alert('x')</script> & \"good\"",
    "\x1b[31mred\x1b[0m \x07bell \x00nul \x9b31m",
    "\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1 \u202egnorw\u202c",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 film",
    b"\xff\xfebytes caf\xc3",
    "\ud800 surrogate",
    "line one\r\nline two\u2028three",
    "w" * 5000,
    "",
]


def explained(text, *attributions, label="pos"):
    """An explanation of which every word between spaces is part."""
    encoded = (
        text
        if isinstance(text, bytes)
        else text.encode("utf-8", "surrogatepass")
    )
    words, start = [], 0
    for i, word in enumerate(encoded.split(b" ")):
        if word:
            by = attributions[i] if attributions else (-1) ** i * (i + 1.0)
            words.append(
                Word(
                    word.decode("utf-8", "replace"),
                    start,
                    start + len(word),
                    by,
                )
            )
        start += len(word) + 1
    return Explanation(label, 0.9, tuple(words), 0.01)


class Parsed(html.parser.HTMLParser):
    """The tags of a piece of HTML, and its text."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_pieces_are_the_whole_text_in_order():
    text = "a \u00fcber film, bad"
    found = list(pieces(text, explained(text, 0.05, 1.0, -0.5, -0.2)))
    assert "".join(piece.text for piece in found) == text
    assert [(p.text, p.attribution, p.shade) for p in found] == [
        ("a", 0.05, 0),
        (" ", None, 0),
        ("\u00fcber", 1.0, 4),
        (" ", None, 0),
        ("film,", -0.5, -3),
        (" ", None, 0),
        ("bad", -0.2, -1),
    ]


def test_words_that_overlap_are_shown_once():
    words = (Word("ab", 0, 2, 1.0), Word("bc", 1, 3, -1.0))
    found = list(pieces("abcd", Explanation("pos", 0.9, words, 0.0)))
    assert [piece.text for piece in found] == ["ab", "c", "d"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text):
    explanation = explained(text, label="<b>\x1b[1mpos")
    shown = "".join(piece.text for piece in pieces(text, explanation))
    assert not any(
        ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in shown
    )
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067") & set(shown)
    found = Parsed(str(highlighted(text, explanation)))
    assert {tag for tag, _ in found.tags} <= {"p", "mark"}
    assert found.text.rstrip("\n") == shown.rstrip("\n")
    page = Parsed(explanation_page([text], [explanation]))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "b" not in {tag for tag, _ in page.tags}
    console = Console(
        force_terminal=True, color_system="truecolor", soft_wrap=True
    )
    with console.capture() as capture:
        console.print(highlighted_line(text, explanation))
    # Only rich's own colours.
    for sequence in capture.get().split("\x1b")[1:]:
        assert sequence.startswith(("[30;48;2;", "[0m"))


def test_signs_are_told_by_more_than_colour():
    text = "good bad"
    found = Parsed(str(highlighted(text, explained(text, 2.0, -1.0))))
    marks = [attributes for tag, attributes in found.tags if tag == "mark"]
    assert [mark["class"] for mark in marks] == [
        "for shade-4",
        "against shade-3",
    ]
    assert [mark["title"] for mark in marks] == ["+2.000", "-1.000"]
    assert "dotted" in highlight_style()


def test_the_strongest_are_of_one_sign():
    text = "a b c d"
    explanation = explained(text, 1.0, -3.0, 2.0, 0.0)
    assert [w.text for w in strongest(explanation, sign=1)] == ["c", "a"]
    assert [w.text for w in strongest(explanation, sign=-1)] == ["b"]
    assert [w.text for w in strongest(explanation, sign=1, limit=1)] == ["c"]


def test_a_page_has_each_text_and_its_numbers():
    texts = ["good film", "bad"]
    page = Parsed(
        explanation_page(texts, [explained(t, 1.0, 0.5) for t in texts])
    )
    for expected in ("good", "film", "bad", "+1.0000", "+0.5000", "+0.0100"):
        assert expected in page.text
    assert [tag for tag, _ in page.tags].count("article") == 2


def test_a_page_of_no_texts_is_one():
    assert "<main>" in explanation_page([], [])
