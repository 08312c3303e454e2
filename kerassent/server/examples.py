"""Classify, Regress and MultiInference: requests of serialized tf.Examples.

Reference:
    tensorflow_serving/servables/tensorflow/{classifier,regressor,
    multi_inference,util}.cc
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kerassent.contract import (
    CLASSES,
    CLASSIFY_METHOD,
    INPUTS,
    PREDICT_SIGNATURE,
    SCORES,
)
from kerassent.server.predict import Runnable
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array, shape_text

if TYPE_CHECKING:
    from tensorflow_serving.apis.classification_pb2 import ClassificationResult
    from tensorflow_serving.apis.inference_pb2 import (
        MultiInferenceRequest,
        MultiInferenceResponse,
    )
    from tensorflow_serving.apis.input_pb2 import Input
    from tensorflow_serving.apis.regression_pb2 import RegressionResult

REGRESS_METHOD: Final = "tensorflow/serving/regress"
OUTPUTS: Final = "outputs"


def _serialized(examples: "Input") -> Array:
    kind = examples.WhichOneof("kind")
    serialized: list[bytes] = []
    if kind == "example_list":
        serialized = [
            example.SerializeToString()
            for example in examples.example_list.examples
        ]
    elif kind == "example_list_with_context":
        # Two serialized messages, one after the other, are their merger.
        both = examples.example_list_with_context
        context = both.context.SerializeToString()
        serialized = [
            context + example.SerializeToString() for example in both.examples
        ]
    if not serialized:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(serialized), dtype=object)
    array[:] = serialized
    return array


def _find_signature(model: Runnable, name: str) -> Any:
    name = name or PREDICT_SIGNATURE
    signature = model.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    return signature


def _one_input(signature: Any, kind: str) -> str:
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if INPUTS not in signature.inputs:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"No {kind} inputs found in SignatureDef: {signature}",
        )
    name: str = signature.inputs[INPUTS].name
    return name


def _classify_tensors(signature: Any) -> tuple[str, dict[str, str]]:
    """Returns the input's name, and the outputs' by alias."""
    # The order of checks is TensorFlow Serving's.
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    count = len(signature.outputs)
    if count not in (1, 2):
        raise invalid_argument(
            f"Expected one or two output Tensors, found {count}"
        )
    input_name = _one_input(signature, "classification")
    outputs = {
        alias: signature.outputs[alias].name
        for alias in (CLASSES, SCORES)
        if alias in signature.outputs
    }
    if not outputs:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            "Expected classification signature outputs to contain at least "
            f'one of "{CLASSES}" or "{SCORES}". Signature was: {signature}',
        )
    return input_name, outputs


def _regress_tensors(signature: Any) -> tuple[str, dict[str, str]]:
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    input_name = _one_input(signature, "regression")
    if OUTPUTS not in signature.outputs:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"No regression outputs found in SignatureDef: {signature}",
        )
    return input_name, {OUTPUTS: signature.outputs[OUTPUTS].name}


def _dtype_name(array: Array) -> str:
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    name: str = types_pb2.DataType.Name(dtype.as_datatype_enum)
    return name


def _check_classes(alias: str, array: Array, dtype: str, rows: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{shape_text(array.shape)}"
        )
    if _dtype_name(array) != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {dtype}. Got: {_dtype_name(array)}"
        )
    if len(array) != rows:
        raise invalid_argument(
            f"Expected {alias} output batch size of {rows}. Got: {len(array)}"
        )


def _classification_result(
    arrays: Mapping[str, Array], rows: int
) -> "ClassificationResult":
    from tensorflow_serving.apis.classification_pb2 import ClassificationResult

    classes, scores = arrays.get(CLASSES), arrays.get(SCORES)
    if classes is not None:
        _check_classes(CLASSES, classes, "DT_STRING", rows)
    if scores is not None:
        _check_classes(SCORES, scores, "DT_FLOAT", rows)
    if (
        classes is not None
        and scores is not None
        and classes.shape[1] != scores.shape[1]
    ):
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = ClassificationResult()
    width = next(iter(arrays.values())).shape[1]
    for row in range(rows):
        classifications = result.classifications.add()
        for column in range(width):
            item = classifications.classes.add()
            if classes is not None:
                # The field is a string: bytes that are no UTF-8 cannot be in.
                item.label = classes[row, column].decode("utf-8", "replace")
            if scores is not None:
                item.score = scores[row, column]
    return result


def _regression_result(array: Array, rows: int) -> "RegressionResult":
    from tensorflow_serving.apis.regression_pb2 import RegressionResult

    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or "
            f"[batch_size, 1] but got {shape_text(array.shape)}"
        )
    if len(array) != rows:
        raise invalid_argument(
            "Input batch size did not match output batch size: "
            f"{rows} vs. {len(array)}"
        )
    if _dtype_name(array) != "DT_FLOAT":
        raise invalid_argument(
            f"Expected output Tensor of DT_FLOAT.  Got: {_dtype_name(array)}"
        )
    result = RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _run(
    model: Runnable,
    api: str,
    tensors: tuple[str, Mapping[str, str]],
    examples: "Input",
    timeout_ms: int | None,
) -> tuple[dict[str, Array], int]:
    input_name, outputs = tensors
    feed = _serialized(examples)
    values = model.run(
        {input_name: feed},
        list(outputs.values()),
        timeout_ms=timeout_ms,
        api=api,
    )
    return dict(zip(outputs, values, strict=True)), len(feed)


def classify(
    model: Runnable,
    signature_name: str,
    examples: "Input",
    *,
    timeout_ms: int | None = None,
) -> "ClassificationResult":
    """Returns classes and scores for each example.

    Args:
        model: The version to run.
        signature_name: Empty means `serving_default`.
        examples: tf.Examples, perhaps with a context.
        timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    tensors = _classify_tensors(_find_signature(model, signature_name))
    arrays, rows = _run(model, "Classify", tensors, examples, timeout_ms)
    return _classification_result(arrays, rows)


