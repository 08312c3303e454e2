import codecs
import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerassent.errors import DataError
from kerassent.reading.delimited import DelimitedTable


@pytest.fixture
def read(tmp_path):
    def read(content, name="reviews.csv", **kwargs):
        path = tmp_path / name
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        table = DelimitedTable(path, **kwargs)
        return table.columns, list(table.rows(0, 1))

    return read


def test_rows_are_numbered_by_the_line_they_begin_in(read):
    columns, rows = read('text,label\n"two\nlines",pos\r\n"a ""b""",neg\n')
    assert columns == ("text", "label")
    assert rows == [(2, "two\nlines", "pos"), (4, 'a "b"', "neg")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found_out(read, separator):
    lines = [
        ("text", "label", "id"),
        ('"Fine, good; nice|\t"', "pos", "1"),
        ("bad", "neg", "2"),
    ]
    columns, rows = read("\n".join(separator.join(line) for line in lines))
    assert columns == lines[0]
    assert rows == [(2, "Fine, good; nice|\t", "pos"), (3, "bad", "neg")]


def test_separator_inside_unquoted_texts_does_not_mislead(read):
    content = "text;label\nGood, nice;pos\nBad, dull, long;neg\n"
    assert read(content)[1][1] == (3, "Bad, dull, long", "neg")


def test_one_column_needs_no_separator(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text\nGood, nice\nBad, dull, long\n")
    rows = list(DelimitedTable(path).rows(0, None))
    assert rows == [(2, "Good, nice", None), (3, "Bad, dull, long", None)]


def test_given_separator_is_taken(read):
    assert read("text~label\na,b~pos", separator="~")[1] == [(2, "a,b", "pos")]


def test_tsv_is_split_at_tabs(read):
    content = "text,a;b|c\tlabel\nx\tpos\n"
    columns, rows = read(content, name="reviews.TSV")
    assert columns == ("text,a;b|c", "label")
    assert rows == [(2, "x", "pos")]


@pytest.mark.parametrize("separator", ["", ",,", '"', "\n"])
def test_wrong_separator_is_a_wrong_argument(read, separator):
    with pytest.raises(ValueError, match="^`separator` must be one character"):
        read("text,label\na,b", separator=separator)


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + "text,label\ncafé,pos".encode(),
        "text,label\ncafé,pos".encode("utf-16"),
        codecs.BOM_UTF16_BE + "text,label\ncafé,pos".encode("utf-16-be"),
        "text,label\ncafé,pos".encode("utf-16-le"),
    ],
)
def test_marks_and_utf16_leave_no_trace(read, content):
    assert read(content) == (("text", "label"), [(2, "café", "pos")])


def test_given_encoding_decodes(read):
    rows = read("text,label\ncafé,pos".encode("cp1252"), encoding="cp1252")[1]
    assert rows == [(2, "café", "pos")]


def test_rows_of_another_width_are_an_error_with_their_lines(read):
    content = 'text,label\nGood, nice,pos\n"a\nb",neg\nbad\nfine,pos\n'
    with pytest.raises(
        DataError,
        match=r"^reviews\.csv: 2 rows have more or fewer fields than the "
        r"header, which has 2 \(lines 2, 5; the first has 3\)\. Put a text "
        r"that holds ',' between double quotes, or pass the right `separator`",
    ):
        read(content)


def test_quote_that_does_not_close_is_an_error_with_its_line(read):
    with pytest.raises(
        DataError,
        match=r"^reviews\.csv: the record that begins in line 3 cannot be "
        r"read: unexpected end of data\. A double quote at the beginning",
    ):
        read('text,label\nfine,pos\n"open,neg\nbad,neg\n')


def test_text_after_a_closing_quote_is_an_error(read):
    with pytest.raises(DataError, match=r"begins in line 2 .* expected after"):
        read('text\tlabel\n"Great" film\tpos\n', name="reviews.tsv")


def test_blank_lines_at_the_end_are_no_rows(read):
    assert read("text,label\na,pos\n\n,\n\n")[1] == [(2, "a", "pos")]


def test_blank_lines_in_between_are_empty_rows(read):
    assert read("text,label\na,pos\n\n,\nb,neg\n")[1] == [
        (2, "a", "pos"),
        (3, "", ""),
        (4, "", ""),
        (5, "b", "neg"),
    ]


@pytest.mark.parametrize(
    ("content", "what"), [("", "is empty"), ("\ntext\n", "begins with a blank")]
)
def test_without_a_header_is_an_error(read, content, what):
    with pytest.raises(DataError, match=rf"^reviews\.csv {what}.*the header"):
        read(content)


def test_long_field_is_whole(read):
    text = "long " * 200_000
    assert read(f'text,label\n"{text}",pos\n')[1] == [(2, text, "pos")]


def test_field_beyond_the_limit_is_an_error(read):
    text = "x" * ((16 << 20) + 1)
    with pytest.raises(
        DataError, match=r"line 2 cannot be read: field larger than field limit"
    ):
        read(f"text,label\n{text},pos\n")


def test_nul_is_kept(read):
    assert read("text,label\na\0b,pos\n")[1] == [(2, "a\0b", "pos")]


def test_rows_can_be_read_again(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\na,pos\n")
    table = DelimitedTable(path)
    assert list(table.rows(0, 1)) == list(table.rows(0, 1))


text = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=30
)


@given(
    rows=st.lists(st.tuples(text.map("x".__add__), text), min_size=1),
    separator=st.sampled_from(",;\t|"),
    dialect=st.sampled_from(["excel", "unix"]),
)
def test_what_the_csv_module_writes_is_read_as_it_was(
    tmp_path_factory, rows, separator, dialect
):
    path = tmp_path_factory.mktemp("csv") / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect, delimiter=separator)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    table = DelimitedTable(path, separator=separator)
    assert table.columns == ("text", "label")
    assert [row[1:] for row in table.rows(0, 1)] == rows
