"""Arguments, checked at the door: no work is begun with a wrong one."""

import math
import numbers


def check_counts(**values: object) -> None:
    """Raises unless each argument is a whole number of 1 or more, or `None`.

    Args:
        **values: The arguments by name.

    Raises:
        TypeError: One is no whole number.
        ValueError: One is below 1.
    """
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(
                f"`{name}` must be a whole number, 1 or more. "
                f"Received: {value!r} of type {type(value).__name__}"
            )
        if value < 1:
            raise ValueError(f"`{name}` must be 1 or more. Received: {value}")


def check_positive(**values: object) -> None:
    """Raises unless each argument is a finite number above 0.

    Args:
        **values: The arguments by name.

    Raises:
        TypeError: One is no number.
        ValueError: One is 0 or less, or not finite.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(
                f"`{name}` must be a number above 0. "
                f"Received: {value!r} of type {type(value).__name__}"
            )
        if not 0 < float(value) < math.inf:
            raise ValueError(
                f"`{name}` must be above 0 and finite. Received: {value}"
            )
