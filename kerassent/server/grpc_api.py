"""The gRPC services: PredictionService, ModelService, health, reflection."""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
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
from kerassent.server.examples import classify, multi_inference, regress
from kerassent.server.lifecycle import ServedModels
from kerassent.server.metadata import get_model_metadata, get_model_status
from kerassent.server.metrics import Metrics
from kerassent.server.model_config import read_configs
from kerassent.server.model_spec import ModelSpec
from kerassent.server.predict import predict
from kerassent.server.status import StatusError, invalid_argument
from kerassent.server.tensors import encode_tensor

MODEL_SERVICE: Final = "tensorflow.serving.ModelService"
PREDICTION_SERVICE: Final = "tensorflow.serving.PredictionService"
HEALTH_NAMES: Final = ("", "ModelService", "PredictionService")
MAX_MESSAGE_LENGTH: Final = 1024
# A thread waits for each request, and batches want many at a time.
THREADS: Final = max(64, 4 * (os.cpu_count() or 1))
# TensorFlow Serving reads messages of up to 2 GiB, and any number at a time.
MAX_MESSAGE_BYTES: Final = 256 * 2**20
MAX_CALLS: Final = 1000
_INT32_MAX: Final = 2**31 - 1
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_CHANNEL_ARGUMENTS: Final[dict[str, int | str]] = {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": -1,
    # Otherwise a second server on the same port would start, and each would
    # get a part of the calls.
    "grpc.so_reuseport": 0,
}

_Response = TypeVar("_Response")


@dataclass(frozen=True)
class TlsOptions:
    """PEM contents, as `SSLConfig` has them.

    Args:
        server_key: The private key.
        server_cert: The certificate.
        custom_ca: Who signs clients' certificates; empty for the system's.
        client_verify: Whether clients must have one.
    """

    server_key: str = field(repr=False)
    server_cert: str
    custom_ca: str = ""
    client_verify: bool = False


@dataclass(frozen=True)
class GrpcOptions:
    """How the gRPC port is opened.

    Args:
        tls: Key and certificates, or `None` for plain text.
        socket_path: A unix socket to open as well, or empty.
        channel_arguments: gRPC's own settings by name.
        max_threads: Requests that are served at once.
        health: Whether the health service answers.
    """

    tls: TlsOptions | None = None
    socket_path: str = ""
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    max_threads: int = THREADS
    health: bool = True


