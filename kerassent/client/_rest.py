"""TensorFlow Serving's REST API. Nothing here imports TensorFlow.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    ProtocolError,
    ReadTimeoutError,
)

from kerassent.client import _errors
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure
from kerassent.client._status import ModelVersionStatus, statuses_from_json
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._transport import Classes, Outputs
from kerassent.client._waiting import Waiting
from kerassent.contract import TEXT, rest_model_path
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerUnavailable,
    ServingError,
)

# What is not here is a plain ServingError.
_ERROR_CLASSES: Final[dict[int, type[ServingError]]] = {
    400: InvalidRequest,
    404: ModelNotFound,
    413: InvalidRequest,
    429: Overloaded,
    502: ServerUnavailable,
    503: ServerUnavailable,
    504: DeadlineExceeded,
}


# So many idle connections are kept.
_MAX_CONNECTIONS: Final = 64
_READ_BYTES: Final = 1 << 16


class RestTransport:
    """Asks one model over HTTP.

    A deadline bounds the wait for the connection, for the first part of the
    answer, and for all of it; a server that stops amid the answer can take
    twice as long.

    Args:
        target: The model and its server.
        headers: HTTP headers for every request.
        tls: PEM files for an `https` address.
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
        self._url = target.address.url + rest_model_path(
            target.model_name,
            version=target.version,
            label=target.version_label,
        )
        # Passed with each request: on the session, the environment's
        # REQUESTS_CA_BUNDLE would win over it.
        self._verify = str(tls.ca_cert) if tls.ca_cert else True
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS)
        self._session.mount(f"{target.address.scheme}://", adapter)
        self._session.headers.update(headers)
        # Else a ~/.netrc would replace the caller's Authorization header.
        self._session.auth = lambda request: request
        # A cookie would be state that threads share.
        self._session.cookies.set_policy(DefaultCookiePolicy([], []))
        if tls.client_cert and tls.client_key:
            self._session.cert = (str(tls.client_cert), str(tls.client_key))
        self._only_outputs: dict[str, str] = {}

    async def predict(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Outputs:
        """Returns all outputs of a signature with the input `text`."""
        question = {
            "signature_name": signature_name,
            "instances": [{TEXT: _json_text(text)} for text in texts],
        }
        answer = await self._ask(":predict", question, deadline=deadline)
        rows = answer.get("predictions") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise _errors.odd_answer(
                self._target,
                f"not {len(texts)} 'predictions' in {str(answer)[:200]!r}",
            )
        if not all(isinstance(row, dict) for row in rows):
            # A model with one output: rows come without its name.
            name = await self._only_output(signature_name, deadline)
            rows = [{name: row} for row in rows]
        return self._columns(rows)

    async def classify(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Classes:
        """Returns what TensorFlow Serving's Classify API says of texts."""
        question = {
            "signature_name": signature_name,
            "examples": [{TEXT: _json_text(text)} for text in texts],
        }
        answer = await self._ask(":classify", question, deadline=deadline)
        try:
            return [
                [(str(label), float(np.float32(score))) for label, score in row]
                for row in answer["results"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise _errors.odd_answer(
                self._target, f"no 'results' in {str(answer)[:200]!r}"
            ) from error

    async def status(self, *, deadline: Deadline) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""
        answer = await self._ask("", deadline=deadline)
        try:
            return statuses_from_json(answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _errors.odd_answer(
                self._target, f"no model status in {str(answer)[:200]!r}"
            ) from error

    async def metadata(self, *, deadline: Deadline) -> dict[str, Any]:
        """Returns the model's signatures."""
        answer = await self._ask("/metadata", deadline=deadline)
        if not isinstance(answer, dict) or "metadata" not in answer:
            raise _errors.odd_answer(
                self._target, f"no metadata in {str(answer)[:200]!r}"
            )
        return answer

    def close(self) -> None:
        """Closes the idle connections."""
        self._session.close()

    async def _ask(
        self, path: str, question: Any = None, *, deadline: Deadline
    ) -> Any:
        """Makes one request and returns the JSON of its answer."""
        return await self._waiting.call(
            lambda: self._exchange(path, question, deadline)
        )

    def _exchange(self, path: str, question: Any, deadline: Deadline) -> Any:
        body = None
        if question is not None:
            body = json.dumps(question, ensure_ascii=False).encode()
        try:
            # A socket can't wait for no time at all.
            timeout = max(deadline.left(), 1e-3)
            with self._session.request(
                "GET" if body is None else "POST",
                self._url + path,
                data=body,
                headers={"Content-Type": "application/json"} if body else {},
                timeout=timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._read(response, deadline)
        except (requests.RequestException, HTTPError) as error:
            raise _connection_error(self._target, error, deadline) from error
        try:
            # The standard library's: it takes the server's bare NaN.
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            text = content.decode("utf-8", "replace")
            if response.status_code in (413, 429, 502, 503, 504):
                # What stands in front of the server writes no JSON.
                raise self._refused(response, text) from error
            raise _errors.odd_answer(
                self._target,
                f"{response.status_code} {response.reason}, "
                f"not JSON but {text[:200]!r}",
            ) from error
        if response.status_code == 200:
            return answer
        message = answer.get("error") if isinstance(answer, dict) else None
        raise self._refused(
            response, message if isinstance(message, str) else str(answer)
        )

    def _read(self, response: requests.Response, deadline: Deadline) -> bytes:
        """Returns the whole body; `response.content` would take its time."""
        parts = []
        while part := response.raw.read1(_READ_BYTES, decode_content=True):
            parts.append(part)
            if not deadline.left():
                raise _errors.no_answer_in_time(self._target, deadline.timeout)
        return b"".join(parts)

    def _refused(self, response: requests.Response, text: str) -> Failure:
        return _errors.server_error(
            self._target,
            _ERROR_CLASSES.get(response.status_code, ServingError),
            code=f"{response.status_code} {response.reason}",
            text=text,
            pause=_seconds(response.headers.get("Retry-After", "")),
        )

    async def _only_output(
        self, signature_name: str, deadline: Deadline
    ) -> str:
        """Returns the name of a signature's only output."""
        if signature_name not in self._only_outputs:
            metadata = await self.metadata(deadline=deadline)
            try:
                signatures = metadata["metadata"]["signature_def"]
                signature = signatures["signature_def"][signature_name]
                (self._only_outputs[signature_name],) = signature["outputs"]
            except (KeyError, TypeError, ValueError) as error:
                raise _errors.odd_answer(
                    self._target,
                    "its rows have no names, and its metadata no signature "
                    f"{signature_name!r} with one output",
                ) from error
        return self._only_outputs[signature_name]

    def _columns(self, rows: list[dict[str, Any]]) -> Outputs:
        """Turns `[{output: value, ...}, ...]` by 90 degrees."""
        outputs = {}
        for name in rows[0] if rows else ():
            try:
                outputs[name] = _array([row[name] for row in rows])
            except (KeyError, ValueError) as error:
                raise _errors.odd_answer(
                    self._target, f"output '{name}': {error}"
                ) from error
        return outputs


def _json_text(text: bytes) -> str | dict[str, str]:
    """Returns a text as JSON can hold it; not all bytes are UTF-8."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": b64encode(text).decode("ascii")}


def _array(column: list[Any]) -> npt.NDArray[Any]:
    """Returns one output of all rows: `str` objects, or numbers.

    The server writes a float32 with just enough digits to tell it from its
    neighbours, so that float32 gives back the model's very number.
    """
    first: Any = column
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, str):
        strings = np.array(column, object)
        # Where the rows differ in length, numpy keeps lists as the values.
        if not all(isinstance(value, str) for value in strings.flat):
            raise ValueError(f"strings and other values in {column[:2]!r}")
        return strings
    array = np.array(column)  # ValueError where the rows differ in length
    if array.dtype.kind not in "bfi":
        raise ValueError(f"neither strings nor numbers, but {column[:1]!r}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _seconds(retry_after: str) -> float:
    """Returns the header's seconds, or 0 where it names a date or nothing."""
    return float(retry_after) if retry_after.strip().isdecimal() else 0.0


def _connection_error(
    target: Target,
    error: requests.RequestException | HTTPError,
    deadline: Deadline,
) -> Failure:
    """Returns the failure of a request that got no whole answer."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    # While the body comes in, requests calls a timeout a ConnectionError.
    if isinstance(error, requests.Timeout) or isinstance(
        cause, ReadTimeoutError
    ):
        return _errors.no_answer_in_time(target, deadline.timeout)
    if isinstance(error, requests.exceptions.ProxyError):
        return _errors.proxy_failed(target, cause)
    if isinstance(error, requests.exceptions.SSLError):
        return _errors.tls_failed(target, cause)
    if isinstance(cause, BadStatusLine) and not isinstance(
        cause, RemoteDisconnected
    ):
        return _errors.wrong_protocol(target)
    # requests' own errors are OSErrors, too; only another one says more.
    if isinstance(error, ProtocolError | IncompleteRead) or (
        isinstance(cause, OSError | HTTPException) and cause is not error
    ):
        return _errors.connection_lost(target, cause)
    if isinstance(error, requests.ConnectionError):
        return _errors.nothing_answers(target)
    return Failure(
        target.error(
            ServingError, f"The request to {target.address} failed: {error}"
        )
    )
