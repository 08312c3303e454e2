"""What the REST API answers: a method, a URL and a body into JSON.

Nothing here is about HTTP's connections; `RestApi` calls it from threads.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.classification import CLASSIFY
from kerassent.server.examples import infer
from kerassent.server.inference_method import InferenceMethod
from kerassent.server.json_examples import (
    read_examples,
    write_classifications,
    write_regressions,
)
from kerassent.server.json_response import write_columns, write_rows
from kerassent.server.json_tensor import get_signature_name, read_tensors
from kerassent.server.lifecycle import ServedModels
from kerassent.server.metadata import (
    SIGNATURE_DEF,
    get_model_metadata,
    get_model_status,
)
from kerassent.server.metrics import Metrics
from kerassent.server.model_spec import ModelSpec
from kerassent.server.predict import predict
from kerassent.server.rapid_json import parse_json
from kerassent.server.regression import REGRESS
from kerassent.server.rest_urls import malformed, read_url
from kerassent.server.status import StatusError, invalid_argument

# How each verb asks, and writes what it is told.
_INFERENCE: Final[
    Mapping[str, tuple[InferenceMethod[Any], Callable[[Any], bytes]]]
] = {
    "classify": (CLASSIFY, write_classifications),
    "regress": (REGRESS, write_regressions),
}


class RestCalls:
    """All that is below `/v1/`; any number of threads may call.

    Args:
        models: The loaded versions.
        metrics: Where requests are counted.
        timeout_ms: Milliseconds that a prediction may take.
    """

    def __init__(
        self, models: ServedModels, metrics: Metrics, timeout_ms: int
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._timeout_ms = timeout_ms

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Returns the JSON that answers a request.

        Args:
            method: The HTTP method.
            path: Path and query.
            body: The body, inflated.

        Raises:
            StatusError: In TensorFlow Serving's words.
        """
        target = read_url(method, path)
        spec = target.spec
        if method == "GET":
            # Only in lower case; status answers any other spelling.
            if target.verb == "metadata":
                return self._metadata(spec)
            return self._status(spec)
        if target.verb == "predict":
            return self._counted(
                "Predict", spec, lambda: self._predict(spec, body)
            )
        if target.verb in _INFERENCE:
            inference, write = _INFERENCE[target.verb]
            return self._counted(
                inference.api,
                spec,
                lambda: write(self._infer(inference, spec, body)),
            )
        raise malformed(method, path)

    def _counted(
        self, api: str, spec: ModelSpec, make: Callable[[], bytes]
    ) -> bytes:
        start = time.monotonic()
        name = spec.name.encode("utf-8", "backslashreplace").decode()
        try:
            answer = make()
        except StatusError as error:
            self._metrics.request_count.increase(name, error.code.name)
            raise
        self._metrics.request_count.increase(name, "OK")
        self._metrics.request_latency.observe(
            (time.monotonic() - start) * 1e6, name, api, "REST"
        )
        return answer

    def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        request = parse_json(body)
        signature_name = get_signature_name(request)
        with self._models.use(spec) as servable:
            resolved = signature_name or PREDICT_SIGNATURE
            signature = servable.signatures.get(resolved)
            if signature is None:
                raise invalid_argument(
                    f'Serving signature name: "{resolved}" not found in '
                    "signature def"
                )
            tensors, in_rows = read_tensors(
                request, signature.inputs, signature_name
            )
            outputs = predict(
                servable,
                tensors,
                signature_name=signature_name,
                timeout_ms=self._timeout_ms,
            )
        return write_rows(outputs) if in_rows else write_columns(outputs)

    def _infer(
        self, inference: InferenceMethod[Any], spec: ModelSpec, body: bytes
    ) -> Any:
        request = parse_json(body)
        signature_name = get_signature_name(request)
        examples = read_examples(request)
        with self._models.use(spec) as servable:
            return infer(
                servable,
                inference,
                signature_name,
                examples,
                timeout_ms=self._timeout_ms,
            )

    def _status(self, spec: ModelSpec) -> bytes:
        if not spec.name:
            raise invalid_argument("Missing model name in request.")
        return _to_json(get_model_status(self._models, spec))

    def _metadata(self, spec: ModelSpec) -> bytes:
        from tensorflow_serving.apis import get_model_metadata_pb2 as pb

        if not spec.name:
            raise invalid_argument("Missing model name in request.")
        response = get_model_metadata(self._models, spec, [SIGNATURE_DEF])
        signatures = pb.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        return (
            b'{\n"model_spec":%b,\n"metadata": {"signature_def": %b}\n}\n'
            % (_to_json(response.model_spec), _to_json(signatures))
        )


def _to_json(message: Any) -> bytes:
    from google.protobuf import json_format

    text = json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=1,
    )
    return text.encode()
