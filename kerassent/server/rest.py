"""The HTTP side of REST: which path answers, in which thread, and how.

Below `/v1/` is TensorFlow Serving's API, elsewhere the metrics and whatever
`RestOptions.pages` adds.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kerassent.server.json_response import write_error
from kerassent.server.lifecycle import ServedModels
from kerassent.server.listening import THREADS
from kerassent.server.metrics import Metrics
from kerassent.server.request_bodies import (
    MAX_BODIES_BYTES,
    MAX_BODY_BYTES,
    BodyRefused,
    Budget,
    Hold,
    inflate,
    read_body,
)
from kerassent.server.rest_calls import RestCalls
from kerassent.server.rest_urls import is_api
from kerassent.server.status import HTTP_STATUS, StatusError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"

_CORS_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_ORIGIN: Final = re.compile(r"https?://")
_NOT_FOUND: Final = (
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n"
    b"<H1>Not Found</H1>\n</BODY></HTML>\n"
)

# Makes the answer to a GET; it runs in the event loop, so it must not wait.
Page = Callable[[Request], Response]


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
        pages: What else a GET finds outside `/v1/`, by path, such as
            `{"/": page}`.
    """

    timeout_ms: int = 30_000
    cors: bool = False
    prometheus_path: str = ""
    max_body_bytes: int = MAX_BODY_BYTES
    max_bodies_bytes: int = MAX_BODIES_BYTES
    threads: int = THREADS
    pages: Mapping[str, Page] = field(default_factory=dict)


class RestApi:
    """The ASGI application behind the HTTP port.

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
        self._options = options or RestOptions()
        self._metrics = metrics
        self._calls = RestCalls(models, metrics, self._options.timeout_ms)
        self._budget = Budget(self._options.max_bodies_bytes)
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
        if not is_api(path):
            response = self._page(request, path)
        elif request.method == "OPTIONS":
            origin = request.headers.get("origin", "")
            response = self._response(
                b"", 200 if _ORIGIN.search(origin) else 400
            )
        else:
            response = await self._answer(request, path)
        if response is not None:
            await response(scope, receive, send)

    def _page(self, request: Request, path: str) -> Response:
        plain = path.split("?")[0]
        if plain and plain == self._options.prometheus_path:
            return self._metrics_page(path)
        page = self._options.pages.get(plain)
        if page is not None and request.method == "GET":
            return page(request)
        return Response(_NOT_FOUND, 404, media_type="text/html")

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
        hold = Hold(self._budget)
        try:
            body = await read_body(request, self._options.max_body_bytes, hold)
            # Neither the model's run nor the JSON may hold up others.
            status, content = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._process, request, path, body, hold
            )
        except ClientDisconnect:
            return None
        except BodyRefused as refused:
            status, content = refused.status, write_error(refused.message)
        finally:
            hold.end()
        return self._response(content, status)

    def _process(
        self, request: Request, path: str, body: bytes, hold: Hold
    ) -> tuple[int, bytes]:
        if "gzip" in request.headers.get("content-encoding", ""):
            body = inflate(body, hold.take)
        try:
            return 200, self._calls.answer(request.method, path, body)
        except StatusError as error:
            return HTTP_STATUS[error.code], write_error(error.message)


def _requested_path(scope: "Scope") -> str:
    """Returns path and query as they came, for both are matched."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        raw += b"?" + scope["query_string"]
    return raw.decode("utf-8", "surrogateescape")