def _abort(context: grpc.ServicerContext, error: StatusError) -> None:
    message = error.message
    if len(message) > MAX_MESSAGE_LENGTH:
        message = message[:MAX_MESSAGE_LENGTH] + "...TRUNCATED"
    # A trailer must be UTF-8, and a message may echo bytes that are not.
    message = message.encode("utf-8", "backslashreplace").decode()
    context.abort(_STATUS_CODES[error.code], message)


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
            raise AssertionError from error  # `abort` has raised
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
        return self._answer(
            "Predict",
            request.model_spec.name,
            context,
            lambda: self._predict(request, context),
        )

    def _predict(
        self,
        request: predict_pb2.PredictRequest,
        context: grpc.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        signature_name = request.model_spec.signature_name
        with self._models.use(_model_spec(request)) as servable:
            outputs = predict(
                servable,
                request.inputs,
                signature_name=signature_name,
                output_filter=request.output_filter,
                timeout_ms=_timeout_ms(context),
            )
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, request.model_spec, servable.version)
        for alias, array in outputs.items():
            response.outputs[alias].CopyFrom(encode_tensor(array))
        return response

    def Classify(  # noqa: N802
        self,
        request: classification_pb2.ClassificationRequest,
        context: grpc.ServicerContext,
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classify signature on tf.Examples."""

        def make() -> classification_pb2.ClassificationResponse:
            response = classification_pb2.ClassificationResponse()
            with self._models.use(_model_spec(request)) as servable:
                result = classify(
                    servable,
                    request.model_spec.signature_name,
                    request.input,
                    timeout_ms=_timeout_ms(context),
                )
            response.result.CopyFrom(result)
            _fill_spec(
                response.model_spec, request.model_spec, servable.version
            )
            return response

        return self._answer("Classify", request.model_spec.name, context, make)

    def Regress(  # noqa: N802
        self,
        request: regression_pb2.RegressionRequest,
        context: grpc.ServicerContext,
    ) -> regression_pb2.RegressionResponse:
        """Runs a regress signature on tf.Examples."""

        def make() -> regression_pb2.RegressionResponse:
            response = regression_pb2.RegressionResponse()
            with self._models.use(_model_spec(request)) as servable:
                result = regress(
                    servable,
                    request.model_spec.signature_name,
                    request.input,
                    timeout_ms=_timeout_ms(context),
                )
            response.result.CopyFrom(result)
            _fill_spec(
                response.model_spec, request.model_spec, servable.version
            )
            return response

        return self._answer("Regress", request.model_spec.name, context, make)

    def MultiInference(  # noqa: N802
        self,
        request: inference_pb2.MultiInferenceRequest,
        context: grpc.ServicerContext,
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""

        def make() -> inference_pb2.MultiInferenceResponse:
            if not request.tasks:
                raise invalid_argument("Inference request did not specify any "
                                       "tasks.")  # fmt: skip
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
            raise AssertionError from error  # `abort` has raised


def _fill_spec(
    spec: model_pb2.ModelSpec, asked: model_pb2.ModelSpec, version: int
) -> None:
    """Says what has answered: never a label, always a signature."""
    spec.name = asked.name
    spec.signature_name = asked.signature_name or PREDICT_SIGNATURE
    spec.version.value = version


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
            raise AssertionError from error  # `abort` has raised

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


class GrpcServer:
    """The gRPC port, open from the start until `stop`.

    Args:
        models: The loaded versions.
        metrics: Where requests are counted.
        hosts: Addresses to bind; one of two may be missing on this machine.
        port: 0 takes a free one.
        options: How it is opened.

    Raises:
        RuntimeError: If the port cannot be bound.
        ValueError: If key and certificate are of no use.
    """

    def __init__(
        self,
        models: ServedModels,
        metrics: Metrics,
        hosts: tuple[str, ...],
        port: int,
        options: GrpcOptions,
    ) -> None:
        self._threads = ThreadPoolExecutor(
            max_workers=options.max_threads,
            thread_name_prefix="kerassent-grpc",
        )
        self._server = grpc.server(
            self._threads,
            maximum_concurrent_rpcs=max(MAX_CALLS, options.max_threads),
            # Of two values for one name gRPC would take the first.
            options=list(
                (
                    {**_CHANNEL_ARGUMENTS, **dict(options.channel_arguments)}
                ).items()
            ),
        )
        self._health: health.HealthServicer | None = None
        self._add_services(models, metrics, options)
        self._socket_path = options.socket_path
        try:
            self.port = self._bind(hosts, port, options)
        except BaseException:
            self._server.stop(None)
            self._threads.shutdown()
            raise
        self._server.start()

    def _add_services(
        self, models: ServedModels, metrics: Metrics, options: GrpcOptions
    ) -> None:
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(models, metrics), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(models), self._server
        )
        names = [MODEL_SERVICE, PREDICTION_SERVICE, reflection.SERVICE_NAME]
        if options.health:
            self._health = health.HealthServicer()
            for name in HEALTH_NAMES:
                self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(
                self._health, self._server
            )
            names.append(health.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def _bind(
        self, hosts: tuple[str, ...], port: int, options: GrpcOptions
    ) -> int:
        credentials = None
        if options.tls is not None:
            tls = options.tls
            credentials = grpc.ssl_server_credentials(
                [(tls.server_key.encode(), tls.server_cert.encode())],
                root_certificates=tls.custom_ca.encode() or None,
                require_client_auth=tls.client_verify,
            )
        bound = 0
        for host in hosts:
            address = f"[{host}]" if ":" in host else host
            address += f":{bound or port}"
            try:
                if credentials is None:
                    new = self._server.add_insecure_port(address)
                else:
                    new = self._server.add_secure_port(address, credentials)
            except RuntimeError:
                if not bound:
                    raise
                continue  # the other family is bound
            bound = bound or new
        if options.socket_path:
            # As in TensorFlow Serving without TLS: files have permissions.
            self._server.add_insecure_port(f"unix:{options.socket_path}")
        return bound

    def stop(self, grace: float) -> None:
        """Takes no more calls and waits for those under way.

        Args:
            grace: Seconds to wait before they are cancelled.
        """
        if self._health is not None:
            self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def join(self) -> None:
        """Waits until no thread of a stopped server runs."""
        self._threads.shutdown()
        if self._socket_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._socket_path)
