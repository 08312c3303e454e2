"""The gRPC services: PredictionService and ModelService."""

import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.classification import CLASSIFY
from kerassent.server.examples import infer, multi_inference
from kerassent.server.inference_method import InferenceMethod
from kerassent.server.lifecycle import ServedModels
from kerassent.server.metadata import get_model_metadata, get_model_status
from kerassent.server.metrics import Metrics
from kerassent.server.model_config import read_configs
from kerassent.server.model_spec import ModelSpec
from kerassent.server.predict import predict
from kerassent.server.regression import REGRESS
from kerassent.server.status import StatusError, invalid_argument
from kerassent.server.tensors import encode_tensor

MAX_MESSAGE_LENGTH: Final = 1024
_INT32_MAX: Final = 2**31 - 1
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

_Response = TypeVar("_Response")


def _abort(context: grpc.ServicerContext, error: StatusError) -> NoReturn:
    message = error.message
    if len(message) > MAX_MESSAGE_LENGTH:
        message = message[:MAX_MESSAGE_LENGTH] + "...TRUNCATED"
    # A trailer must be UTF-8, and a message may echo bytes that are not.
    message = message.encode("utf-8", "backslashreplace").decode()
    context.abort(_STATUS_CODES[error.code], message)
    raise AssertionError from error  # `abort` has raised


def _model_spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return _read_spec(request.model_spec)


def _read_spec(spec: model_pb2.ModelSpec) -> ModelSpec:
    choice = spec.WhichOneof("version_choice")
    return ModelSpec(
        spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def _fill_spec(
    spec: model_pb2.ModelSpec, asked: model_pb2.ModelSpec, version: int
) -> None:
    """Says what has answered: never a label, always a signature."""
    spec.name = asked.name
    spec.signature_name = asked.signature_name or PREDICT_SIGNATURE
    spec.version.value = version


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    remaining = context.time_remaining()
    if remaining is None:  # a call without a deadline
        return None  # type: ignore[unreachable] # not in the stub
    return max(1, min(int(remaining * 1000), _INT32_MAX))


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Args:
        models: The loaded versions.
        metrics: Where requests are counted.
    """

    def __init__(self, models: ServedModels, metrics: Metrics) -> None:
        self._models = models
        self._metrics = metrics

    def _answer(
        self,
        api: str,
        name: str,
        context: grpc.ServicerContext,
        make: Callable[[], _Response],
    ) -> _Response:
        """Returns what `make` makes, or ends the call with its status."""
        start = time.monotonic()
        try:
            response = make()
        except StatusError as error:
            self._metrics.request_count.increase(name, error.code.name)
            _abort(context, error)
        self._metrics.request_count.increase(name, "OK")
        self._metrics.request_latency.observe(
            (time.monotonic() - start) * 1e6, name, api, "GRPC"
        )
        return response

    def Predict(  # noqa: N802
        self,
        request: predict_pb2.PredictRequest,
        context: grpc.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        """Runs a signature on the request's tensors."""

        def make() -> predict_pb2.PredictResponse:
            asked = request.model_spec
            with self._models.use(_model_spec(request)) as servable:
                outputs = predict(
                    servable,
                    request.inputs,
                    signature_name=asked.signature_name,
                    output_filter=request.output_filter,
                    timeout_ms=_timeout_ms(context),
                )
            response = predict_pb2.PredictResponse()
            _fill_spec(response.model_spec, asked, servable.version)
            for alias, array in outputs.items():
                response.outputs[alias].CopyFrom(encode_tensor(array))
            return response

        return self._answer("Predict", request.model_spec.name, context, make)

    def _infer(
        self,
        method: InferenceMethod[Any],
        request: Any,
        response: _Response,
        context: grpc.ServicerContext,
    ) -> _Response:
        """Fills and returns a response to tf.Examples."""
        message: Any = response

        def make() -> _Response:
            asked = request.model_spec
            with self._models.use(_model_spec(request)) as servable:
                result = infer(
                    servable,
                    method,
                    asked.signature_name,
                    request.input,
                    timeout_ms=_timeout_ms(context),
                )
            message.result.CopyFrom(result)
            _fill_spec(message.model_spec, asked, servable.version)
            return response

        return self._answer(method.api, request.model_spec.name, context, make)

    def Classify(  # noqa: N802
        self,
        request: classification_pb2.ClassificationRequest,
        context: grpc.ServicerContext,
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classify signature on tf.Examples."""
        response = classification_pb2.ClassificationResponse()
        return self._infer(CLASSIFY, request, response, context)

    def Regress(  # noqa: N802
        self,
        request: regression_pb2.RegressionRequest,
        context: grpc.ServicerContext,
    ) -> regression_pb2.RegressionResponse:
        """Runs a regress signature on tf.Examples."""
        response = regression_pb2.RegressionResponse()
        return self._infer(REGRESS, request, response, context)

    def MultiInference(  # noqa: N802
        self,
        request: inference_pb2.MultiInferenceRequest,
        context: grpc.ServicerContext,
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""

        def make() -> inference_pb2.MultiInferenceResponse:
            if not request.tasks:
                raise invalid_argument(
                    "Inference request did not specify any tasks."
                )
            spec = _read_spec(request.tasks[0].model_spec)
            with self._models.use(spec) as servable:
                return multi_inference(
                    servable, request, timeout_ms=_timeout_ms(context)
                )

        name = request.tasks[0].model_spec.name if request.tasks else ""
        return self._answer("MultiInference", name, context, make)

    def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of a model."""
        try:
            return get_model_metadata(
                self._models, _model_spec(request), request.metadata_field
            )
        except StatusError as error:
            _abort(context, error)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        models: The loaded versions.
    """

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def GetModelStatus(  # noqa: N802
        self,
        request: get_model_status_pb2.GetModelStatusRequest,
        context: grpc.ServicerContext,
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the state of a model's versions."""
        try:
            return get_model_status(self._models, _model_spec(request))
        except StatusError as error:
            _abort(context, error)

    def HandleReloadConfigRequest(  # noqa: N802
        self,
        request: model_management_pb2.ReloadConfigRequest,
        context: grpc.ServicerContext,
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves other models from now on, and waits until they answer."""
        response = model_management_pb2.ReloadConfigResponse()
        try:
            if request.config.WhichOneof("config") != "model_config_list":
                raise invalid_argument(
                    "ServableConfig type not supported by HandleReloadConfig. "
                    "Only ModelConfigList is currently supported"
                )
            self._models.configure(
                read_configs(request.config), should_wait=context.is_active
            )
        except StatusError as error:
            _abort(context, error)
        response.status.SetInParent()
        return response
