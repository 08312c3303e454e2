from dataclasses import replace

import pytest

from kerassent.contract import Explanation, Word
from kerassent.highlighting import Piece
from kerassent.html_report.mistakes import mislabelled_cards, mistake_cards


def explanation(*words):
    return Explanation("pos", 0.9, tuple(Word(*word) for word in words), 0.0)


@pytest.fixture
def card_of(made_evaluation, with_mistakes):
    def make(text, explanation=None, **values):
        evaluation = with_mistakes(made_evaluation(), [text], **values)
        (card,) = mistake_cards(evaluation, [explanation])
        return card

    return make


def joined(found):
    return "".join(piece.text for piece in found)


def test_words_are_marked_for_and_against(card_of):
    text = "é good\nbad"
    words = (("good", 3, 7, 2.0), ("bad", 8, 11, -1.1), ("x", 99, 105, 1.0))
    assert card_of(text, explanation(*words)).shown == (
        Piece("é "),
        Piece("good", 2.0, 4),
        Piece("\n"),
        Piece("bad", -1.1, -3),
    )


def test_empty_lines_are_few(card_of):
    card = card_of("a\n \n\n\t\n" + "\n" * 900 + "b\n\nc")
    assert joined(card.shown) == "a\n\nb\n\nc"


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
    assert card.rest == (Piece("b" * 400, 1.0, 4),)
    assert card.explained


def test_a_word_longer_than_all_is_cut(card_of):
    card = card_of("b" * 1500, explanation(("b", 0, 1500, 1.0)))
    assert card.shown == (Piece("b" * 700, 1.0, 4),)
    assert card.rest == (Piece("b" * 800, 1.0, 4),)


def test_it_says_what_is_missing(made_evaluation, with_mistakes):
    evaluation = with_mistakes(made_evaluation(), ["beginning"])
    mistake = replace(evaluation.mistakes[0], num_characters=12_009)
    evaluation = replace(evaluation, mistakes=(mistake,))
    (card,) = mistake_cards(evaluation, [])
    assert card.missing == "12,000 characters more"
    assert card.where == mistake.row == "Excel row 2"
    assert not card.explained


def test_likely_mislabelled_ones_are_not_shown_twice(made_evaluation):
    evaluation = made_evaluation(skill=1.0)
    first, later = evaluation.mistakes[0], evaluation.mistakes[40]
    evaluation = replace(evaluation, likely_mislabelled=(first, later))
    cards = mislabelled_cards(evaluation)
    assert [card.mistake.index for card in cards] == [later.index]
