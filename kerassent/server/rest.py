"""The REST API: URLs, bodies and statuses; JSON in, JSON out."""

import re
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.json_response import (
    write_columns,
    write_error,
    write_rows,
)
from kerassent.server.json_tensor import get_signature_name, read_tensors
from kerassent.server.metadata import (
    SIGNATURE_DEF,
    get_model_metadata,
    get_model_status,
)
from kerassent.server.models import ModelSpec, ServedModels
from kerassent.server.predict import predict
from kerassent.server.rapid_json import parse_json
from kerassent.server.status import (
    HTTP_STATUS,
    Code,
    StatusError,
    invalid_argument,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# TensorFlow Serving reads any body. This one runs beside other things.
MAX_BODY_BYTES: Final = 256 * 2**20
MAX_INFLATED_BYTES: Final = 100 * 2**20

_API: Final = re.compile(r"/v1/.*", re.IGNORECASE)
_POST: Final = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r":(classify|regress|predict)",
    re.IGNORECASE,
)
_GET: Final = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r"(?:/(metadata))?",
    re.IGNORECASE,
)
_NOT_FOUND: Final = (
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n"
    b"<H1>Not Found</H1>\n</BODY></HTML>\n"
)
_MAX_INT64: Final = 2**63 - 1


class _BodyTooLarge(Exception):
    pass


def _unescape(text: str | None) -> str | None:
    if text is None:
        return None
    raw = text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def _model_spec(match: re.Match[str]) -> ModelSpec:
    version = None
    if match[2] is not None:
        if len(match[2]) > 4000 or int(match[2]) > _MAX_INT64:
            raise invalid_argument(
                f"Failed to convert version: {match[2]} to numeric."
            )
        version = int(match[2])
    return ModelSpec(
        _unescape(match[1]) or "", version=version, label=_unescape(match[3])
    )


def inflate(body: bytes) -> bytes:
    """Returns a gzip body's content, empty if it is broken or too large.

    Args:
        body: The compressed body.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, MAX_INFLATED_BYTES + 1)
    except zlib.error:
        return b""
    if not inflater.eof or len(inflated) > MAX_INFLATED_BYTES:
        return b""
    return inflated


class RestApi:
    """All that is below `/v1/`, as an ASGI application.

    Args:
        models: The loaded versions.
        timeout_ms: Milliseconds that a prediction may take.
        max_body_bytes: The largest request body to read.
    """

    def __init__(
        self,
        models: ServedModels,
        *,
        timeout_ms: int,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._models = models
        self._timeout_ms = timeout_ms
        self._max_body_bytes = max_body_bytes

    async def __call__(
        self, scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        path = _requested_path(scope)
        if not _API.fullmatch(path):
            response = Response(_NOT_FOUND, 404, media_type="text/html")
        else:
            try:
                body = await self._read_body(request)
            except ClientDisconnect:
                return
            except _BodyTooLarge:
                status, content = (
                    413,
                    write_error(
                        "The request body is larger than the "
                        f"{self._max_body_bytes} bytes that this server reads. "
                        "Send fewer instances in a request."
                    ),
                )
            else:
                status, content = await run_in_threadpool(
                    self._answer, request, path, body
                )
            response = Response(
                content, status, headers={"Content-Type": "application/json"}
            )
        await response(scope, receive, send)

    async def _read_body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            raise _BodyTooLarge
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise _BodyTooLarge
        return bytes(body)

    def _answer(
        self, request: Request, path: str, body: bytes
    ) -> tuple[int, bytes]:
        if "gzip" in request.headers.get("content-encoding", ""):
            body = inflate(body)
        try:
            return 200, self._process(request.method, path, body)
        except StatusError as error:
            return HTTP_STATUS[error.code], write_error(error.message)

    def _process(self, method: str, path: str, body: bytes) -> bytes:
        if method == "POST" and (match := _POST.fullmatch(path)):
            spec = _model_spec(match)
            if match[4] == "predict":
                return self._predict(spec, body)
            if match[4] in ("classify", "regress"):
                raise StatusError(
                    Code.UNIMPLEMENTED,
                    f"This server does not implement {match[4]}.",
                )
        elif method == "GET" and (match := _GET.fullmatch(path)):
            spec = _model_spec(match)
            if match[4] == "metadata":
                return self._metadata(spec)
            return self._status(spec)
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        request = parse_json(body)
        signature_name = get_signature_name(request)
        model = self._models.find(spec)
        resolved = signature_name or PREDICT_SIGNATURE
        signature = model.signatures.get(resolved)
        if signature is None:
            raise invalid_argument(
                f'Serving signature name: "{resolved}" not found in '
                "signature def"
            )
        tensors, in_rows = read_tensors(
            request, signature.inputs, signature_name
        )
        outputs = predict(
            model,
            tensors,
            signature_name=signature_name,
            timeout_ms=self._timeout_ms,
        )
        return write_rows(outputs) if in_rows else write_columns(outputs)

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


def _requested_path(scope: "Scope") -> str:
    """Returns path and query as they came, for both are matched."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        raw += b"?" + scope["query_string"]
    return raw.decode("utf-8", "surrogateescape")


def _to_json(message: Any) -> bytes:
    from google.protobuf import json_format

    text = json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=1,
    )
    return text.encode()


def make_app(
    models: ServedModels,
    *,
    timeout_ms: int,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Callable[["Scope", "Receive", "Send"], Awaitable[None]]:
    """Returns the HTTP application.

    Args:
        models: The loaded versions.
        timeout_ms: Milliseconds that a prediction may take.
        max_body_bytes: The largest request body to read.
    """
    api = RestApi(models, timeout_ms=timeout_ms, max_body_bytes=max_body_bytes)
    return Starlette(routes=[Mount("/", app=api)])
