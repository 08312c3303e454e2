"""Regress: a number for each tf.Example.

Reference:
    tensorflow_serving/servables/tensorflow/regressor.cc
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kerassent.server.inference_method import (
    InferenceMethod,
    array_dtype_name,
    check_one_input,
    find_input,
)
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array, shape_text

if TYPE_CHECKING:
    from tensorflow_serving.apis.inference_pb2 import InferenceResult
    from tensorflow_serving.apis.regression_pb2 import RegressionResult

OUTPUTS: Final = "outputs"


class _Regress(InferenceMethod["RegressionResult"]):
    api = "Regress"
    method_name = "tensorflow/serving/regress"

    def tensors(self, signature: Any) -> tuple[str, dict[str, str]]:
        # The order of checks is TensorFlow Serving's.
        check_one_input(signature)
        if len(signature.outputs) != 1:
            raise invalid_argument("Expected one output Tensor.")
        input_name = find_input(signature, "regression")
        if OUTPUTS not in signature.outputs:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"No regression outputs found in SignatureDef: {signature}",
            )
        return input_name, {OUTPUTS: signature.outputs[OUTPUTS].name}

    def result(
        self, arrays: Mapping[str, Array], rows: int
    ) -> "RegressionResult":
        from tensorflow_serving.apis.regression_pb2 import RegressionResult

        array = arrays[OUTPUTS]
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
        if array_dtype_name(array) != "DT_FLOAT":
            raise invalid_argument(
                "Expected output Tensor of DT_FLOAT.  Got: "
                f"{array_dtype_name(array)}"
            )
        result = RegressionResult()
        for value in array.ravel().tolist():
            result.regressions.add(value=value)
        return result

    def add_result(
        self, target: "InferenceResult", result: "RegressionResult"
    ) -> None:
        target.regression_result.CopyFrom(result)


REGRESS: Final = _Regress()
