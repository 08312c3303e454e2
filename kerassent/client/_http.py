"""HTTP: a question goes out, and the JSON of its answer comes back in time."""

import json
from collections.abc import Mapping
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from urllib3.exceptions import ReadTimeoutError

from kerassent.client import _errors
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure
from kerassent.client._http_timing import TimedAdapter
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
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


class Http:
    """Exchanges JSON with a server.

    A deadline bounds all of an exchange, but for a name server that says
    nothing and a server that reads nothing.

    Args:
        target: The server, and the model that errors name.
        url: What the paths of questions are added to.
        headers: HTTP headers for every request.
        tls: PEM files for an `https` address.
    """

    def __init__(
        self,
        target: Target,
        url: str,
        *,
        headers: Mapping[str, str],
        tls: TlsFiles,
    ) -> None:
        self._target = target
        self._url = url
        # Passed with each request: on the session, the environment's
        # REQUESTS_CA_BUNDLE would win over it.
        self._verify = str(tls.ca_cert) if tls.ca_cert else True
        self._session = requests.Session()
        adapter = TimedAdapter(pool_maxsize=_MAX_CONNECTIONS)
        self._session.mount(f"{target.address.scheme}://", adapter)
        self._session.headers.update(headers)
        # Else a ~/.netrc would replace the caller's Authorization header.
        self._session.auth = lambda request: request
        # A cookie would be state that threads share.
        self._session.cookies.set_policy(DefaultCookiePolicy([], []))
        if tls.client_cert and tls.client_key:
            self._session.cert = (str(tls.client_cert), str(tls.client_key))

    def close(self) -> None:
        """Closes the idle connections."""
        self._session.close()

    def exchange(self, path: str, question: Any, deadline: Deadline) -> Any:
        """Returns the JSON of an answer.

        Args:
            path: What comes after the URL.
            question: What to post as JSON; `None` gets instead.
            deadline: When the answer must be there.

        Raises:
            Failure: There is none, or it is no JSON, or an error.
        """
        body = None
        if question is not None:
            body = json.dumps(question, ensure_ascii=False).encode()
        try:
            # A socket can't wait for no time at all.
            response = self._session.request(
                "GET" if body is None else "POST",
                self._url + path,
                data=body,
                headers={"Content-Type": "application/json"} if body else {},
                timeout=max(deadline.left(), 1e-3),
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _connection_error(self._target, error, deadline) from error
        try:
            # The standard library's: it takes the server's bare NaN.
            answer = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            text = response.content.decode("utf-8", "replace")
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

    def _refused(self, response: requests.Response, text: str) -> Failure:
        return _errors.server_error(
            self._target,
            _ERROR_CLASSES.get(response.status_code, ServingError),
            code=f"{response.status_code} {response.reason}",
            text=text,
            pause=_seconds(response.headers.get("Retry-After", "")),
        )


def _seconds(retry_after: str) -> float:
    """Returns the header's seconds, or 0 where it names a date or nothing."""
    return float(retry_after) if retry_after.strip().isdecimal() else 0.0


def _connection_error(
    target: Target,
    error: requests.RequestException,
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
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or (
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
