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


def check_seed(seed: object) -> None:
    """Raises unless a seed is one that NumPy and Keras take.

    Args:
        seed: The argument.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is below 0, or has more than 32 bits.
    """
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise TypeError(
            "`seed` must be a whole number from 0 on. "
            f"Received: {seed!r} of type {type(seed).__name__}"
        )
    if not 0 <= int(seed) < 2**32:
        raise ValueError(
            f"`seed` must be from 0 to {2**32 - 1}. Received: {seed}"
        )
