"""rapidjson's iterative parser, state for state: slow, but never wrong.

It reads what Python's `json` refuses, and says what is wrong and where as
rapidjson does. It keeps its own stack, so nesting costs memory only.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

Pairs = list[tuple[str, Any]]

_SPACE: Final = re.compile(r"[ \n\r\t]*")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_HEX4: Final = re.compile(r"[0-9a-fA-F]{4}")
_INTEGER: Final = re.compile(r"0|[1-9][0-9]*")
_DIGITS: Final = re.compile(r"[0-9]+")
_SIGN: Final = re.compile(r"[+-]?")
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_INVALID_VALUE: Final = "Invalid value."
_MAX_EXPONENT: Final = 308
_MAX_UINT64: Final = 2**64 - 1


class JsonSyntaxError(Exception):
    """Not JSON.

    Args:
        message: rapidjson's own words.
        position: Where in the text, in characters.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def read_json(text: str, *, first_wins: Callable[[Pairs], Any]) -> Any:
    """Returns the first JSON value in a text; what follows it is ignored.

    Args:
        text: JSON; a NUL ends it.
        first_wins: Makes an object of its members.

    Raises:
        JsonSyntaxError: If it is not JSON.
    """
    return _Reader(text).read(first_wins)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def _peek(self) -> str:
        """Returns the next character, or NUL at the end."""
        position = self._position
        return self._text[position] if position < len(self._text) else "\0"

    def _consume(self, expected: str) -> bool:
        """Steps over as much as is there of the expected characters."""
        for character in expected:
            if self._peek() != character:
                return False
            self._position += 1
        return True

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            return ""
        self._position = match.end()
        return match[0]

    def _fail(self, message: str, position: int | None = None) -> NoReturn:
        raise JsonSyntaxError(
            message, self._position if position is None else position
        )

    def read(self, first_wins: Callable[[Pairs], Any]) -> Any:
        # Containers that are still open: a list for an array; for an object
        # its members, and `keys` holds the key that waits for its value.
        stack: list[tuple[bool, list[Any]]] = []
        keys: list[str] = []
        self._match(_SPACE)
        if self._peek() in "\0]},:":
            self._fail("The document is empty.")
        while True:
            # A value begins here.
            character = self._peek()
            if character in "[{":
                self._position += 1
                self._match(_SPACE)
                is_object = character == "{"
                if not self._consume("}" if is_object else "]"):
                    stack.append((is_object, []))
                    if is_object:
                        keys.append(self._read_key())
                    elif self._peek() in "\0},:":
                        self._fail(_INVALID_VALUE)
                    continue
                value: Any = first_wins([]) if is_object else []
            else:
                value = self._read_scalar(character)
            # A value has ended; close whatever ends with it.
            while stack:
                is_object, members = stack[-1]
                members.append((keys.pop(), value) if is_object else value)
                self._match(_SPACE)
                if self._consume(","):
                    self._match(_SPACE)
                    if is_object:
                        keys.append(self._read_key())
                    elif self._peek() in "\0]},:":
                        self._fail(_INVALID_VALUE)
                    break
                if not self._consume("}" if is_object else "]"):
                    self._fail(
                        "Missing a comma or } after an object member."
                        if is_object
                        else "Missing a comma or ] after an array element."
                    )
                stack.pop()
                value = first_wins(members) if is_object else members
            else:
                return value

    def _read_key(self) -> str:
        if self._peek() != '"':
            self._fail("Missing a name for object member.")
        key = self._read_string()
        self._match(_SPACE)
        if not self._consume(":"):
            self._fail("Missing a colon after a name of object member.")
        self._match(_SPACE)
        if self._peek() in "\0]},:":
            self._fail(_INVALID_VALUE)
        return key

    def _read_scalar(self, character: str) -> Any:
        if character == '"':
            return self._read_string()
        for literal, value in (
            ("null", None),
            ("true", True),
            ("false", False),
        ):
            if character == literal[0]:
                if not self._consume(literal):
                    self._fail(_INVALID_VALUE)
                return value
        return self._read_number()

    def _read_string(self) -> str:
        self._position += 1
        parts = []
        while True:
            parts.append(self._match(_PLAIN))
            character = self._peek()
            if character == '"':
                self._position += 1
                return "".join(parts)
            if character == "\0":
                self._fail("Missing a closing quotation mark in string.")
            if character != "\\":
                self._fail("Invalid encoding in string.")
            parts.append(self._read_escape())

    def _read_escape(self) -> str:
        start = self._position
        self._position += 1
        character = self._peek()
        self._position += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character != "u":
            self._fail("Invalid escape character in string.", start)
        code = self._read_hex4(start)
        if 0xD800 <= code <= 0xDFFF:
            low = 0
            if code <= 0xDBFF and self._consume("\\u"):
                low = self._read_hex4(start)
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail("The surrogate pair in string is invalid.", start)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code)

    def _read_hex4(self, start: int) -> int:
        digits = self._match(_HEX4)
        if not digits:
            self._fail("Incorrect hex digit after \\u escape in string.", start)
        return int(digits, 16)

    def _read_number(self) -> int | float:
        start = self._position
        negative = self._consume("-")
        integer = self._match(_INTEGER)
        if not integer:
            return self._read_non_finite(negative)
        fraction = exponent = ""
        if self._consume("."):
            fraction = self._match(_DIGITS)
            if not fraction:
                self._fail("Miss fraction part in number.")
        if self._peek() in "eE":
            self._position += 1
            sign = self._match(_SIGN)
            digits = self._match(_DIGITS)
            if not digits:
                self._fail("Miss exponent in number.")
            exponent = sign + digits.lstrip("0").rjust(1, "0")
            if sign != "-" and (
                len(exponent) > 19
                or int(exponent) > _MAX_EXPONENT + len(fraction)
            ):
                self._fail("Number too big to be stored in double.", start)
        if not fraction and not exponent and len(integer) <= 20:
            number = -int(integer) if negative else int(integer)
            if -(2**63) <= number <= _MAX_UINT64:
                return number
        value = float(self._text[start : self._position])
        if value in (float("inf"), float("-inf")):
            self._fail("Number too big to be stored in double.", start)
        return value

    def _read_non_finite(self, negative: bool) -> float:
        if self._peek() == "N":
            if self._consume("NaN"):
                return float("nan")
        elif self._consume("Inf"):
            if self._peek() != "i" or self._consume("inity"):
                return float("-inf") if negative else float("inf")
        self._fail(_INVALID_VALUE)
