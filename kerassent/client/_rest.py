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
from urllib3.exceptions import ReadTimeoutError

from kerassent.client import _errors
from kerassent.client._answer import check_output_names
from kerassent.client._status import ModelVersionStatus, statuses_from_json
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._transport import Outputs
from kerassent.contract import (
    CLASS_NAMES,
    LABEL,
    PREDICT_OUTPUTS,
    PREDICT_SIGNATURE,
    TEXT,
    rest_model_path,
)
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


class RestTransport:
    """Asks one model over HTTP.

    `timeout` bounds the wait for the connection and for each part of the
    answer.

    Args:
        target: The model and its server.
        headers: HTTP headers for every request.
        tls: PEM files for an `https` address.
    """

    def __init__(
        self, target: Target, *, headers: Mapping[str, str], tls: TlsFiles
    ) -> None:
        self._target = target
        self._url = target.address.url + rest_model_path(
            target.model_name,
            version=target.version,
            label=target.version_label,
        )
        # Passed with each request: on the session, the environment's
        # REQUESTS_CA_BUNDLE would win over it.
        self._verify = str(tls.ca_cert) if tls.ca_cert else True
        self._session = requests.Session()
        self._session.headers.update(headers)
        # Else a ~/.netrc would replace the caller's Authorization header.
        self._session.auth = lambda request: request
        # A cookie would be state that threads share.
        self._session.cookies.set_policy(DefaultCookiePolicy([], []))
        if tls.client_cert and tls.client_key:
            self._session.cert = (str(tls.client_cert), str(tls.client_key))

    def predict(self, texts: Sequence[bytes], *, timeout: float) -> Outputs:
        """Returns the outputs that `contract.PREDICT_OUTPUTS` names."""
        body = json.dumps(
            {
                "signature_name": PREDICT_SIGNATURE,
                "instances": [{TEXT: _json_text(text)} for text in texts],
            },
            ensure_ascii=False,
        )
        answer = self._ask(
            "POST", ":predict", body=body.encode(), timeout=timeout
        )
        return self._columns(answer)

    def status(self, *, timeout: float) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""
        answer = self._ask("GET", "", timeout=timeout)
        try:
            return statuses_from_json(answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _errors.odd_answer(
                self._target, f"no model status in {str(answer)[:200]!r}"
            ) from error

    def metadata(self, *, timeout: float) -> dict[str, Any]:
        """Returns the model's signatures."""
        answer = self._ask("GET", "/metadata", timeout=timeout)
        if not isinstance(answer, dict) or "metadata" not in answer:
            raise _errors.odd_answer(
                self._target, f"no metadata in {str(answer)[:200]!r}"
            )
        return answer

    def close(self) -> None:
        """Closes the idle connections."""
        self._session.close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        body: bytes | None = None,
    ) -> Any:
        """Makes one request and returns the JSON of its answer."""
        try:
            response = self._session.request(
                method,
                self._url + path,
                data=body,
                headers={"Content-Type": "application/json"} if body else {},
                timeout=timeout,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _connection_error(self._target, error, timeout) from error
        try:
            # The standard library's: it takes the server's bare NaN.
            answer = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            if response.status_code in (502, 503, 504):
                # What stands in front of the server writes no JSON.
                raise self._refused(response, response.text) from error
            raise _errors.odd_answer(
                self._target,
                f"{response.status_code} {response.reason}, "
                f"not JSON but {response.text[:200]!r}",
            ) from error
        if response.status_code == 200:
            return answer
        message = answer.get("error") if isinstance(answer, dict) else None
        raise self._refused(
            response, message if isinstance(message, str) else response.text
        )

    def _refused(self, response: requests.Response, text: str) -> ServingError:
        return _errors.server_error(
            self._target,
            _ERROR_CLASSES.get(response.status_code, ServingError),
            code=f"{response.status_code} {response.reason}",
            text=text,
        )

    def _columns(self, answer: Any) -> Outputs:
        """Turns `{"predictions": [{output: value, ...}, ...]}` by 90 degrees.

        The server writes a float32 with just enough digits to tell it from
        its neighbours, so that float32 gives back the model's very number.
        """
        rows = answer.get("predictions") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise _errors.odd_answer(
                self._target, f"no 'predictions' in {str(answer)[:200]!r}"
            )
        if not all(isinstance(row, dict) for row in rows):
            # A model with one output: rows come without its name.
            check_output_names(["(the only one, unnamed)"], self._target)
        outputs = {}
        for row in rows[:1]:
            check_output_names(row, self._target)
        for name in PREDICT_OUTPUTS:
            read = _strings if name in (LABEL, CLASS_NAMES) else _floats
            try:
                outputs[name] = read([row[name] for row in rows])
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


def _strings(column: list[Any]) -> npt.NDArray[Any]:
    """Returns one output of all rows as `str` objects."""
    array = np.array(column, object)
    # Where the rows differ in length, numpy keeps lists as the values.
    if not all(isinstance(value, str) for value in array.flat):
        raise ValueError(f"expected strings, received {column[:1]!r}")
    return array


def _floats(column: list[Any]) -> npt.NDArray[np.float32]:
    """Returns one output of all rows as float32."""
    array = np.array(column)  # ValueError where the rows differ in length
    if array.dtype.kind not in "fi":
        raise ValueError(f"expected numbers, received {column[:1]!r}")
    return array.astype(np.float32)


def _connection_error(
    target: Target, error: requests.RequestException, timeout: float
) -> ServingError:
    """Returns the error for a request that got no answer at all."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    # While the body comes in, requests calls a timeout a ConnectionError.
    if isinstance(error, requests.Timeout) or isinstance(
        cause, ReadTimeoutError
    ):
        return _errors.no_answer_in_time(target, timeout)
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
    return target.error(
        ServingError, f"The request to {target.address} failed: {error}"
    )
