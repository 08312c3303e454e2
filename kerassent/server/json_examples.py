"""REST classify and regress: JSON into tf.Examples, results into JSON.

Reference:
    tensorflow_serving/util/json_tensor.cc
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kerassent.server.decimals import write_decimals
from kerassent.server.json_element import decode_base64, is_base64, json_type
from kerassent.server.json_response import write_string
from kerassent.server.rapid_json import echo
from kerassent.server.status import invalid_argument

if TYPE_CHECKING:
    from tensorflow.core.example.example_pb2 import Example
    from tensorflow.core.example.feature_pb2 import Feature
    from tensorflow_serving.apis.classification_pb2 import ClassificationResult
    from tensorflow_serving.apis.input_pb2 import Input
    from tensorflow_serving.apis.regression_pb2 import RegressionResult

CONTEXT: Final = "context"
EXAMPLES: Final = "examples"

_KINDS: Final = {
    "bytes_list": "bytes",
    "float_list": "float",
    "int64_list": "int64",
}
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)


def _feature_value(name: str, value: Any) -> tuple[str, Any]:
    """Returns the list that a JSON value belongs into, and what goes in."""
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogateescape")
    if is_base64(value):
        return "bytes_list", decode_base64(value)
    if isinstance(value, int) and value in _INT64:
        return "int64_list", value
    if isinstance(value, int) and value in _UINT64:
        raise invalid_argument(
            f"Feature: {name} has uint64 element. Only int64 is supported."
        )
    if isinstance(value, int | float):
        with np.errstate(over="ignore"):
            return "float_list", float(np.float32(value))
    raise invalid_argument(
        f"Feature: {name} has element with unexpected JSON type: "
        f"{json_type(value)}"
    )


def _fill_feature(feature: "Feature", name: str, content: Any) -> None:
    kind = None
    for value in content if isinstance(content, list) else [content]:
        own, element = _feature_value(name, value)
        kind = kind or own
        if own != kind:
            raise invalid_argument(
                f"Unexpected element type in feature: {name} expecting type: "
                f"{_KINDS[kind]}"
            )
        getattr(feature, kind).value.append(element)


def _fill_example(example: "Example", value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(
            f"Example must be JSON object but got JSON {json_type(value)}"
        )
    features = example.features.feature
    for name, content in value.items():
        # A proto's string must be UTF-8.
        key = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        _fill_feature(features[key], key, content)


def read_examples(request: dict[str, Any]) -> "Input":
    """Returns the tf.Examples of a classify or regress request.

    Args:
        request: The parsed body.

    Raises:
        StatusError: In TensorFlow Serving's words.
    """
    from tensorflow_serving.apis.input_pb2 import Input

    message = Input()
    target = message.example_list
    if CONTEXT in request:
        target = message.example_list_with_context
        _fill_example(target.context, request[CONTEXT])
    if EXAMPLES not in request:
        raise invalid_argument(
            f"JSON Value: {echo(request)} When method is classify, key "
            f"'{EXAMPLES}' is expected and was not found"
        )
    examples = request[EXAMPLES]
    if not isinstance(examples, list):
        raise invalid_argument(
            f"JSON Value: {echo(request)} Expecting '{EXAMPLES}' value to be "
            "an list/array"
        )
    if not examples:
        raise invalid_argument(
            f"JSON Value: {echo(request)} '{EXAMPLES}' value is an empty array"
        )
    for example in examples:
        _fill_example(target.examples.add(), example)
    return message


def _decimals(values: list[float]) -> list[bytes]:
    return write_decimals(np.array(values, np.float32))


def write_classifications(result: "ClassificationResult") -> bytes:
    """Returns `{"results": [[[label, score], ...], ...]}`.

    Args:
        result: Classes and scores of each example.
    """
    rows = []
    for classifications in result.classifications:
        classes = classifications.classes
        scores = _decimals([item.score for item in classes])
        rows.append(
            b"[%b]"
            % b", ".join(
                b"[%b, %b]" % (write_string(item.label.encode()), score)
                for item, score in zip(classes, scores, strict=True)
            )
        )
    return _results(rows)


def write_regressions(result: "RegressionResult") -> bytes:
    """Returns `{"results": [value, ...]}`.

    Args:
        result: A number for each example.
    """
    return _results(_decimals([item.value for item in result.regressions]))


def _results(items: list[bytes]) -> bytes:
    return b'{\n    "results": [%b\n    ]\n}' % b", ".join(items)
