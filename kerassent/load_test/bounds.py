"""Arguments that say how much and how long, checked at the door."""

import math
from typing import Final

_MAX_SECONDS: Final = 86400.0
MAX_COUNT: Final = 4096


def checked_positive(name: str, value: float) -> None:
    """Refuses what is not a number above 0.

    Args:
        name: The argument's name.
        value: Its value.

    Raises:
        ValueError: It is 0 or less, or not finite.
    """
    if not (math.isfinite(value) and value > 0):
        raise ValueError(
            f"`{name}` must be a number above 0. Received: {name}={value!r}"
        )


def checked_count(name: str, value: int) -> None:
    """Refuses what is not a number of clients, or of texts in a request.

    Args:
        name: The argument's name.
        value: Its value.

    Raises:
        ValueError: It is less than 1 or more than 4,096.
    """
    if not 1 <= value <= MAX_COUNT:
        raise ValueError(
            f"`{name}` must be from 1 to {MAX_COUNT:,}. Received: "
            f"{name}={value!r}"
        )


def checked_bounds(seconds: float, requests: int | None, warmup: float) -> None:
    """Refuses a test without an end.

    Args:
        seconds: How long it lasts.
        requests: How many requests it has at most.
        warmup: Seconds before it.

    Raises:
        ValueError: One of them has no sense.
    """
    checked_positive("seconds", seconds)
    if seconds > _MAX_SECONDS or not 0 <= warmup <= _MAX_SECONDS:
        raise ValueError(
            "`seconds` and `warmup` must be at most a day "
            f"({_MAX_SECONDS:.0f}), and `warmup` 0 or more. Received: "
            f"seconds={seconds!r}, warmup={warmup!r}"
        )
    if requests is not None and requests < 1:
        raise ValueError(
            f"`requests` must be 1 or more. Received: requests={requests!r}"
        )
