"""One JSON value as one element of a tensor."""

import base64
import binascii
import re
from typing import Any, Final

from kerassent.server.rapid_json import echo
from kerassent.server.status import Code, StatusError, invalid_argument

BASE64: Final = "b64"

_BASE64_SPACE: Final = re.compile(r"[ \t\n\v\f\r]+")
_INTEGERS: Final = {
    "int8": (-(2**31), 2**31 - 1),
    "int16": (-(2**31), 2**31 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint8": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


def dtype_name(dtype: int) -> str:
    """Returns `"float"` for DT_FLOAT, as C++ TensorFlow prints it.

    Args:
        dtype: A TensorFlow data type's number.
    """
    from tensorflow.core.framework import types_pb2

    name: str = types_pb2.DataType.Name(dtype)
    return name.removeprefix("DT_").lower()


def json_type(value: Any) -> str:
    """Returns what rapidjson calls a value's type.

    Args:
        value: Any JSON value.
    """
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return "String"
    if isinstance(value, dict):
        return "Object"
    return "Array" if isinstance(value, list) else "Number"


def is_base64(value: Any) -> bool:
    """Tells whether a JSON value is `{"b64": "..."}`.

    Args:
        value: Any JSON value.
    """
    return (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(value.get(BASE64), str)
    )


def decode_base64(value: dict[str, Any]) -> bytes:
    """Returns the bytes of `{"b64": "..."}`.

    Args:
        value: A JSON object.

    Raises:
        StatusError: If it is another object, or no base64.
    """
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {echo(value)} not formatted correctly for base64 data"
        )
    text = _BASE64_SPACE.sub("", value[BASE64])
    digits = text.rstrip("=")
    padding = len(text) - len(digits)
    try:
        if padding and len(text) % 4:
            raise ValueError("wrong padding")
        return base64.b64decode(
            digits + "=" * (-len(digits) % 4), validate=True
        )
    except (ValueError, binascii.Error) as error:
        raise invalid_argument("Unable to base64 decode") from error


def read_element(value: Any, dtype_name: str) -> Any:
    """Returns one element of a tensor.

    Args:
        value: A JSON value that is no list.
        dtype_name: The tensor's type, as `dtype_name` names it.

    Raises:
        StatusError: If the value is not of that type.
    """
    if dtype_name == "string":
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return decode_base64(value)
    elif isinstance(value, dict):
        pass
    elif dtype_name in ("float", "double"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif dtype_name in _INTEGERS:
        low, high = _INTEGERS[dtype_name]
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and low <= value <= high
        ):
            return value
    elif dtype_name == "bool":
        if isinstance(value, bool):
            return value
    else:
        raise StatusError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {echo(value)} to type: {dtype_name}",
        )
    raise invalid_argument(
        f"JSON Value: {echo(value)} Type: {json_type(value)} is not of "
        f"expected type: {dtype_name}"
    )
