"""Which encoding a text file has: found out, or checked against the file.

UTF-8 is strict enough to be its own proof, and a byte order mark names UTF-16
and UTF-32. A file that is neither was written in a code page, and its bytes
don't say which: 0xE9 is é in Western Europe and й in Russia. It is read as
Windows' cp1252 only if all its bytes beyond ASCII mean the same in every one
of Windows' single-byte code pages, like the curly quotes and dashes that Excel
writes into an English text; else the answer is an error that says to pass
`encoding`.
"""

import codecs
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from kerassent.errors import DataError

_BLOCK = 1 << 20  # bytes
_PAGES = tuple(f"cp{number}" for number in range(1250, 1259))
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def find_encoding(path: Path, encoding: str | None = None) -> str:
    """Returns the encoding to open a text file with.

    Args:
        path: The file, which is read once to its end.
        encoding: The encoding that was given, or `None` to find it out.

    Raises:
        DataError: The file is not in the given encoding, or none was given
            and the bytes don't say which it is.
        ValueError: There is no encoding of the given name.
    """
    with path.open("rb") as file:
        start = file.read(4)
        marked = next(
            (name for mark, name in _MARKS if start.startswith(mark)), None
        )
        if encoding is not None:
            return _check_given(file, path.name, encoding, marked)
        found = marked or _unmarked_utf16(start) or "utf-8"
        wrong = _first_wrong(file, found)
        if wrong is None:
            return found
        if found == "utf-8" and _byte_values(file) <= _unambiguous():
            return "cp1252"
        offset, line, byte = wrong
        fix = (
            "It begins as such, and may be truncated: save it again."
            if found != "utf-8"
            else "Pass its `encoding`: 'cp1252' if it comes from Windows in "
            "Western Europe or America, or save it as UTF-8."
        )
        raise DataError(
            f"{path.name} is not {found.removesuffix('-sig').upper()}: line "
            f"{line} has the byte 0x{byte:02x} (byte {offset} of the file). "
            f"{fix}"
        )


def _check_given(
    file: BinaryIO, name: str, encoding: str, marked: str | None
) -> str:
    try:
        given = codecs.lookup(encoding).name
        "".encode(given)
    except LookupError as error:
        raise ValueError(
            f"`encoding` {encoding!r} is not the name of a text encoding. "
            "Pass 'utf-8', 'cp1252' or another that Python knows."
        ) from error
    # Text in a code page is UTF-8 by chance about never, and UTF-16 has NULs.
    # Without this the file would be read as "cafÃ©", or in Chinese characters.
    values = _byte_values(file)
    wide = given.startswith(("utf-16", "utf-32"))
    single = (
        not wide and _is_single_byte(given) and max(values, default=0) > 127
    )
    if (single and marked) or (
        (single or wide)
        and 0 not in values
        and _first_wrong(file, "utf-8") is None
    ):
        found = (marked or "utf-8").removesuffix("-sig").upper()
        raise DataError(
            f"{name} is {found}, not {encoding!r}. Leave `encoding` out."
        )
    wrong = _first_wrong(file, given)
    if wrong is not None:
        offset, line, byte = wrong
        raise DataError(
            f"{name} is not in the `encoding` {encoding!r}: line {line} has "
            f"the byte 0x{byte:02x} (byte {offset} of the file). Leave "
            "`encoding` out to have it found out."
        )
    return "utf-8-sig" if given == "utf-8" else given


def _is_single_byte(encoding: str) -> bool:
    # One byte in the middle of UTF-8 or UTF-16 is not a character either.
    upper = bytes(range(128, 256))
    text = upper.decode(encoding, errors="replace")
    return len(text) == len(upper) and text != "\ufffd" * len(upper)


def _unmarked_utf16(start: bytes) -> str | None:
    # ASCII in UTF-16 is each second byte zero, and no header holds a NUL.
    if len(start) == 4 and start[0] and not start[1] and not start[3]:
        return "utf-16-le" if start[2] else None
    if len(start) == 4 and not start[0] and start[1] and not start[2]:
        return "utf-16-be" if start[3] else None
    return None


def _first_wrong(file: BinaryIO, encoding: str) -> tuple[int, int, int] | None:
    """Returns offset, line and value of the first byte that doesn't decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, offset = 1, 0
    for block, last in _blocks(file):
        state = decoder.getstate()
        held = len(state[0])
        try:
            line += decoder.decode(block, final=last).count("\n")
        except UnicodeDecodeError as error:
            # What the decoder had held back comes before the block.
            decoder.setstate(state)
            good = block[: max(0, error.start - held)]
            line += decoder.decode(good).count("\n")
            return offset - held + error.start, line, error.object[error.start]
        except UnicodeError:  # UTF-16 or UTF-32 without its mark
            return 0, 1, block[0]
        offset += len(block)
    return None


def _byte_values(file: BinaryIO) -> set[int]:
    values: set[int] = set()
    for block, _ in _blocks(file):
        values.update(block.translate(None, bytes(values)))
    return values


def _blocks(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    file.seek(0)
    block = file.read(_BLOCK)
    while block:
        following = file.read(_BLOCK)
        yield block, not following
        block = following


@cache
def _unambiguous() -> frozenset[int]:
    """Returns the bytes that mean the same in all Windows code pages."""
    meanings = [bytes(range(256)).decode(page, "replace") for page in _PAGES]
    return frozenset(
        byte
        for byte, characters in enumerate(zip(*meanings, strict=True))
        if len(set(characters)) == 1 and "\ufffd" not in characters
    )
