"""Client: a served model as a Python object."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

import numpy as np

from kerassent.client._address import parse_url
from kerassent.client._answer import Answer, checked_answer
from kerassent.client._options import checked_headers, checked_timeout
from kerassent.client._status import ModelVersionStatus
from kerassent.client._target import Target
from kerassent.client._tls import PathArgument, TlsFiles, checked_tls_files
from kerassent.client._transport import FloatArray, Transport
from kerassent.contract import Prediction, encode_texts
from kerassent.errors import DeadlineExceeded, ServingError, listed

_TEXTS_PER_REQUEST: Final = 512
_POLL_SECONDS: Final = 0.2


class Client:
    """Asks a model that TensorFlow Serving or `kerassent serve` serves.

    gRPC and REST give equal answers: the probabilities are the model's own
    float32 numbers either way. REST needs no TensorFlow on this side. A
    client may be used by many threads at once and for as long as one likes;
    a server that went away and came back is found again.

    Args:
        url: `grpc://host:port`, `grpcs://host:port` (with TLS),
            `http://host:port[/prefix]` or `https://…`. The usual ports are
            8500 for gRPC and 8501 for REST.
        model_name: The name under which the server has the model.
        version: A version number. Without it, and without `version_label`,
            the server takes the newest.
        version_label: A label that the server's configuration gives to a
            version, such as `"stable"`.
        timeout: Seconds that one request may take (over REST: that the
            connection and each part of the answer may take), above 0 and at
            most a day. `predict` makes a request for every 512 texts.
        headers: HTTP headers or, in lower case, gRPC metadata, for every
            request: an `Authorization`, say.
        ca_cert: Path of a PEM file with the authorities to trust, where the
            server's certificate is not from a public one.
        client_cert: Path of a PEM file with the client's certificate, where
            the server asks for one; with `client_key`.
        client_key: Path of a PEM file with that certificate's key.

    Raises:
        TypeError: An argument is not of the type above.
        ValueError: An argument has no sense; the message says which.

    Example:
    ```python
    with Client("grpc://localhost:8500", model_name="sentiment") as client:
        client.predict(["A wonderful film."])
    # [Prediction(label='pos', score=0.98, probabilities={...})]
    ```
    """

    def __init__(
        self,
        url: str,
        *,
        model_name: str,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        ca_cert: PathArgument | None = None,
        client_cert: PathArgument | None = None,
        client_key: PathArgument | None = None,
    ) -> None:
        self._target = Target(
            parse_url(url), model_name, version, version_label
        )
        self._timeout = checked_timeout(timeout)
        tls = checked_tls_files(
            self._target.address,
            ca_cert=ca_cert,
            client_cert=client_cert,
            client_key=client_key,
        )
        self._transport = _connect(
            self._target, headers=checked_headers(headers), tls=tls
        )
        self._class_names: tuple[str, ...] | None = None
        self._closed = False

    @property
    def url(self) -> str:
        """The server's URL, with its port."""
        return self._target.address.url

    @property
    def model_name(self) -> str:
        """The model's name on the server."""
        return self._target.model_name

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in the order of `predict_proba`'s columns.

        The server is asked, with one empty text, the first time only.
        """
        if self._class_names is None:
            self._class_names = next(self._answers([b""])).class_names
        return self._class_names

    def predict(self, texts: Iterable[str | bytes]) -> list[Prediction]:
        """Returns a Prediction for each text, in order.

        Any string and any bytes are a text: emoji, NUL and lone surrogates
        reach the model unharmed. No texts, no request.

        Args:
            texts: Strings or bytes. A single string is refused.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: The server gave no answer, or none that makes
                sense; see `kerassent.errors` for its kinds.
        """
        return [
            prediction
            for answer in self._answers(encode_texts(texts))
            for prediction in answer.predictions()
        ]

    def predict_proba(self, texts: Iterable[str | bytes]) -> FloatArray:
        """Returns probabilities, float32 `(num_texts, num_classes)`.

        The columns are in the order of `class_names`.

        Args:
            texts: Strings or bytes. A single string is refused.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: As with `predict`; also when the server meanwhile
                has a model with other classes.
        """
        encoded = encode_texts(texts)
        if not encoded:
            return np.zeros((0, len(self.class_names)), np.float32)
        parts = []
        for answer in self._answers(encoded):
            if self._class_names is None:
                self._class_names = answer.class_names
            if answer.class_names != self._class_names:
                raise self._target.error(
                    ServingError,
                    f"The model {self._target} at {self._target.address} "
                    f"changed its classes from {listed(self._class_names)} "
                    f"to {listed(answer.class_names)}: the server has loaded "
                    "another version. Make a new Client, or pass `version`.",
                )
            parts.append(answer.probabilities)
        return np.concatenate(parts)

    def status(self) -> list[ModelVersionStatus]:
        """Returns the state of each version, the newest first.

        With `version`, of that version alone.

        Raises:
            ServingError: The server gave no answer, or knows no such model.
        """
        return self._open_transport().status(timeout=self._timeout)

    def metadata(self) -> dict[str, Any]:
        """Returns the model's name, version and signatures.

        They are as `GET /v1/models/NAME/metadata` gives them, over gRPC too:
        the signatures are in `["metadata"]["signature_def"]["signature_def"]`.

        Raises:
            ServingError: The server gave no answer, or knows no such model.
        """
        return self._open_transport().metadata(timeout=self._timeout)

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits for the server to come up and to have loaded the model.

        Args:
            timeout: Seconds to wait, 0 or more.

        Raises:
            DeadlineExceeded: The server is there, but no version of the
                model is AVAILABLE.
            ServingError: What the last attempt met, in its own kind.
        """
        if not timeout >= 0:
            raise ValueError(
                f"`timeout` must be 0 or more seconds. Received: {timeout!r}"
            )
        transport = self._open_transport()
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            # Even the last attempt gets a second, to end with a reason.
            request_timeout = min(self._timeout, max(left, 1.0))
            try:
                statuses = transport.status(timeout=request_timeout)
                if any(status.state == "AVAILABLE" for status in statuses):
                    if self._target.version_label is not None:
                        # Status knows no labels; this fails until it's there.
                        transport.metadata(timeout=request_timeout)
                    return
                problem: ServingError = self._target.error(
                    DeadlineExceeded,
                    f"The model {self._target} at {self._target.address} was "
                    f"not AVAILABLE within {timeout:.4g} seconds: "
                    f"{', '.join(map(str, statuses)) or 'no versions'}. Wait "
                    "longer, or see the server's log.",
                )
            except ServingError as error:
                problem = error
            if time.monotonic() + _POLL_SECONDS >= deadline:
                raise problem
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Closes the connections. Closing again does nothing."""
        self._closed = True
        self._transport.close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes the connections."""
        self.close()

    def __repr__(self) -> str:
        """Shows what is asked and where, and no headers: they are secrets."""
        arguments = [repr(self.url), f"model_name={self.model_name!r}"]
        if self._target.version is not None:
            arguments.append(f"version={self._target.version}")
        if self._target.version_label is not None:
            arguments.append(f"version_label={self._target.version_label!r}")
        return f"Client({', '.join(arguments)})"

    def _open_transport(self) -> Transport:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed. Make a new one.")
        return self._transport

    def _answers(self, texts: list[bytes]) -> Iterator[Answer]:
        transport = self._open_transport()
        for start in range(0, len(texts), _TEXTS_PER_REQUEST):
            chunk = texts[start : start + _TEXTS_PER_REQUEST]
            yield checked_answer(
                transport.predict(chunk, timeout=self._timeout),
                num_texts=len(chunk),
                target=self._target,
            )


def _connect(
    target: Target, *, headers: Mapping[str, str], tls: TlsFiles
) -> Transport:
    """Returns the transport for the URL, and imports no other one's."""
    if target.address.is_grpc:
        from kerassent.client._grpc import GrpcTransport

        return GrpcTransport(target, headers=headers, tls=tls)
    from kerassent.client._rest import RestTransport

    return RestTransport(target, headers=headers, tls=tls)
