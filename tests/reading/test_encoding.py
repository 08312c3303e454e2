import codecs

import pytest

from kerassent.errors import DataError
from kerassent.reading.encoding import find_encoding


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "reviews.csv"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"text\nplain", "utf-8"),
        ("text\ncafé".encode(), "utf-8"),
        (codecs.BOM_UTF8 + "text\ncafé".encode(), "utf-8-sig"),
        ("text\ncafé".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "text".encode("utf-16-be"), "utf-16"),
        ("text\ncafé".encode("utf-32"), "utf-32"),
        ("text\ncafé".encode("utf-16-le"), "utf-16-le"),
        ("text\ncafé".encode("utf-16-be"), "utf-16-be"),
        ("text\n“It’s a film – ©”".encode("cp1252"), "cp1252"),
    ],
)
def test_encoding_is_found_out(write, content, encoding):
    path = write(content)
    assert find_encoding(path) == encoding


def test_utf8_character_across_two_blocks_is_whole(write):
    content = b"x" * ((1 << 20) - 1) + "é".encode()
    assert find_encoding(write(content)) == "utf-8"


def test_byte_that_code_pages_read_differently_is_an_error(write):
    path = write(b"text,label\nfine,pos\na caf\xe9,neg\n")
    with pytest.raises(
        DataError,
        match=r"^reviews\.csv is not UTF-8: line 3 has the byte 0xe9 "
        r"\(byte 25 of the file\)\. Pass its `encoding`: 'cp1252' if it ",
    ):
        find_encoding(path)


def test_wrong_byte_is_located_beyond_the_first_block(write):
    lines = 400_000
    path = write(b"abcd\n" * lines + b"ab\xe9")
    with pytest.raises(
        DataError,
        match=rf"line {lines + 1} has the byte 0xe9 \(byte {lines * 5 + 2} of",
    ):
        find_encoding(path)


def test_truncated_utf8_is_an_error(write):
    with pytest.raises(DataError, match=r"line 2 has the byte 0xe2 \(byte 8 "):
        find_encoding(write("text\nfin…".encode()[:-1]))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("text".encode("utf-16")[:-1], "UTF-16"),
        (codecs.BOM_UTF8 + b"caf\xe9", "UTF-8"),
    ],
)
def test_file_that_belies_its_mark_is_an_error(write, content, name):
    with pytest.raises(
        DataError, match=rf"^reviews\.csv is not {name}: line 1 .* truncated"
    ):
        find_encoding(write(content))


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "koi8-r"])
def test_given_encoding_that_fits_is_taken(write, encoding):
    path = write(b"text\ncaf\xe9")
    assert find_encoding(path, encoding) == codecs.lookup(encoding).name


def test_given_utf8_takes_a_mark_away(write):
    path = write(codecs.BOM_UTF8 + b"text")
    assert path.read_text(find_encoding(path, "UTF8")) == "text"


def test_given_encoding_that_does_not_fit_is_an_error(write):
    with pytest.raises(
        DataError,
        match=r"^reviews\.csv is not in the `encoding` 'utf-8': line 2 has "
        r"the byte 0xe9 \(byte 8 of the file\)\. Leave `encoding` out",
    ):
        find_encoding(write(b"text\ncaf\xe9"), "utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac-roman"])
def test_utf8_read_in_a_code_page_is_an_error(write, encoding):
    with pytest.raises(
        DataError, match=rf"^reviews\.csv is UTF-8, not '{encoding}'\. Leave "
    ):
        find_encoding(write("text\ncafé".encode()), encoding)


def test_utf16_read_in_a_code_page_is_an_error(write):
    with pytest.raises(DataError, match="is UTF-16, not 'latin-1'"):
        find_encoding(write("text".encode("utf-16")), "latin-1")


def test_utf8_read_as_utf16_is_an_error(write):
    with pytest.raises(DataError, match="is UTF-8, not 'utf-16'"):
        find_encoding(write(b"text\nabc"), "utf-16")


def test_given_utf16_that_fits_is_taken(write):
    path = write("text\n电影".encode("utf-16"))
    assert path.read_text(find_encoding(path, "utf-16")) == "text\n电影"


@pytest.mark.parametrize("encoding", ["utf9", "rot13", "hex"])
def test_what_is_no_text_encoding_is_a_wrong_argument(write, encoding):
    with pytest.raises(
        ValueError,
        match=f"^`encoding` '{encoding}' is not the name of a text encoding",
    ):
        find_encoding(write(b"text"), encoding)
