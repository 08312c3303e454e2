"""TensorProto to and from numpy, without TensorFlow.

Text in; text and numbers out. The messages are typed `Any`, since the
generated protobuf classes have no type stubs.

Reference: tensorflow/core/framework/tensor.proto and types.proto.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DT_FLOAT: Final = 1
DT_STRING: Final = 7
_DT_HALF: Final = 19

# Of each type of numbers: its dtype, and the field that holds its values where
# `tensor_content` does not; that is little-endian, whatever this machine is.
_NUMBERS: Final = {
    DT_FLOAT: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
    _DT_HALF: ("<f2", "half_val"),
    22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}


def set_strings(tensor: Any, values: Sequence[bytes]) -> None:
    """Makes an empty TensorProto a string tensor of shape `(len(values),)`."""
    tensor.dtype = DT_STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def to_array(tensor: Any) -> npt.NDArray[Any]:
    """Returns a TensorProto as numbers, or as `str` in an object array.

    Raises:
        ValueError: The type is another one, the values don't fit the shape,
            or a string is not UTF-8.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("its shape is not fully known")
    count = math.prod(shape)
    values: npt.NDArray[Any]
    if tensor.dtype == DT_STRING:
        decoded = [value.decode("utf-8") for value in tensor.string_val]
        values = np.array(decoded, object)
    elif tensor.dtype in _NUMBERS:
        dtype, field = _NUMBERS[tensor.dtype]
        if tensor.tensor_content:
            if len(tensor.tensor_content) != count * np.dtype(dtype).itemsize:
                raise ValueError(
                    f"{len(tensor.tensor_content)} bytes for shape {shape}"
                )
            values = np.frombuffer(tensor.tensor_content, dtype)
        elif tensor.dtype == _DT_HALF:
            values = np.array(tensor.half_val, "<u2").view(dtype)
        else:
            values = np.array(getattr(tensor, field), dtype)
        values = values.astype(values.dtype.newbyteorder("="))
    else:
        raise ValueError(f"its dtype is number {tensor.dtype} of types.proto")
    return _expanded(values, count).reshape(shape)


def _expanded(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    # A TensorProto may leave out the end of its values where that only
    # repeats the last one, and all of them where they are the default.
    if len(values) > count:
        raise ValueError(f"{len(values)} values where {count} fit")
    if len(values) == count:
        return values
    if len(values):
        last = values[-1]
    else:
        last = "" if values.dtype == object else 0
    missing = np.full(count - len(values), last, values.dtype)
    return np.concatenate([values, missing])
