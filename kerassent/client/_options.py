"""What every request carries: how long it may take, and its headers."""

import re
from collections.abc import Mapping
from typing import Final

# Sockets count milliseconds in 31 bits.
_MAX_TIMEOUT: Final = 86400.0

# What both HTTP and gRPC can carry.
_HEADER_NAME: Final = re.compile(
    r"[0-9a-z_.-]+(?<!-bin)", re.ASCII | re.IGNORECASE
)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")


def checked_timeout(timeout: float) -> float:
    """Returns `timeout` if it is a number of seconds to wait.

    Raises:
        TypeError: It is not a number.
        ValueError: It is 0 or less, more than a day, or not finite.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(
            "`timeout` must be a number of seconds. Received: "
            f"{timeout!r} of type {type(timeout).__name__}"
        )
    if not 0 < timeout <= _MAX_TIMEOUT:
        raise ValueError(
            "`timeout` must be seconds, above 0 and at most a day "
            f"({_MAX_TIMEOUT:.0f}). Received: {timeout!r}"
        )
    return float(timeout)


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Returns `headers` if both HTTP and gRPC can carry them.

    Raises:
        TypeError: It is not a mapping of `str` to `str`.
        ValueError: A name or a value has a character that can't be sent.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(
            "`headers` must be a mapping of names to values. Received an "
            f"object of type {type(headers).__name__}"
        )
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                "`headers` must map str to str. Received: the header "
                f"{name!r} with a value of type {type(value).__name__}"
            )
        # Values stay out of the messages: they may be secrets.
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(
                "`headers` may have only letters, digits, '_', '.' and '-' "
                "in a name, and no '-bin' at its end (binary to gRPC). "
                f"Received: {name!r}"
            )
        if not _HEADER_VALUE.fullmatch(value) or value != value.strip():
            raise ValueError(
                "`headers` may have only printable ASCII in a value, and no "
                f"space around it. Received: another value for {name!r}"
            )
    return dict(headers)


def checked_count(argument: str, count: int) -> int:
    """Returns `count` if it is an integer of 1 or more.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is 0 or less.
    """
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(
            f"`{argument}` must be an integer. Received: {count!r} of type "
            f"{type(count).__name__}"
        )
    if count < 1:
        raise ValueError(f"`{argument}` must be 1 or more. Received: {count!r}")
    return count
