import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerassent.contract import encode_texts, rest_model_path

ANY_STRING = st.text(st.characters(exclude_categories=()))


def test_strings_become_utf8_and_bytes_stay():
    assert encode_texts(["é", "\x00", "😀", b"\xff\x00", ""]) == [
        b"\xc3\xa9",
        b"\x00",
        b"\xf0\x9f\x98\x80",
        b"\xff\x00",
        b"",
    ]


def test_lone_surrogate_becomes_its_three_bytes():
    assert encode_texts(["a\ud800"]) == [b"a\xed\xa0\x80"]


@given(st.lists(ANY_STRING))
def test_every_string_has_bytes_of_its_own(texts):
    decoded = [
        text.decode("utf-8", "surrogatepass") for text in encode_texts(texts)
    ]
    assert decoded == texts


def test_any_iterable_of_texts_will_do():
    expected = [b"a", b"b"]
    assert encode_texts(pd.Series(["a", "b"])) == expected
    assert encode_texts(np.array(["a", "b"])) == expected
    assert encode_texts(iter("ab")) == expected


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("good", r"Pass `\['good'\]`\? Received: one str"),
        (b"good", r"Pass `\[b'good'\]`\? Received: one bytes"),
        (None, "must be a list of str or bytes. Received: None of type None"),
        (3, "Received: 3 of type int"),
        (["a", 1.5], r"Received: `texts\[1\]` is 1.5 of type float"),
        ([["a"]], r"Received: `texts\[0\]` is \['a'\] of type list"),
        ([None], r"`texts\[0\]` is None of type NoneType"),
    ],
)
def test_what_is_no_list_of_texts_is_a_type_error(texts, message):
    with pytest.raises(TypeError, match=message):
        encode_texts(texts)


def test_rest_paths_escape_what_a_url_cannot_hold():
    assert rest_model_path("a b/c") == "/v1/models/a%20b%2Fc"
    assert rest_model_path("m", version=0) == "/v1/models/m/versions/0"
    assert rest_model_path("m", label="x:y") == "/v1/models/m/labels/x%3Ay"
