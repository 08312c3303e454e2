"""TensorFlow Serving's gRPC API. Nothing here imports TensorFlow.

Reference: tensorflow_serving/apis/prediction_service.proto and
model_service.proto.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final
from urllib.parse import quote

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from kerassent.client import _errors, _tensors
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure
from kerassent.client._protos import message_class
from kerassent.client._status import ModelVersionStatus, statuses_from_json
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._transport import Classes, Outputs
from kerassent.client._waiting import Waiting
from kerassent.contract import TEXT
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
# What a server that goes away may say in other codes.
_CUT_OFF: Final = ("RST_STREAM", "Stream removed", "GOAWAY")
# What gRPC makes of an answer that is HTTP's, from what stands in between.
_HTTP_TOO_LARGE: Final = "http2 header with status: 413"
_NOBODY: Final = (
    "connections to all backends failing",
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
    # All addresses of a name are used in turn; a name is looked up again when
    # one of them is lost, at most every two seconds, not thirty.
    (
        "grpc.service_config",
        json.dumps({"loadBalancingConfig": [{"round_robin": {}}]}),
    ),
    ("grpc.dns_min_time_between_resolutions_ms", 2000),
)

_PREDICTIONS: Final = "tensorflow.serving.PredictionService"
_MODELS: Final = "tensorflow.serving.ModelService"


class GrpcTransport:
    """Asks one model over gRPC.

    Args:
        target: The model and its server.
        headers: Metadata for every call; gRPC has names in lower case.
        tls: PEM files for a `grpcs` address.
        waiting: How to wait.
    """

    def __init__(
        self,
        target: Target,
        *,
        headers: Mapping[str, str],
        tls: TlsFiles,
        waiting: Waiting,
    ) -> None:
        self._target = target
        self._waiting = waiting
        self._metadata = tuple(
            (name.lower(), value) for name, value in headers.items()
        )
        self._closed = False
        address = target.address
        self._channel: grpc.Channel
        if address.has_tls:
            self._channel = grpc.secure_channel(
                address.grpc_target, _credentials(tls), options=_OPTIONS
            )
        else:
            self._channel = grpc.insecure_channel(
                address.grpc_target, options=_OPTIONS
            )
        self._predict = self._method(_PREDICTIONS, "Predict", "predict")
        self._classify = self._method(
            _PREDICTIONS, "Classify", "classification", "Classification"
        )
        self._get_metadata = self._method(
            _PREDICTIONS, "GetModelMetadata", "get_model_metadata"
        )
        self._get_status = self._method(
            _MODELS, "GetModelStatus", "get_model_status"
        )

    def turn(
        self, deadline: Deadline | None
    ) -> AbstractAsyncContextManager[None]:
        """Waits for nothing: requests cost no thread."""
        return nullcontext()

    async def predict(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Outputs:
        """Returns all outputs of a signature with the input `text`."""
        request = self._request("predict", "PredictRequest", signature_name)
        _tensors.set_strings(request.inputs[TEXT], texts)
        response = await self._call(self._predict, request, deadline)
        outputs = {}
        for name, tensor in response.outputs.items():
            try:
                outputs[name] = _tensors.to_array(tensor)
            except ValueError as error:
                raise _errors.odd_answer(
                    self._target, f"output '{name}': {error}"
                ) from error
        return outputs

    async def classify(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Classes:
        """Returns what TensorFlow Serving's Classify API says of texts."""
        request = self._request(
            "classification", "ClassificationRequest", signature_name
        )
        for text in texts:
            example = request.input.example_list.examples.add()
            example.features.feature[TEXT].bytes_list.value.append(text)
        response = await self._call(self._classify, request, deadline)
        return [
            [(entry.label, entry.score) for entry in classification.classes]
            for classification in response.result.classifications
        ]

    async def status(self, *, deadline: Deadline) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""
        request = self._request("get_model_status", "GetModelStatusRequest")
        response = await self._call(self._get_status, request, deadline)
        return statuses_from_json(_as_json(response))

    async def metadata(self, *, deadline: Deadline) -> dict[str, Any]:
        """Returns the model's signatures, as the REST API writes them."""
        request = self._request("get_model_metadata", "GetModelMetadataRequest")
        request.metadata_field.append("signature_def")
        response = await self._call(self._get_metadata, request, deadline)
        try:
            signatures = _message("get_model_metadata", "SignatureDefMap")
            packed = response.metadata["signature_def"]
            found = signatures.FromString(packed.value)
        except DecodeError as error:
            raise _errors.odd_answer(
                self._target, f"signature_def: {error}"
            ) from error
        return {
            "model_spec": _as_json(response.model_spec),
            "metadata": {"signature_def": _as_json(found)},
        }

    def close(self) -> None:
        """Closes the channel, which cancels what is under way."""
        self._closed = True
        self._channel.close()

    def _method(
        self, service: str, method: str, file: str, message: str | None = None
    ) -> Any:
        def to_message(serialized: bytes) -> Any:
            name = f"{message or method}Response"
            return _message(file, name).FromString(serialized)

        return self._channel.unary_unary(
            f"{quote(self._target.address.prefix)}/{service}/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=to_message,
        )

    def _request(
        self, file: str, message: str, signature_name: str | None = None
    ) -> Any:
        request = _message(file, message)()
        model_spec = request.model_spec
        model_spec.name = self._target.model_name
        if signature_name is not None:
            model_spec.signature_name = signature_name
        if self._target.version is not None:
            model_spec.version.value = self._target.version
        if self._target.version_label is not None:
            model_spec.version_label = self._target.version_label
        return request

    async def _call(self, method: Any, request: Any, deadline: Deadline) -> Any:
        try:
            return await self._waiting.call_grpc(
                method,
                request,
                timeout=deadline.left(),
                metadata=self._metadata,
            )
        except grpc.RpcError as error:
            if self._closed and error.code() is grpc.StatusCode.CANCELLED:
                raise self._closed_meanwhile() from error
            raise _translated(self._target, error, deadline) from error
        except (grpc.FutureCancelledError, ValueError) as error:
            # A ValueError is gRPC's word for a channel that is closed.
            raise self._closed_meanwhile() from error

    def _closed_meanwhile(self) -> Failure:
        return _errors.connection_lost(self._target, "the client was closed")


def _message(file: str, message: str) -> Any:
    return message_class(
        f"tensorflow_serving/apis/{file}.proto", f"tensorflow.serving.{message}"
    )


def _translated(
    target: Target, error: grpc.RpcError, deadline: Deadline
) -> Failure:
    """Returns our failure for one of gRPC's."""
    code = error.code()
    details = error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _errors.no_answer_in_time(target, deadline.timeout)
    if code is grpc.StatusCode.UNAVAILABLE:
        if any(hint in details for hint in _OTHER_PROTOCOL):
            return _errors.wrong_protocol(target)
        if any(hint in details for hint in _NO_TLS):
            return _errors.tls_failed(target, details)
        if any(hint in details for hint in _LOST):
            return _errors.connection_lost(target, details)
        if any(hint in details for hint in _NOBODY):
            return _errors.nothing_answers(target)
    elif any(hint in details for hint in _CUT_OFF):
        return _errors.connection_lost(target, details)
    if _HTTP_TOO_LARGE in details:
        return _errors.server_error(
            target, InvalidRequest, code="413", text=details
        )
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
