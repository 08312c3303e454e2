"""TensorProto to numpy and back, with the meaning that C++ TensorFlow gives it.

`tf.make_ndarray` and `tf.make_tensor_proto` are close, but not it: the one
refuses a value list that is too long, the other packs numbers into
`tensor_content`, where TensorFlow Serving answers with typed fields.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tensorflow.core.framework.tensor_pb2 import TensorProto

Array = npt.NDArray[Any]

MAX_RANK: Final = 254
# A few bytes of TensorProto can ask for any shape: its last value is repeated.
# What a message carries itself may be as large as a message.
MAX_TENSOR_BYTES: Final = 2**31
MAX_REPEATED_BYTES: Final = 64 * 2**20

_VALUE_FIELDS: Final = (
    "half_val",
    "float_val",
    "double_val",
    "int_val",
    "string_val",
    "scomplex_val",
    "int64_val",
    "bool_val",
    "dcomplex_val",
    "uint32_val",
    "uint64_val",
)


def shape_text(shape: Sequence[int]) -> str:
    """Returns `[2,3]`, as TensorFlow prints a shape.

    Args:
        shape: Sizes of the axes.
    """
    return f"[{','.join(map(str, shape))}]"


def _shape(proto: "TensorProto") -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or len(shape) > MAX_RANK:
        raise ValueError("unknown rank, or too many dimensions")
    if any(size < 0 for size in shape):
        raise ValueError("negative dimension")
    return shape


def _filled(values: Sequence[Any], count: int, default: Any) -> list[Any]:
    """Returns `count` values: cut, or the last one repeated."""
    filled = list(values[:count])
    if len(filled) < count:
        filled += [filled[-1] if filled else default] * (count - len(filled))
    return filled


def decode_tensor(proto: "TensorProto") -> Array:
    """Returns the array that a TensorProto holds.

    Args:
        proto: A tensor from a request; string elements become `bytes`.

    Raises:
        ValueError: If C++ TensorFlow could not read it either.
    """
    import tensorflow as tf

    shape = _shape(proto)
    try:
        dtype = tf.as_dtype(proto.dtype)
        is_string = dtype == tf.string
        itemsize = 8 if is_string else dtype.size
    except TypeError as error:
        raise ValueError(str(error)) from error
    # Python's integers: a product of dimensions must not wrap around.
    count = 1
    for size in shape:
        count *= size
    if count * itemsize > MAX_TENSOR_BYTES:
        raise ValueError("larger than this server reads")
    if not proto.tensor_content:
        given = max(len(getattr(proto, field)) for field in _VALUE_FIELDS)
        if (count - given) * itemsize > MAX_REPEATED_BYTES:
            raise ValueError("a large shape and little to fill it with")
    if is_string:
        if proto.tensor_content:
            raise ValueError("strings have no tensor_content")
        array = np.empty(count, dtype=object)
        array[:] = _filled(proto.string_val, count, b"")
        return array.reshape(shape)
    if not proto.tensor_content:
        for field in _VALUE_FIELDS:
            values = getattr(proto, field)
            per_element = 2 if "complex" in field else 1
            if len(values) > count * per_element:
                cut = type(proto)()
                cut.CopyFrom(proto)
                del getattr(cut, field)[count * per_element :]
                proto = cut
    try:
        decoded: Array = tf.make_ndarray(proto)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return decoded


def _value_field(dtype: "np.dtype[Any]") -> str | None:
    """Returns the TensorProto field of a number type, or `None`."""
    name = dtype.name
    if name in ("int8", "int16", "int32", "uint8", "uint16"):
        return "int_val"
    if name in ("float16", "bfloat16"):
        return "half_val"
    return {
        "float32": "float_val",
        "float64": "double_val",
        "int64": "int64_val",
        "uint32": "uint32_val",
        "uint64": "uint64_val",
        "bool": "bool_val",
        "complex64": "scomplex_val",
        "complex128": "dcomplex_val",
    }.get(name)


def encode_tensor(array: Array) -> "TensorProto":
    """Returns a TensorProto with typed fields: `float_val`, `string_val`.

    Args:
        array: What the model returned; `dtype=object` holds `bytes`.
    """
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    if array.dtype == object:
        proto = TensorProto(dtype=tf.string.as_datatype_enum)
        proto.string_val.extend(array.ravel().tolist())
    else:
        field = _value_field(array.dtype)
        if field is None:
            packed: TensorProto = tf.make_tensor_proto(array)
            return packed
        flat = np.ascontiguousarray(array).ravel()
        if field == "half_val":
            flat = flat.view(np.uint16)
        elif field == "scomplex_val":
            flat = flat.view(np.float32)
        elif field == "dcomplex_val":
            flat = flat.view(np.float64)
        proto = TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
        getattr(proto, field).extend(flat.tolist())
    # An empty TensorShapeProto is a scalar's.
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto
