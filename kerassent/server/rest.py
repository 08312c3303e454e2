"""The REST API: URLs, bodies and statuses; JSON in, JSON out."""

import asyncio
import os
import re
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.examples import classify, regress
from kerassent.server.json_examples import (
    read_examples,
    write_classifications,
    write_regressions,
)
from kerassent.server.json_response import (
    write_columns,
    write_error,
    write_rows,
)
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
from kerassent.server.status import (
    HTTP_STATUS,
    StatusError,
    invalid_argument,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# TensorFlow Serving reads any body. This one runs beside other things, and
# JSON becomes many times its size when it is read: an empty list has 2 bytes
# there and 64 here.
MAX_BODY_BYTES: Final = 64 * 2**20
MAX_BODIES_BYTES: Final = 256 * 2**20
MAX_INFLATED_BYTES: Final = 100 * 2**20
# A thread waits for each request, and batches want many at a time.
THREADS: Final = max(64, 4 * (os.cpu_count() or 1))
PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"

_CHUNK_BYTES: Final = 2**20
_CORS_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_ORIGIN: Final = re.compile(r"https?://")
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


@dataclass(frozen=True)
class RestOptions:
    """How the REST API answers.

    Args:
        timeout_ms: Milliseconds that a prediction may take.
        cors: Whether browsers' scripts from elsewhere may ask.
        prometheus_path: Where the metrics are, or empty for nowhere.
        max_body_bytes: The largest request body to read.
        max_bodies_bytes: How much all requests under way may hold.
        threads: Requests that are answered at once.
    """

    timeout_ms: int = 30_000
    cors: bool = False
    prometheus_path: str = ""
    max_body_bytes: int = MAX_BODY_BYTES
    max_bodies_bytes: int = MAX_BODIES_BYTES
    threads: int = THREADS


class _Refused(Exception):
    """A body that is not read: a status and what to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Budget:
    """Bytes that all requests under way may hold."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._held = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        with self._lock:
            if self._held + count > self.size:
                raise _Refused(
                    503,
                    f"The requests under way hold {self._held} bytes of the "
                    f"{self.size} that this server keeps for them. Try again.",
                )
            self._held += count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._held -= count


class _Hold:
    """What one request has of the budget."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._count = 0

    def take(self, count: int) -> None:
        self._budget.take(count)
        self._count += count

    def end(self) -> None:
        self._budget.give_back(self._count)
        self._count = 0


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


def inflate(
    body: bytes, take: Callable[[int], None] = lambda count: None
) -> bytes:
    """Returns a gzip body's content, empty if it is broken or too large.

    Args:
        body: The compressed body.
        take: Called with the bytes of each piece before it is kept.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    inflated = bytearray()
    while not inflater.eof:
        try:
            piece = inflater.decompress(body, _CHUNK_BYTES)
        except zlib.error:
            return b""
        body = inflater.unconsumed_tail
        if not piece and not body and not inflater.eof:
            return b""  # cut short
        if len(inflated) + len(piece) > MAX_INFLATED_BYTES:
            return b""
        take(len(piece))
        inflated += piece
    return bytes(inflated)


class RestApi:
    """All that is below `/v1/`, and the metrics, as an ASGI application.

    Args:
        models: The loaded versions.
        metrics: Where requests are counted.
        options: How it answers.
    """

    def __init__(
        self,
        models: ServedModels,
        metrics: Metrics,
        options: RestOptions | None = None,
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._options = options or RestOptions()
        self._budget = _Budget(self._options.max_bodies_bytes)
        self._threads = ThreadPoolExecutor(
            self._options.threads, thread_name_prefix="kerassent-rest"
        )

    def close(self) -> None:
        """Ends the threads after what they do."""
        self._threads.shutdown()

    async def __call__(
        self, scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        path = _requested_path(scope)
        response: Response | None
        metrics_path = self._options.prometheus_path
        if _API.fullmatch(path):
            if request.method == "OPTIONS":
                origin = request.headers.get("origin", "")
                status = 200 if _ORIGIN.search(origin) else 400
                response = self._response(b"", status)
            else:
                response = await self._answer(request, path)
        elif metrics_path and path.split("?")[0] == metrics_path:
            response = self._metrics_page(path)
        else:
            response = Response(_NOT_FOUND, 404, media_type="text/html")
        if response is not None:
            await response(scope, receive, send)

    def _metrics_page(self, path: str) -> Response:
        if path != self._options.prometheus_path:
            return Response(
                f"Unexpected path: {path}. Should be "
                f"{self._options.prometheus_path}",
                400,
                media_type="text/plain",
            )
        return Response(self._metrics.page(), media_type="text/plain")

    def _response(self, content: bytes, status: int) -> Response:
        headers = {"Content-Type": "application/json"}
        if self._options.cors:
            headers |= _CORS_HEADERS
        return Response(content, status, headers=headers)

    async def _answer(self, request: Request, path: str) -> Response | None:
        hold = _Hold(self._budget)
        try:
            body = await self._read_body(request, hold)
            # Neither the model's run nor the JSON may hold up others.
            status, content = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._process, request, path, body, hold
            )
        except ClientDisconnect:
            return None
        except _Refused as refused:
            status, content = refused.status, write_error(refused.message)
        finally:
            hold.end()
        return self._response(content, status)

    async def _read_body(self, request: Request, hold: _Hold) -> bytes:
        most = self._options.max_body_bytes
        too_large = _Refused(
            413,
            f"The request body is larger than the {most} bytes that this "
            "server reads. Send fewer instances in a request.",
        )
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            if len(body) + len(chunk) > most:
                raise too_large
            hold.take(len(chunk))
            body += chunk
        return bytes(body)

    def _process(
        self, request: Request, path: str, body: bytes, hold: _Hold
    ) -> tuple[int, bytes]:
        if "gzip" in request.headers.get("content-encoding", ""):
            body = inflate(body, hold.take)
        try:
            return 200, self._dispatch(request.method, path, body)
        except StatusError as error:
            return HTTP_STATUS[error.code], write_error(error.message)

    def _dispatch(self, method: str, path: str, body: bytes) -> bytes:
        if method == "POST" and (match := _POST.fullmatch(path)):
            spec = _model_spec(match)
            answer = {
                "predict": self._predict,
                "classify": self._classify,
                "regress": self._regress,
            }.get(match[4])
            if answer is not None:
                api = match[4].capitalize()
                return self._counted(api, spec, lambda: answer(spec, body))
        elif method == "GET" and (match := _GET.fullmatch(path)):
            spec = _model_spec(match)
            if match[4] == "metadata":
                return self._metadata(spec)
            return self._status(spec)
        raise invalid_argument(f"Malformed request: {method} {path}")

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
        resolved = signature_name or PREDICT_SIGNATURE
        with self._models.use(spec) as servable:
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
                timeout_ms=self._options.timeout_ms,
            )
        return write_rows(outputs) if in_rows else write_columns(outputs)

    def _classify(self, spec: ModelSpec, body: bytes) -> bytes:
        request = parse_json(body)
        signature_name = get_signature_name(request)
        examples = read_examples(request)
        with self._models.use(spec) as servable:
            return write_classifications(
                classify(
                    servable,
                    signature_name,
                    examples,
                    timeout_ms=self._options.timeout_ms,
                )
            )

    def _regress(self, spec: ModelSpec, body: bytes) -> bytes:
        request = parse_json(body)
        signature_name = get_signature_name(request)
        examples = read_examples(request)
        with self._models.use(spec) as servable:
            return write_regressions(
                regress(
                    servable,
                    signature_name,
                    examples,
                    timeout_ms=self._options.timeout_ms,
                )
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
