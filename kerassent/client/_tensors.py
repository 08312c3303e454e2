"""TensorProto to and from numpy, without TensorFlow.

Only what the wire contract has: text in, text and float32 out. The messages
are typed `Any`, since the generated protobuf classes have no type stubs.

Reference: tensorflow/core/framework/tensor.proto.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# tensorflow/core/framework/types.proto
DT_FLOAT: Final = 1
DT_STRING: Final = 7


def set_strings(tensor: Any, values: Sequence[bytes]) -> None:
    """Makes an empty TensorProto a string tensor of shape `(len(values),)`."""
    tensor.dtype = DT_STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def to_array(tensor: Any) -> npt.NDArray[Any]:
    """Returns a TensorProto as float32, or as `str` in an object array.

    Raises:
        ValueError: The type is another one, the values don't fit the shape,
            or a string is not UTF-8.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("its shape is not fully known")
    count = math.prod(shape)
    values: npt.NDArray[Any]
    if tensor.dtype == DT_FLOAT:
        if tensor.tensor_content:
            # Little-endian on the wire, whatever this machine is.
            values = np.frombuffer(tensor.tensor_content, "<f4")
            values = values.astype(np.float32)
            if len(values) != count:
                raise ValueError(f"{len(values)} values for shape {shape}")
        else:
            values = np.array(tensor.float_val, np.float32)
    elif tensor.dtype == DT_STRING:
        decoded = [value.decode("utf-8") for value in tensor.string_val]
        values = np.array(decoded, object)
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
        last = "" if values.dtype == object else 0.0
    missing = np.full(count - len(values), last, values.dtype)
    return np.concatenate([values, missing])
