"""Numbers and small words as a person writes them."""

import math
from collections.abc import Sequence
from typing import Final

MISSING: Final = "–"
# Between a number and its sign, where no line may break.
_SPACE: Final = "\u202f"


def percent(share: float | None, *, sign: bool = True) -> str:
    """Returns a share in percent, which is 100 or 0 only if it is exactly.

    Args:
        share: 0 to 1.
        sign: Whether "%" follows.
    """
    if share is None or not math.isfinite(share):
        return MISSING
    digits = 1
    while digits < 4 and share not in (0.0, 1.0):
        written = f"{100 * share:.{digits}f}"
        if float(written) not in (0.0, 100.0):
            break
        digits += 1
    return f"{100 * share:.{digits}f}" + f"{_SPACE}%" * sign


def count(number: float | None) -> str:
    """Returns a whole number with separators.

    Args:
        number: Any.
    """
    return MISSING if number is None else f"{number:,.0f}"


def decimal(number: float | None, digits: int = 3) -> str:
    """Returns a number with a few digits after the point.

    Args:
        number: Any.
        digits: How many.
    """
    if number is None or not math.isfinite(number):
        return MISSING
    return f"{number:,.{digits}f}".replace("-", "\u2212")


def points(difference: float) -> str:
    """Returns a difference of shares in percentage points, with its sign.

    Args:
        difference: -1 to 1.
    """
    return f"{100 * difference:+.1f}".replace("-", "\u2212")


def plural(number: int, thing: str, things: str | None = None) -> str:
    """Returns "1 review", "2 reviews".

    Args:
        number: How many.
        thing: What one is called.
        things: What two are called, if not with an s.
    """
    name = thing if number == 1 else things or f"{thing}s"
    return f"{count(number)} {name}"


def one_in(share: float) -> str:
    """Returns "1 in 14", what a small share comes to.

    Args:
        share: Above 0, below 1.
    """
    return f"1 in {max(2, round(1 / share)):,}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Returns "a, b and c", or "a, b, c, d, e and 3 more".

    Args:
        names: At least one.
        most: How many are named.
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def rate(value: float) -> str:
    """Returns a learning rate shortly: 2.1e-5.

    Args:
        value: Any.
    """
    if not math.isfinite(value):
        return MISSING
    digits, _, power = f"{value:.1e}".partition("e")
    written = f"{digits.removesuffix('.0')}e{int(power)}"
    return written.replace("-", "\u2212")
