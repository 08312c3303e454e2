"""Warmup: requests that a version answers before anybody else asks.

Reference:
    tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from kerassent.server.classification import CLASSIFY
from kerassent.server.examples import infer, multi_inference
from kerassent.server.inference_method import InferenceMethod
from kerassent.server.predict import Runnable, predict
from kerassent.server.regression import REGRESS
from kerassent.server.status import Code, StatusError, invalid_argument

if TYPE_CHECKING:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

MAX_RECORDS: Final = 1000
_EXAMPLE_LOGS: Final[Mapping[str, InferenceMethod[Any]]] = {
    "classify_log": CLASSIFY,
    "regress_log": REGRESS,
}


def read_warmup_logs(path: str) -> "Iterator[PredictionLog]":
    """Yields the recorded requests.

    Args:
        path: `assets.extra/tf_serving_warmup_requests`, a TFRecord.

    Raises:
        StatusError: If it is none, or has more than 1,000 records.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.python.lib.io import _pywrap_record_io
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    try:
        records: Any = _pywrap_record_io.RecordIterator(path, "")
        for count, record in enumerate(records):
            try:
                log = PredictionLog.FromString(record)
            except DecodeError as error:
                raise invalid_argument(
                    f"Failed to parse warmup record: {record[:200]!r} from "
                    f"{path}"
                ) from error
            yield log
            # TensorFlow Serving, too, runs the one that is too many.
            if count >= MAX_RECORDS:
                raise invalid_argument(
                    "Number of warmup records exceeds the maximum "
                    f"({MAX_RECORDS}) at {path}"
                )
    except tf.errors.OpError as error:
        raise StatusError(
            Code(error.error_code),
            f"{error.message}. Please verify your warmup data is in TFRecord "
            "format.",
        ) from error


def run_warmup_log(servable: Runnable, log: "PredictionLog") -> None:
    """Answers one recorded request and forgets the answer.

    Args:
        servable: The version that answers.
        log: The request; an empty one is left out.

    Raises:
        StatusError: If it fails, or is of a kind that cannot be replayed.
    """
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        predict(
            servable,
            request.inputs,
            signature_name=request.model_spec.signature_name,
            output_filter=request.output_filter,
        )
    elif kind in _EXAMPLE_LOGS:
        recorded = getattr(log, kind).request
        infer(
            servable,
            _EXAMPLE_LOGS[kind],
            recorded.model_spec.signature_name,
            recorded.input,
        )
    elif kind == "multi_inference_log":
        multi_inference(servable, log.multi_inference_log.request)
    elif kind is not None:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise StatusError(
            Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}"
        )