def regress(
    model: Runnable,
    signature_name: str,
    examples: "Input",
    *,
    timeout_ms: int | None = None,
) -> "RegressionResult":
    """Returns a number for each example.

    Args:
        model: The version to run.
        signature_name: Empty means `serving_default`.
        examples: tf.Examples, perhaps with a context.
        timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    tensors = _regress_tensors(_find_signature(model, signature_name))
    arrays, rows = _run(model, "Regress", tensors, examples, timeout_ms)
    return _regression_result(arrays[OUTPUTS], rows)


def _check_tasks(tasks: Sequence[Any]) -> None:
    name = ""
    seen: set[str] = set()
    for task in tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        name = name or task.model_spec.name
        if task.model_spec.name != name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the "
                "same model name."
            )
        signature_name = task.model_spec.signature_name or PREDICT_SIGNATURE
        if signature_name in seen:
            raise invalid_argument(
                f"Duplicate evaluation of signature: {signature_name}"
            )
        seen.add(signature_name)


def multi_inference(
    model: Runnable,
    request: "MultiInferenceRequest",
    *,
    timeout_ms: int | None = None,
) -> "MultiInferenceResponse":
    """Returns several signatures' answers to the same examples, of one run.

    Args:
        model: The version to run.
        request: Tasks and examples.
        timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceResponse

    _check_tasks(request.tasks)
    input_name = ""
    wanted: list[dict[str, str]] = []
    for task in request.tasks:
        name = task.model_spec.signature_name or PREDICT_SIGNATURE
        signature = model.signatures.get(name)
        if signature is None:
            raise invalid_argument(
                f"Requested signature not found in model graph: {name}"
            )
        if task.method_name == CLASSIFY_METHOD:
            tensors = _classify_tensors(signature)
        elif task.method_name == REGRESS_METHOD:
            tensors = _regress_tensors(signature)
        else:
            raise StatusError(
                Code.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )
        input_name = input_name or tensors[0]
        if tensors[0] != input_name:
            raise invalid_argument(
                "Input tensor must be the same for all Signatures."
            )
        wanted.append(tensors[1])
    names = sorted({name for outputs in wanted for name in outputs.values()})
    values, rows = _run(
        model,
        "MultiInference",
        (input_name, dict(zip(names, names, strict=True))),
        request.input,
        timeout_ms,
    )
    response = MultiInferenceResponse()
    for task, outputs in zip(request.tasks, wanted, strict=True):
        arrays = {alias: values[name] for alias, name in outputs.items()}
        result = response.results.add()
        result.model_spec.name = task.model_spec.name
        result.model_spec.signature_name = (
            task.model_spec.signature_name or PREDICT_SIGNATURE
        )
        result.model_spec.version.value = model.version
        if task.method_name == CLASSIFY_METHOD:
            result.classification_result.CopyFrom(
                _classification_result(arrays, rows)
            )
        else:
            result.regression_result.CopyFrom(
                _regression_result(arrays[OUTPUTS], rows)
            )
    return response
