"""Classify: classes and scores of each tf.Example.

Reference:
    tensorflow_serving/servables/tensorflow/classifier.cc
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kerassent.contract import CLASSES, CLASSIFY_METHOD, SCORES
from kerassent.server.inference_method import (
    InferenceMethod,
    array_dtype_name,
    check_one_input,
    find_input,
)
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array, shape_text

if TYPE_CHECKING:
    from tensorflow_serving.apis.classification_pb2 import ClassificationResult
    from tensorflow_serving.apis.inference_pb2 import InferenceResult


def _check(alias: str, array: Array, dtype: str, rows: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{shape_text(array.shape)}"
        )
    if array_dtype_name(array) != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {dtype}. Got: "
            f"{array_dtype_name(array)}"
        )
    if len(array) != rows:
        raise invalid_argument(
            f"Expected {alias} output batch size of {rows}. Got: {len(array)}"
        )


class _Classify(InferenceMethod["ClassificationResult"]):
    api = "Classify"
    method_name = CLASSIFY_METHOD

    def tensors(self, signature: Any) -> tuple[str, dict[str, str]]:
        # The order of checks is TensorFlow Serving's.
        check_one_input(signature)
        count = len(signature.outputs)
        if count not in (1, 2):
            raise invalid_argument(
                f"Expected one or two output Tensors, found {count}"
            )
        input_name = find_input(signature, "classification")
        outputs = {
            alias: signature.outputs[alias].name
            for alias in (CLASSES, SCORES)
            if alias in signature.outputs
        }
        if not outputs:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                "Expected classification signature outputs to contain at "
                f'least one of "{CLASSES}" or "{SCORES}". Signature was: '
                f"{signature}",
            )
        return input_name, outputs

    def result(
        self, arrays: Mapping[str, Array], rows: int
    ) -> "ClassificationResult":
        from tensorflow_serving.apis.classification_pb2 import (
            ClassificationResult,
        )

        classes, scores = arrays.get(CLASSES), arrays.get(SCORES)
        if classes is not None:
            _check(CLASSES, classes, "DT_STRING", rows)
        if scores is not None:
            _check(SCORES, scores, "DT_FLOAT", rows)
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
                    # The field is a string: bytes that are no UTF-8 cannot be
                    # in.
                    item.label = classes[row, column].decode("utf-8", "replace")
                if scores is not None:
                    item.score = scores[row, column]
        return result

    def add_result(
        self, target: "InferenceResult", result: "ClassificationResult"
    ) -> None:
        target.classification_result.CopyFrom(result)


CLASSIFY: Final = _Classify()
