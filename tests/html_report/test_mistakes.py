from dataclasses import replace

import pytest

from kerassent.contract import Explanation, Word
from kerassent.html_report.highlighting import Piece, pieces
from kerassent.html_report.mistakes import mislabelled_cards, mistake_cards


def explanation(*words):
    return Explanation("pos", 0.9, tuple(Word(*word) for word in words), 0.0)


def test_words_are_where_their_bytes_are():
    # é has two bytes, the flag eight.
    text = "é 🇩🇪 good bad"
    found = pieces(
        text, explanation(("good", 12, 16, 2.0), ("bad", 17, 20, -1.0))
    )
    assert found == (
        Piece("é 🇩🇪 "),
        Piece("good", 4, True),
        Piece(" "),
        Piece("bad", 3, False),
    )


def test_strength_has_four_levels_and_the_weakest_words_none():
    strengths = [1.0, 0.76, 0.74, 0.5, 0.26, 0.24, 0.1, 0.09, -0.3]
    text = "a" * len(strengths)
    found = pieces(
        text,
        explanation(*(("a", i, i + 1, s) for i, s in enumerate(strengths))),
    )
    assert [piece.level for piece in found] == [4, 4, 3, 3, 2, 1, 1, 0, 2]
    assert [piece.speaks_for for piece in found][-1] is False


def test_the_text_stays_whatever_the_explanation_says():
    text = "good and bad"
    odd = explanation(
        *(("x", 0, 4, 1.0), ("x", 2, 6, 1.0), ("x", 9, 99, 1.0)),
        ("x", 9, 12, 1.0),
    )
    assert "".join(piece.text for piece in pieces(text, odd)) == text
    assert pieces(text, None) == (Piece(text),)
    zeros = explanation(("good", 0, 4, 0.0))
    assert pieces(text, zeros) == (Piece(text),)


def test_empty_lines_are_few():
    (piece,) = pieces("a\n \n\n\t\n" + "\n" * 900 + "b\n\nc", None)
    assert piece.text == "a\n\nb\n\nc"


@pytest.fixture
def card_of(made_evaluation, with_mistakes):
    def make(text, explanation=None, **values):
        evaluation = with_mistakes(made_evaluation(), [text], **values)
        (card,) = mistake_cards(evaluation, [explanation])
        return card

    return make


def joined(found):
    return "".join(piece.text for piece in found)


def test_a_short_text_is_shown_whole(card_of):
    card = card_of("word " * 199)
    assert joined(card.shown) == "word " * 199
    assert card.rest == ()
    assert card.missing == ""
    assert card.where == "Excel row 2"


def test_a_long_text_is_folded_between_words(card_of):
    text = "word " * 300
    card = card_of(text)
    assert joined(card.shown) + joined(card.rest) == text
    assert len(joined(card.shown)) == 699
    assert joined(card.rest).startswith(" word")


def test_a_long_text_is_folded_before_a_marked_word(card_of):
    text = "a " * 345 + "b" * 400
    card = card_of(text, explanation(("b", 690, 1090, 1.0)))
    assert joined(card.shown) == "a " * 345
    assert card.rest == (Piece("b" * 400, 4, True),)
    assert card.explained


def test_a_word_longer_than_all_is_cut(card_of):
    card = card_of("b" * 1500, explanation(("b", 0, 1500, 1.0)))
    assert card.shown == (Piece("b" * 700, 4, True),)
    assert card.rest == (Piece("b" * 800, 4, True),)


def test_it_says_what_is_missing(made_evaluation, with_mistakes):
    evaluation = with_mistakes(made_evaluation(), ["beginning"])
    mistake = replace(
        evaluation.mistakes[0], num_characters=12_009, row=None, index=1233
    )
    evaluation = replace(evaluation, mistakes=(mistake,))
    (card,) = mistake_cards(evaluation, [])
    assert card.missing == "12,000 characters more"
    assert card.where == "review 1,234"
    assert not card.explained


def test_likely_mislabelled_ones_are_not_shown_twice(made_evaluation):
    evaluation = made_evaluation(skill=1.0)
    first, later = evaluation.mistakes[0], evaluation.mistakes[40]
    evaluation = replace(evaluation, likely_mislabelled=(first, later))
    cards = mislabelled_cards(evaluation)
    assert [card.mistake.index for card in cards] == [later.index]
