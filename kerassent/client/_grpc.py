"""TensorFlow Serving's gRPC API.

Reference: tensorflow_serving/apis/prediction_service.proto and
model_service.proto. `tensorflow_serving.apis` imports TensorFlow.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

# The generated modules have neither stubs nor a py.typed marker.
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kerassent.client import _errors, _tensors
from kerassent.client._answer import check_output_names
from kerassent.client._status import ModelVersionStatus, statuses_from_json
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._transport import Outputs
from kerassent.contract import PREDICT_OUTPUTS, PREDICT_SIGNATURE, TEXT
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerUnavailable,
    ServingError,
)

# What is not here is a plain ServingError.
_ERROR_CLASSES: Final[dict[grpc.StatusCode, type[ServingError]]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: ModelNotFound,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
}

# gRPC says UNAVAILABLE for all of these; only its details tell them apart.
_OTHER_PROTOCOL: Final = ("http1.x server", "Expected SETTINGS frame")
_NO_TLS: Final = ("Tls handshake", "Ssl handshake", "SSL_ERROR")
_LOST: Final = ("Socket closed", "Connection reset", "Broken pipe", "GOAWAY")
_NOBODY: Final = (
    "failed to connect to all addresses",
    "errors resolving",
    "DNS resolution failed",
)

_OPTIONS: Final = (
    # An answer is as large as the request makes it; gRPC's limit of 4 MiB
    # is for servers.
    ("grpc.max_receive_message_length", -1),
    # A server that comes back is noticed within about a second, not two
    # minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcTransport:
    """Asks one model over gRPC.

    Args:
        target: The model and its server.
        headers: Metadata for every call; gRPC has names in lower case.
        tls: PEM files for a `grpcs` address.
    """

    def __init__(
        self, target: Target, *, headers: Mapping[str, str], tls: TlsFiles
    ) -> None:
        self._target = target
        self._metadata = tuple(
            (name.lower(), value) for name, value in headers.items()
        )
        netloc = target.address.netloc
        self._channel: grpc.Channel
        if target.address.has_tls:
            self._channel = grpc.secure_channel(
                netloc, _credentials(tls), options=_OPTIONS
            )
        else:
            self._channel = grpc.insecure_channel(netloc, options=_OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, texts: Sequence[bytes], *, timeout: float) -> Outputs:
        """Returns the outputs that `contract.PREDICT_OUTPUTS` names."""
        request = predict_pb2.PredictRequest()
        self._set_model(request.model_spec)
        request.model_spec.signature_name = PREDICT_SIGNATURE
        _tensors.set_strings(request.inputs[TEXT], texts)
        response = self._call(self._predictions.Predict, request, timeout)
        check_output_names(response.outputs, self._target)
        outputs = {}
        for name in PREDICT_OUTPUTS:
            try:
                outputs[name] = _tensors.to_array(response.outputs[name])
            except ValueError as error:
                raise _errors.odd_answer(
                    self._target, f"output '{name}': {error}"
                ) from error
        return outputs

    def status(self, *, timeout: float) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""
        request = get_model_status_pb2.GetModelStatusRequest()
        self._set_model(request.model_spec)
        response = self._call(self._models.GetModelStatus, request, timeout)
        return statuses_from_json(_as_json(response))

    def metadata(self, *, timeout: float) -> dict[str, Any]:
        """Returns the model's signatures, as the REST API writes them."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=["signature_def"]
        )
        self._set_model(request.model_spec)
        response = self._call(
            self._predictions.GetModelMetadata, request, timeout
        )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        try:
            response.metadata["signature_def"].Unpack(signatures)
        except DecodeError as error:
            raise _errors.odd_answer(
                self._target, f"signature_def: {error}"
            ) from error
        return {
            "model_spec": _as_json(response.model_spec),
            "metadata": {"signature_def": _as_json(signatures)},
        }

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _set_model(self, model_spec: Any) -> None:
        model_spec.name = self._target.model_name
        if self._target.version is not None:
            model_spec.version.value = self._target.version
        if self._target.version_label is not None:
            model_spec.version_label = self._target.version_label

    def _call(
        self, method: Callable[..., Any], request: Any, timeout: float
    ) -> Any:
        try:
            return method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _translated(self._target, error, timeout) from error


def _translated(
    target: Target, error: grpc.RpcError, timeout: float
) -> ServingError:
    """Returns our error for one of gRPC's."""
    code = error.code()
    details = error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _errors.no_answer_in_time(target, timeout)
    if code is grpc.StatusCode.UNAVAILABLE:
        if any(hint in details for hint in _OTHER_PROTOCOL):
            return _errors.wrong_protocol(target)
        if any(hint in details for hint in _NO_TLS):
            return _errors.tls_failed(target, details)
        if any(hint in details for hint in _LOST):
            return _errors.connection_lost(target, details)
        if any(hint in details for hint in _NOBODY):
            return _errors.nothing_answers(target)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return _errors.odd_answer(target, f"UNIMPLEMENTED: {details}")
    return _errors.server_error(
        target,
        _ERROR_CLASSES.get(code, ServingError),
        code=code.name,
        text=details,
    )


def _credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        *(
            path.read_bytes() if path else None
            for path in (tls.ca_cert, tls.client_key, tls.client_cert)
        )
    )


def _as_json(message: Any) -> dict[str, Any]:
    return MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
