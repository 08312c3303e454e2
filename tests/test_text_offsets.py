import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import given, settings

from kerassent.preprocessing import SentimentPreprocessor
from kerassent.text_offsets import TokenPlacer
from kerassent.tokenizer import BertTokenizer


def placer(vocabulary, **arguments):
    preprocessor = SentimentPreprocessor(BertTokenizer(vocabulary), **arguments)
    place = TokenPlacer(preprocessor)
    traced = tf.function(
        place, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
    )
    return preprocessor, traced


def placed(place, text):
    """Each token's bytes of the text, and the number of its word."""
    found = place(tf.constant(text))
    return [
        (text[start:end], word)
        for start, end, word in zip(
            found.starts.numpy(),
            found.ends.numpy(),
            found.words.numpy(),
            strict=True,
        )
    ]


def test_pieces_know_their_word_and_place(vocabulary):
    _, place = placer(vocabulary, sequence_length=16)
    assert placed(place, b"Good films, badly") == [
        (b"Good", 0),
        (b"film", 1),
        (b"s", 1),
        (b",", 2),
        (b"bad", 3),
        (b"ly", 3),
    ]
    assert placed(place, b"") == []


def test_places_are_those_before_markup_was_cleaned(vocabulary):
    _, place = placer(vocabulary, sequence_length=32, clean_html=True)
    text = b"<p class='x'>Good</p>&nbsp;film<br/><br/>s &quot;bad&hellip; tea"
    assert [word for word, _ in placed(place, text)] == [
        b"Good",
        b"film",
        b"s",
        b"&quot;",
        b"bad",
        b"&hellip;",
        b"&hellip;",
        b"&hellip;",
        b"tea",
    ]


def test_a_mark_of_our_own_in_the_text_moves_nothing(vocabulary):
    _, place = placer(vocabulary, sequence_length=32, clean_html=True)
    assert placed(place, b"\x00good\x00 <b>\x00tea") == [
        (b"good", 0),
        (b"tea", 1),
    ]


def test_the_tail_is_found_at_the_end_of_a_long_text(vocabulary):
    _, place = placer(
        vocabulary, sequence_length=6, truncate="head_tail", head_tokens=2
    )
    text = b"good film " + b"tea " * 5000 + b"very bad"
    assert placed(place, text) == [
        (b"good", 0),
        (b"film", 1),
        (b"very", 2),
        (b"bad", 3),
    ]
    start = place(tf.constant(text)).starts.numpy()[-1]
    assert start == len(text) - 3


def test_what_is_left_of_a_word_begins_one(vocabulary):
    _, place = placer(vocabulary, sequence_length=4, truncate="tail")
    assert placed(place, b"good tea films") == [(b"film", 0), (b"s", 0)]
    assert placed(place, b"good teas ,") == [(b"s", 0), (b",", 1)]


MARKUP = ["<br />", "<b>", "</b>", "&amp;", "&quot;", "<!-- x -->", "\u00e9"]
WORDS = ["good", "badly", "Films", ",", "\x00", "unknown", " ", "  "]


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.sampled_from(MARKUP + WORDS), max_size=30))
@pytest.mark.parametrize("truncate", ["head", "tail", "head_tail"])
def test_the_tokens_are_the_preprocessors(parts, truncate, both):
    preprocessor, place = both[truncate]
    text = " ".join(parts).encode()
    found = place(tf.constant(text))
    expected = preprocessor.tokens(tf.constant([text]))[0][1:-1]
    assert found.ids.numpy().tolist() == expected.numpy().tolist()
    starts, ends = found.starts.numpy(), found.ends.numpy()
    assert (starts < ends).all()
    assert (starts[1:] >= starts[:-1]).all()
    assert (ends <= len(text)).all()


@pytest.fixture(scope="module")
def both(vocabulary):
    return {
        truncate: placer(
            vocabulary, sequence_length=12, truncate=truncate, clean_html=True
        )
        for truncate in ("head", "tail", "head_tail")
    }
