"""Classify, Regress and MultiInference: requests of serialized tf.Examples.

Reference:
    tensorflow_serving/servables/tensorflow/{multi_inference,util}.cc
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.classification import CLASSIFY
from kerassent.server.inference_method import InferenceMethod, Result
from kerassent.server.predict import Runnable
from kerassent.server.regression import REGRESS
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array

if TYPE_CHECKING:
    from tensorflow_serving.apis.inference_pb2 import (
        MultiInferenceRequest,
        MultiInferenceResponse,
    )
    from tensorflow_serving.apis.input_pb2 import Input

_METHODS: Final[Mapping[str, InferenceMethod[Any]]] = {
    method.method_name: method for method in (CLASSIFY, REGRESS)
}


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


def infer(
    model: Runnable,
    method: InferenceMethod[Result],
    signature_name: str,
    examples: "Input",
    *,
    timeout_ms: int | None = None,
) -> Result:
    """Returns what a signature says of each example.

    Args:
        model: The version to run.
        method: `CLASSIFY` or `REGRESS`.
        signature_name: Empty means `serving_default`.
        examples: tf.Examples, perhaps with a context.
        timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    name = signature_name or PREDICT_SIGNATURE
    signature = model.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    input_name, outputs = method.tensors(signature)
    feed = _serialized(examples)
    values = model.run(
        {input_name: feed},
        list(outputs.values()),
        timeout_ms=timeout_ms,
        api=method.api,
    )
    return method.result(dict(zip(outputs, values, strict=True)), len(feed))


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


def _task_tensors(
    model: Runnable, task: Any
) -> tuple[InferenceMethod[Any], str, dict[str, str]]:
    """Returns how a task is done, its input, and its outputs by alias."""
    name = task.model_spec.signature_name or PREDICT_SIGNATURE
    signature = model.signatures.get(name)
    if signature is None:
        raise invalid_argument(
            f"Requested signature not found in model graph: {name}"
        )
    method = _METHODS.get(task.method_name)
    if method is None:
        raise StatusError(
            Code.UNIMPLEMENTED,
            f"Unsupported signature method_name: {task.method_name}",
        )
    return method, *method.tensors(signature)


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
    wanted: list[tuple[InferenceMethod[Any], dict[str, str]]] = []
    for task in request.tasks:
        method, own_input, outputs = _task_tensors(model, task)
        input_name = input_name or own_input
        if own_input != input_name:
            raise invalid_argument(
                "Input tensor must be the same for all Signatures."
            )
        wanted.append((method, outputs))
    names = sorted({n for _, outputs in wanted for n in outputs.values()})
    feed = _serialized(request.input)
    values = dict(
        zip(
            names,
            model.run(
                {input_name: feed},
                names,
                timeout_ms=timeout_ms,
                api="MultiInference",
            ),
            strict=True,
        )
    )
    response = MultiInferenceResponse()
    for task, (method, outputs) in zip(request.tasks, wanted, strict=True):
        arrays = {alias: values[name] for alias, name in outputs.items()}
        added = response.results.add()
        added.model_spec.name = task.model_spec.name
        added.model_spec.signature_name = (
            task.model_spec.signature_name or PREDICT_SIGNATURE
        )
        added.model_spec.version.value = model.version
        method.add_result(added, method.result(arrays, len(feed)))
    return response
