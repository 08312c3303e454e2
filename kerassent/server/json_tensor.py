"""The REST predict request: a JSON object into arrays by input alias.

Rows (`instances`) and columns (`inputs`), checked in TensorFlow Serving's
order and refused in its words.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from kerassent.server.json_element import dtype_name, is_base64, read_element
from kerassent.server.rapid_json import echo
from kerassent.server.status import StatusError, invalid_argument
from kerassent.server.tensors import MAX_RANK, Array, shape_text

INSTANCES: Final = "instances"
INPUTS: Final = "inputs"
SIGNATURE_NAME: Final = "signature_name"


class _Column:
    """One input, as it grows row by row.

    Args:
        alias: The input's name in the signature.
        dtype: Its TensorFlow data type.
    """

    def __init__(self, alias: str, dtype: int) -> None:
        self.alias = alias
        self.values: list[Any] = []
        self.shape: tuple[int, ...] = ()
        self._dtype = dtype
        self._dtype_name = dtype_name(dtype)

    def add(self, value: Any) -> int:
        """Appends a dense value of any rank; returns its element count."""
        shape = []
        first = value
        while isinstance(first, list):
            shape.append(len(first))
            if not first:
                break
            first = first[0]
        if len(shape) > MAX_RANK:
            raise invalid_argument(f"tensor parsing error: {self.alias}")
        before = len(self.values)
        self.shape = tuple(shape)
        self._fill(value, 0)
        return len(self.values) - before

    def _fill(self, value: Any, level: int) -> None:
        rank = len(self.shape)
        if not isinstance(value, list):
            if level != rank:
                raise invalid_argument(
                    f"JSON Value: {echo(value)} found at incorrect level: "
                    f"{level + 1} in the JSON DOM. Expected at level: {rank}"
                )
            self.values.append(read_element(value, self._dtype_name))
            return
        if level >= rank:
            raise invalid_argument(
                f"Encountered list at unexpected level: {level} expected < "
                f"{rank}"
            )
        if len(value) != self.shape[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: "
                f"{level} expected size: {self.shape[level]}"
            )
        for item in value:
            self._fill(item, level + 1)

    def to_array(self, shape: tuple[int, ...]) -> Array:
        """Returns all that was added, in the given shape."""
        import tensorflow as tf

        if self._dtype_name == "string":
            array = np.empty(len(self.values), dtype=object)
            array[:] = self.values
            return array.reshape(shape)
        dtype = tf.as_dtype(self._dtype).as_numpy_dtype
        # Read wide, then cast: C++ lets small integers wrap around and floats
        # become infinite, where numpy refuses them as it reads.
        wide = {"int8": "i8", "int16": "i8", "uint8": "i8", "float": "f8"}
        flat: Array = np.array(
            self.values, dtype=wide.get(self._dtype_name, dtype)
        )
        with np.errstate(over="ignore"):
            return flat.astype(dtype).reshape(shape)


def _is_row_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _read_rows(
    instances: list[Any], inputs: Mapping[str, Any]
) -> dict[str, Array]:
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map"
        )
    are_objects = _is_row_object(instances[0])
    columns = {
        alias: _Column(alias, inputs[alias].dtype) for alias in sorted(inputs)
    }
    first: dict[str, tuple[int, tuple[int, ...]]] = {}

    def add(alias: str, value: Any) -> None:
        if alias not in columns:
            raise invalid_argument(
                f"JSON object: does not have named input: {alias}"
            )
        column = columns[alias]
        size = column.add(value)
        first_size, first_shape = first.setdefault(alias, (size, column.shape))
        if size != first_size:
            raise invalid_argument(
                f"Expecting tensor size: {first_size} but got: {size}"
            )
        if column.shape != first_shape:
            raise invalid_argument(
                f"Expecting shape {shape_text(first_shape)} but got: "
                f"{shape_text(column.shape)}"
            )

    only = next(iter(columns))
    for index, row in enumerate(instances):
        if _is_row_object(row) != are_objects:
            raise invalid_argument(
                f"Expecting object but got list at item {index} of input list"
                if are_objects
                else f"Expecting value/list but got object at item {index} of "
                "input list"
            )
        where = f"Failed to process element: {index}"
        for alias, value in row.items() if are_objects else [(only, row)]:
            try:
                add(alias, value)
            except StatusError as error:
                key = f" key: {_raw(alias)}" if are_objects else ""
                raise invalid_argument(
                    f"{where}{key} of 'instances' list. Error: {error}"
                ) from error
        if are_objects and row.keys() != columns.keys():
            raise invalid_argument(
                f"{where} of 'instances' list. JSON object: {echo(row)} keys "
                f"must be equal to: {','.join(columns)}"
            )
    return {
        alias: column.to_array((len(instances), *first[alias][1]))
        for alias, column in columns.items()
    }


def _raw(text: str) -> str:
    """Returns a key as C++ prints it: up to its first NUL."""
    return text.split("\0", 1)[0]


def _read_columns(value: Any, inputs: Mapping[str, Any]) -> dict[str, Array]:
    if _is_row_object(value):
        values = {}
        for alias in sorted(inputs):
            if alias not in value:
                raise invalid_argument(
                    f"Missing named input: {alias} in 'inputs' object."
                )
            values[alias] = value[alias]
    elif len(inputs) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as "
            "multiple input tensors required as per tensorinfo_map"
        )
    else:
        values = {next(iter(inputs)): value}
    arrays = {}
    for alias, item in values.items():
        column = _Column(alias, inputs[alias].dtype)
        column.add(item)
        arrays[alias] = column.to_array(column.shape)
    return arrays


def get_signature_name(request: dict[str, Any]) -> str:
    """Returns the request's signature name, empty if it has none.

    Args:
        request: The parsed body.

    Raises:
        StatusError: If it is not a string.
    """
    name = request.get(SIGNATURE_NAME, "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {echo(request)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def read_tensors(
    request: dict[str, Any], inputs: Mapping[str, Any], signature_name: str
) -> tuple[dict[str, Array], bool]:
    """Returns the arrays of a request, and whether it came in rows.

    Args:
        request: The parsed body.
        inputs: The signature's TensorInfos by alias.
        signature_name: As the request has it, for the message.

    Raises:
        StatusError: In TensorFlow Serving's words.
    """
    if not inputs:
        raise invalid_argument(
            "Failed to get input map for signature: "
            f"{signature_name or 'DEFAULT'}"
        )
    if INSTANCES in request:
        if INPUTS in request:
            raise invalid_argument(
                f"JSON Value: {echo(request)} Not formatted correctly "
                "expecting only one of 'inputs' or 'instances' keys to exist "
            )
        instances = request[INSTANCES]
        if not isinstance(instances, list):
            raise invalid_argument(
                f"JSON Value: {echo(request)} Expecting 'instances' to be an "
                "list/array"
            )
        if not instances:
            raise invalid_argument(
                f"JSON Value: {echo(request)} No values in 'instances' array"
            )
        return _read_rows(instances, inputs), True
    if INPUTS in request:
        return _read_columns(request[INPUTS], inputs), False
    raise invalid_argument("Missing 'inputs' or 'instances' key")
