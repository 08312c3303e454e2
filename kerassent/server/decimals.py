"""Decimal numbers in JSON, written as TensorFlow Serving writes them."""

from typing import Final

import numpy as np

from kerassent.server.tensors import Array

_NON_FINITE: Final = {
    "nan": b"NaN",
    "inf": b"Infinity",
    "-inf": b"-Infinity",
}


def write_decimals(values: Array) -> list[bytes]:
    """Returns six digits where they are enough, all digits elsewhere.

    Args:
        values: float32 or float64, of rank 1.
    """
    digits = 9 if values.dtype.itemsize <= 4 else 17
    numbers: list[float] = values.tolist()
    texts = [f"{number:g}" for number in numbers]
    with np.errstate(over="ignore"):
        read_back = np.array([float(text) for text in texts]).astype(
            values.dtype
        )
    for index in np.flatnonzero(read_back != values).tolist():
        texts[index] = f"{numbers[index]:.{digits}g}"
    return [
        _NON_FINITE.get(text)
        or (text if "." in text or "e" in text else text + ".0").encode()
        for text in texts
    ]
