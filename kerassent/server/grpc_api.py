"""The gRPC services: PredictionService, ModelService and health.

A method that is not implemented here answers UNIMPLEMENTED by itself.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.metadata import get_model_metadata, get_model_status
from kerassent.server.models import ModelSpec, ServedModels
from kerassent.server.predict import predict
from kerassent.server.status import StatusError, invalid_argument
from kerassent.server.tensors import encode_tensor

HEALTH_NAMES: Final = ("", "ModelService", "PredictionService")
MAX_MESSAGE_LENGTH: Final = 1024
_INT32_MAX: Final = 2**31 - 1
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


_Response = TypeVar("_Response")


def _answer(
    context: grpc.ServicerContext, make: Callable[[], _Response]
) -> _Response:
    """Returns what `make` makes, or ends the call with its status."""
    try:
        return make()
    except StatusError as error:
        message = error.message
        if len(message) > MAX_MESSAGE_LENGTH:
            message = message[:MAX_MESSAGE_LENGTH] + "...TRUNCATED"
        context.abort(_STATUS_CODES[error.code], message)


def _model_spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec: model_pb2.ModelSpec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return ModelSpec(
        spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    remaining = context.time_remaining()
    if remaining is None:  # a call without a deadline
        return None  # type: ignore[unreachable] # not in the stub
    return max(1, min(int(remaining * 1000), _INT32_MAX))


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata.

    Args:
        models: The loaded versions.
    """

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def Predict(  # noqa: N802
        self,
        request: predict_pb2.PredictRequest,
        context: grpc.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        """Runs a signature on the request's tensors."""
        return _answer(context, lambda: self._predict(request, context))

    def _predict(
        self,
        request: predict_pb2.PredictRequest,
        context: grpc.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        model = self._models.find(_model_spec(request))
        signature_name = request.model_spec.signature_name
        outputs = predict(
            model,
            request.inputs,
            signature_name=signature_name,
            output_filter=request.output_filter,
            timeout_ms=_timeout_ms(context),
        )
        response = predict_pb2.PredictResponse()
        response.model_spec.name = model.name
        response.model_spec.signature_name = signature_name or PREDICT_SIGNATURE
        response.model_spec.version.value = model.version
        for alias, array in outputs.items():
            response.outputs[alias].CopyFrom(encode_tensor(array))
        return response

    def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of a model."""
        return _answer(
            context,
            lambda: get_model_metadata(
                self._models, _model_spec(request), request.metadata_field
            ),
        )


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus.

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
        return _answer(
            context,
            lambda: get_model_status(self._models, _model_spec(request)),
        )


class GrpcServer:
    """The gRPC port, open from the start until `stop`.

    Args:
        models: The loaded versions.
        address: `host:port`; port 0 takes a free one.

    Raises:
        RuntimeError: If the port cannot be bound.
    """

    def __init__(self, models: ServedModels, address: str) -> None:
        self._threads = ThreadPoolExecutor(
            max_workers=max(8, 4 * (os.cpu_count() or 1)),
            thread_name_prefix="kerassent-grpc",
        )
        self._server = grpc.server(
            self._threads,
            options=[
                ("grpc.max_receive_message_length", _INT32_MAX),
                ("grpc.max_send_message_length", -1),
                # Otherwise a second server on the same port would start, and
                # each would get a part of the calls.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._health = health.HealthServicer()
        for name in HEALTH_NAMES:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(models), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(models), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port: int = self._server.add_insecure_port(address)
        self._server.start()

    def stop(self, grace: float) -> None:
        """Takes no more calls and waits for those under way.

        Args:
            grace: Seconds to wait before they are cancelled.
        """
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def join(self) -> None:
        """Waits until no thread of a stopped server runs."""
        self._threads.shutdown()
