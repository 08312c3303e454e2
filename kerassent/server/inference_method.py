"""What Classify and Regress have in common: a signature of tf.Examples."""

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kerassent.contract import INPUTS
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array

if TYPE_CHECKING:
    from tensorflow_serving.apis.inference_pb2 import InferenceResult

Result = TypeVar("Result")


class InferenceMethod(abc.ABC, Generic[Result]):
    """A way to answer tf.Examples: what it wants, and what it gives.

    Attributes:
        api: What the metrics call it: Classify or Regress.
        method_name: What a signature's `method_name` and a task's say.
    """

    api: str
    method_name: str

    @abc.abstractmethod
    def tensors(self, signature: Any) -> tuple[str, dict[str, str]]:
        """Returns the input's tensor name, and the outputs' by alias.

        Args:
            signature: A `SignatureDef`.

        Raises:
            StatusError: If the signature is of another kind.
        """

    @abc.abstractmethod
    def result(self, arrays: Mapping[str, Array], rows: int) -> Result:
        """Returns the answer's message.

        Args:
            arrays: The outputs by alias.
            rows: How many examples were asked about.

        Raises:
            StatusError: If the outputs are not what the method gives.
        """

    @abc.abstractmethod
    def add_result(self, target: "InferenceResult", result: Result) -> None:
        """Puts an answer into one of MultiInference.

        Args:
            target: What it is put into.
            result: The answer.
        """


def check_one_input(signature: Any) -> None:
    """Raises unless a signature has one input.

    Args:
        signature: A `SignatureDef`.

    Raises:
        StatusError: In TensorFlow Serving's words.
    """
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")


def find_input(signature: Any, kind: str) -> str:
    """Returns the name of the tensor that takes the examples.

    Args:
        signature: A `SignatureDef` with one input.
        kind: What the message calls it.

    Raises:
        StatusError: If the input has another alias.
    """
    if INPUTS not in signature.inputs:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"No {kind} inputs found in SignatureDef: {signature}",
        )
    name: str = signature.inputs[INPUTS].name
    return name


def array_dtype_name(array: Array) -> str:
    """Returns `"DT_FLOAT"` for a float32 array.

    Args:
        array: What the model returned.
    """
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    name: str = types_pb2.DataType.Name(dtype.as_datatype_enum)
    return name
