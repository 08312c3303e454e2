import pytest

from kerassent.errors import DataError
from kerassent.reading.json_lines import JsonLinesTable


@pytest.fixture
def read(tmp_path):
    def read(content, wanted=None, **kwargs):
        path = tmp_path / "reviews.jsonl"
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        table = JsonLinesTable(path, wanted=wanted, **kwargs)
        return table.columns, list(table.rows(0, 1))

    return read


def test_objects_are_rows_by_line(read):
    columns, rows = read(
        '{"text": "caf\\u00e9", "label": 1}\n{"label": true, "text": null}\n'
    )
    assert columns == ("text", "label")
    assert rows == [(1, "café", 1), (2, None, True)]


def test_key_that_comes_later_is_a_column(read):
    columns, rows = read('{"text": "a"}\n{"text": "b", "label": "pos"}')
    assert columns == ("text", "label")
    assert rows == [(1, "a", None), (2, "b", "pos")]


def test_search_for_columns_ends_when_they_are_found(read):
    columns, _ = read(
        '{"a": "x", "b": "y"}\n{"c": "z"}', wanted=frozenset(["a", "b"])
    )
    assert columns == ("a", "b")


def test_line_separators_inside_a_text_are_not_line_ends(read):
    content = '{"a": "x\u2028y", "b": 1}\n{"a": "z", "b": 2}'
    assert read(content)[1] == [(1, "x\u2028y", 1), (2, "z", 2)]


def test_blank_lines_at_the_end_are_no_rows(read):
    assert read('{"a": "x", "b": 1}\n\n \n')[1] == [(1, "x", 1)]


def test_blank_lines_in_between_are_empty_rows(read):
    content = '{"a": "x", "b": 1}\n\n{"a": "y", "b": 2}\n'
    assert read(content)[1] == [(1, "x", 1), (2, None, None), (3, "y", 2)]


def test_nested_value_is_said(read):
    rows = read('{"a": ["x"], "b": {"c": 1}}')[1]
    assert rows[0][1].what == "an object or list instead of a text"
    assert rows[0][2].what == "an object or list instead of a text"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'a': 1}", "line 2 is not JSON: Expecting property name"),
        ('{"a": "x"', "line 2 is not JSON: Expecting ',' delimiter"),
        ('{"a": NaN}', "line 2 is not JSON: NaN is no JSON value, null is"),
        ('{"a": 1, "a": 2}', "line 2 is not JSON: the key 'a' is there twice"),
        ("[" * 100_000, "line 2 is not JSON: "),
        ("9" * 5000, "line 2 is not JSON: "),
        ('["x"]', "line 2 is a list, not an object. Each line must be one"),
        ('"x"', "line 2 is a str, not an object"),
    ],
)
def test_line_that_is_no_object_is_an_error(read, line, message):
    with pytest.raises(DataError, match=rf"^reviews\.jsonl, {message}"):
        read('{"a": "x", "b": 1}\n' + line)


def test_mark_is_taken_away(read):
    assert read(b'\xef\xbb\xbf{"a": "x", "b": 1}')[1] == [(1, "x", 1)]


def test_wrong_encoding_is_an_error(read):
    with pytest.raises(DataError, match="is not UTF-8: line 1 has the byte 0x"):
        read('{"a": "café", "b": 1}'.encode("latin-1"))
