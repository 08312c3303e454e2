"""The REST predict response: arrays by output alias into JSON bytes.

The layout is rapidjson's PrettyWriter's. Strings go out as the bytes they
are, UTF-8 or not, as TensorFlow Serving sends them.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from kerassent.server.decimals import write_decimals
from kerassent.server.status import invalid_argument
from kerassent.server.tensors import Array

BYTES_SUFFIX: Final = "_bytes"
_INDENT: Final = b"    "
_TO_ESCAPE: Final = re.compile(rb'["\\\x00-\x1f]')
_ESCAPED: Final = {
    **{bytes([code]): b"\\u%04X" % code for code in range(0x20)},
    b'"': b'\\"',
    b"\\": b"\\\\",
    b"\b": b"\\b",
    b"\f": b"\\f",
    b"\n": b"\\n",
    b"\r": b"\\r",
    b"\t": b"\\t",
}


def write_string(value: bytes) -> bytes:
    """Returns a JSON string; bytes that are not ASCII stay as they are.

    Args:
        value: The string's bytes.
    """
    return b'"%b"' % _TO_ESCAPE.sub(lambda match: _ESCAPED[match[0]], value)


def write_error(message: str) -> bytes:
    """Returns the body of an error: `{"error": message}`.

    Args:
        message: What went wrong.
    """
    text = write_string(message.encode("utf-8", "surrogateescape"))
    return b'{\n    "error": %b\n}' % text


def _write_values(alias: str, array: Array) -> list[bytes]:
    """Returns all elements as JSON, in order."""
    flat = array.ravel()
    name = array.dtype.name
    if array.dtype == object:
        if alias.endswith(BYTES_SUFFIX):
            return [
                b'{"b64": "%b"}' % base64.b64encode(value)
                for value in flat.tolist()
            ]
        return [write_string(value) for value in flat.tolist()]
    if name in ("float32", "float64"):
        return write_decimals(flat)
    if name == "bool":
        return [b"true" if value else b"false" for value in flat.tolist()]
    if name in (
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint32",
        "uint64",
    ):
        return [b"%d" % value for value in flat.tolist()]
    shown = {"float16": "half"}.get(name, name)
    raise invalid_argument(
        f"Failed to write JSON value for tensor type: {shown}"
    )


def _nest_inline(values: list[bytes], shape: tuple[int, ...]) -> list[bytes]:
    """Returns the items of the first axis, each on one line."""
    for axis in range(len(shape) - 1, 0, -1):
        size = shape[axis]
        count = int(np.prod(shape[:axis], dtype=np.int64))
        values = [
            b"[%b]" % b", ".join(values[i * size : (i + 1) * size])
            for i in range(count)
        ]
    return values


def _nest_indented(
    values: list[bytes], shape: tuple[int, ...], level: int
) -> bytes:
    """Returns a whole array, each value on a line of its own."""
    if not shape:
        return values[0]
    for axis in range(len(shape) - 1, -1, -1):
        size = shape[axis]
        count = int(np.prod(shape[:axis], dtype=np.int64))
        inner = b"\n" + _INDENT * (level + axis + 1)
        end = b"\n" + _INDENT * (level + axis) + b"]"
        separator = b"," + inner
        values = [
            b"["
            + inner
            + separator.join(values[i * size : (i + 1) * size])
            + end
            if size
            else b"[]"
            for i in range(count)
        ]
    return values[0]


def write_rows(outputs: Mapping[str, Array]) -> bytes:
    """Returns `{"predictions": [...]}`.

    Args:
        outputs: What the model returned, by alias.

    Raises:
        StatusError: If an output has no batch axis, or another batch size.
    """
    batch_size = -1
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(
                f"Tensor name: {alias} has no shape information "
            )
        if batch_size not in (-1, array.shape[0]):
            raise invalid_argument(
                f"Tensor name: {alias} has inconsistent batch size: "
                f"{array.shape[0]} expecting: {batch_size}"
            )
        batch_size = array.shape[0]
    columns = {
        alias: _nest_inline(_write_values(alias, array), array.shape)
        for alias, array in outputs.items()
    }
    if len(columns) == 1:
        (items,) = columns.values()
        body = b", ".join(items)
    else:
        keys = [
            b"            %b: " % write_string(alias.encode())
            for alias in columns
        ]
        body = b",".join(
            b"\n        {\n%b\n        }"
            % b",\n".join(
                key + value for key, value in zip(keys, row, strict=True)
            )
            for row in zip(*columns.values(), strict=True)
        )
    end = b"\n    ]" if batch_size else b"]"
    return b'{\n    "predictions": [%b%b\n}' % (body, end)


def write_columns(outputs: Mapping[str, Array]) -> bytes:
    """Returns `{"outputs": ...}`.

    Args:
        outputs: What the model returned, by alias.

    Raises:
        StatusError: If an output's type has no JSON.
    """
    level = 1 if len(outputs) == 1 else 2
    written: dict[str, Any] = {
        alias: _nest_indented(_write_values(alias, array), array.shape, level)
        for alias, array in outputs.items()
    }
    if len(written) == 1:
        (body,) = written.values()
    else:
        members = b",\n".join(
            b"        %b: %b" % (write_string(alias.encode()), value)
            for alias, value in written.items()
        )
        body = b"{\n%b\n    }" % members
    return b'{\n    "outputs": %b\n}' % body
