import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerassent.server.rapid_json import echo, parse_json
from kerassent.server.rapid_reader import JsonSyntaxError, read_json
from kerassent.server.status import Code, StatusError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)

SYNTAX = st.sampled_from('[]{}:,"\\u0dD8c1-+.eEnulNaIfity \n\0')


def first_wins(pairs):
    return dict(reversed(pairs))


def read(text):
    return read_json(text, first_wins=first_wins)


def refusal(body):
    with pytest.raises(StatusError) as caught:
        parse_json(body)
    assert caught.value.code == Code.INVALID_ARGUMENT
    return caught.value.message.removeprefix("JSON Parse error: ")


@settings(max_examples=200, deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_both_readers_read_what_json_writes(value, ensure_ascii, indent):
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
    assert read(text) == value
    body = f'{{"value": {text}}}'.encode("utf-8", "surrogatepass")
    assert parse_json(body) == {"value": value}


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.sampled_from('[]{}:,"\\u0dD8c1-+.eEnulNaIfity \n\0'), max_size=14
    )
)
def test_what_json_reads_the_reader_reads_alike(text):
    try:
        expected = json.loads(text, object_pairs_hook=first_wins)
    except ValueError:
        expected = None
    try:
        value = read(text)
    except JsonSyntaxError as error:
        # Only lone surrogates and numbers that are too big.
        assert expected is None or "\\u" in text or "e" in text.lower()
        assert 0 <= error.position <= len(text)
    else:
        if expected is not None:
            assert json.dumps(value) == json.dumps(expected)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body):
    try:
        assert isinstance(parse_json(body), dict)
    except StatusError as error:
        assert error.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"\xef\xbb\xbf", "The document is empty. at offset: 3"),
        (b"}", "The document is empty. at offset: 0"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b"{1", "Missing a name for object member. at offset: 1"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b'{"a" 1}', "Missing a colon after a name of object member. "
         "at offset: 5"),
        (b'{"a":}', "Invalid value. at offset: 5"),
        (b'{"a":nul}', "Invalid value. at offset: 8"),
        (b'{"a":Infin}', "Invalid value. at offset: 10"),
        (b'{"a":-x}', "Invalid value. at offset: 6"),
        (b'{"a":[1,]}', "Invalid value. at offset: 8"),
        (b'{"a":[,]}', "Invalid value. at offset: 6"),
        (b'{"a":[1 2]}', "Missing a comma or ] after an array element. "
         "at offset: 8"),
        (b'{"a":[1', "Missing a comma or ] after an array element. "
         "at offset: 7"),
        (b'{"a":1 "b"', "Missing a comma or } after an object member. "
         "at offset: 7"),
        (b'{"a":01}', "Missing a comma or } after an object member. "
         "at offset: 6"),
        (b'{"a":1.}', "Miss fraction part in number. at offset: 7"),
        (b'{"a":1e}', "Miss exponent in number. at offset: 7"),
        (b'{"a":1e309}', "Number too big to be stored in double. at offset: 5"),
        (b'{"a":-' + b"9" * 310 + b"}",
         "Number too big to be stored in double. at offset: 5"),
        (b'{"a":"b', "Missing a closing quotation mark in string. "
         "at offset: 7"),
        (b'{"a":"\n"}', "Invalid encoding in string. at offset: 6"),
        (b'{"a":"\\x"}', "Invalid escape character in string. at offset: 6"),
        (b'{"a":"\\u00g0"}', "Incorrect hex digit after \\u escape in string. "
         "at offset: 6"),
        (b'{"a":"\\ud800"}', "The surrogate pair in string is invalid. "
         "at offset: 6"),
        (b'{"a":"\\ud800\\u0041"}', "The surrogate pair in string is invalid. "
         "at offset: 6"),
        (b'{"a":"\\udc00"}', "The surrogate pair in string is invalid. "
         "at offset: 6"),
        ('{"é":"\xff'.encode() + b"\xff", "Missing a closing quotation mark "
         "in string. at offset: 10"),
        (b"1.", "Miss fraction part in number. at offset: 2"),
    ],
)  # fmt: skip
def test_error_has_rapidjsons_words_and_offset(body, message):
    assert refusal(body) == message


def test_numbers_that_only_rapidjson_knows():
    body = b'{"a": [Inf, -Inf, -Infinity, NaN, -NaN, 1e5, -0, 0.1e309]}'
    read = parse_json(body)["a"]
    assert read[:3] == [math.inf, -math.inf, -math.inf]
    assert math.isnan(read[3])
    assert math.isnan(read[4])
    assert read[5:] == [1e5, 0, 1e308]


def test_surrogate_pairs_and_escaped_backslashes_are_no_lone_surrogates():
    assert parse_json(rb'{"a": "\ud83d\uDE00 \\ud800"}') == {"a": "😀 \\ud800"}


def test_integer_beyond_64_bits_is_a_double_or_an_exact_integer():
    assert parse_json(b'{"a": 18446744073709551616}') == {"a": 2**64}
    assert read("18446744073709551616") == 2.0**64


def test_bytes_that_are_not_utf8_are_kept():
    (value,) = parse_json(b'{"a": "\xff\xed\xa0\x80"}').values()
    assert value.encode("utf-8", "surrogateescape") == b"\xff\xed\xa0\x80"


def test_reader_reads_any_nesting():
    value = read("[" * 100_000 + "]" * 100_000)
    depth = 0
    while value:
        (value,) = value
        depth += 1
    assert depth == 99_999


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        ({"a": [1, "é"]}, '{\n    "a": [\n        1,\n        "é"\n    ]\n}'),
        ("x" * 300, '"' + "x" * 255),
        (True, "true"),
        (0.1, "0.1"),
        (1.123456789, "1.12345684"),
        (1e300, "1e+300"),
        (math.nan, "NaN"),
    ],
)
def test_echo_is_indented_and_cut(value, text):
    assert echo(value) == text


def test_echo_of_deep_nesting_is_cut():
    value = []
    for _ in range(100_000):
        value = [value]
    assert len(echo(value)) == 256
