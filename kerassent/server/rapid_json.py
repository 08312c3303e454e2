r"""JSON as rapidjson reads it, for TensorFlow Serving reads with rapidjson.

It differs from Python's `json`: what follows the first value is ignored, of
two equal keys the first wins, bytes that are not UTF-8 are kept as they are,
any nesting is read, `Inf` and `-NaN` are numbers, a lone surrogate is an
error, and errors have rapidjson's words and byte offsets.

`json` does the work where both agree, `rapid_reader` has the last word.

Strings keep bytes that are not UTF-8 as surrogate escapes;
`value.encode("utf-8", "surrogateescape")` gives the bytes back.
"""

import json
import math
import re
from typing import Any, Final

import numpy as np

from kerassent.server.decimals import write_decimals
from kerassent.server.rapid_reader import JsonSyntaxError, read_json
from kerassent.server.status import invalid_argument

MAX_ECHO_BYTES: Final = 256

_BOM: Final = b"\xef\xbb\xbf"
_MAX_FLOAT: Final = float(np.finfo(np.float32).max)
_SPACE: Final = re.compile(r"[ \n\r\t]*")
_SURELY_FINITE_DIGITS: Final = 300
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F])|.)",
    re.DOTALL,
)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("too big for a double")
    return value


def _integer(digits: str) -> int:
    if len(digits) > _SURELY_FINITE_DIGITS:
        raise ValueError("may be too big for a double")
    return int(digits)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_float=_finite, parse_int=_integer
)
_ENCODER: Final = json.JSONEncoder(indent=4, ensure_ascii=False)


def _has_lone_surrogate(text: str) -> bool:
    """Tells whether a string may escape half of a surrogate pair."""
    return bool(_SURROGATE.search(text)) and any(
        match["lone"] for match in _ESCAPE.finditer(text)
    )


def _read(text: str) -> Any:
    if not _has_lone_surrogate(text):
        space = _SPACE.match(text)
        try:
            value, _ = _DECODER.raw_decode(text, space.end() if space else 0)
        except (ValueError, RecursionError):
            pass
        else:
            # At the top `json` takes the 1 of `1.` or `01` for a value.
            if isinstance(value, dict | list):
                return value
    return read_json(text, first_wins=_first_wins)


def parse_json(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that a request body starts with.

    Args:
        body: The request's body.

    Raises:
        StatusError: If it is not JSON, or not an object.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    try:
        value = _read(text)
    except JsonSyntaxError as error:
        before = text[: error.position].encode("utf-8", "surrogateescape")
        bom = len(_BOM) if body.startswith(_BOM) else 0
        raise invalid_argument(
            f"JSON Parse error: {error} at offset: {bom + len(before)}"
        ) from None
    if not isinstance(value, dict):
        raise invalid_argument(f"JSON Value: {echo(value)} Is not object")
    return value


def echo(value: Any) -> str:
    """Returns a JSON value for a message: indented, and cut when long.

    Args:
        value: A value that `parse_json` returned.
    """
    if isinstance(value, float):
        narrow = abs(value) <= _MAX_FLOAT
        number = np.array([value], np.float32 if narrow else np.float64)
        return write_decimals(number)[0].decode()
    shown: list[str] = []
    length = 0
    # Piece by piece: the rest of a large value is never written.
    for piece in _ENCODER.iterencode(value):
        shown.append(piece)
        length += len(piece)
        if length >= MAX_ECHO_BYTES:
            break
    text = "".join(shown).encode("utf-8", "surrogateescape")
    return text[:MAX_ECHO_BYTES].decode("utf-8", "surrogateescape")
