"""Client: a served model as a Python object."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from kerassent.client._connection import Connection
from kerassent.client._status import ModelVersionStatus
from kerassent.client._transport import FloatArray
from kerassent.client._waiting import Blocking, iterate, run
from kerassent.contract import (
    Explanation,
    Prediction,
    encode_each,
    encode_texts,
)


class Client(Connection):
    """Asks a model that TensorFlow Serving or `kerassent serve` serves.

    gRPC and REST give equal answers: the probabilities are the model's own
    float32 numbers either way. Neither needs TensorFlow on this side. A client
    may be used by many threads at once and for as long as one likes; a server
    that went away and came back is found again.

    Texts go in requests of at most `max_batch_size` texts and 4 MiB,
    `max_in_flight` of them at a time; a request that the server finds too
    large is halved. Where the server is overloaded, or was there and is not,
    a request is made again after a while, until its `timeout` is over.

    Args:
        url: `grpc://host:port`, `grpcs://host:port` (with TLS), `http://…` or
            `https://…`, each with a `/prefix` if a gateway wants one; or
            `unix:///path` for gRPC over a socket. The usual ports are 8500
            for gRPC and 8501 for REST.
        model_name: The name under which the server has the model.
        version: A version number. Without it, and without `version_label`,
            the server takes the newest.
        version_label: A label that the server's configuration gives to a
            version, such as `"stable"`.
        signature_name: The signature to ask, whatever is asked. Without it
            `serving_default`, and for `classify` and `explain` the one of that
            name.
        timeout: Seconds until a request's answer must be there, with all
            attempts at it, above 0 and at most a day. A call with many texts
            makes many requests; its own `timeout` bounds all of them.
        retry: Whether to try again at all. Without it a first failure is told.
        max_batch_size: The most texts in a request.
        max_in_flight: The most requests that a call makes at a time.
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

    _make_waiting = Blocking

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in the order of `predict_proba`'s columns.

        They are "0", "1", ... for a model that doesn't name them. The server
        is asked, with one empty text, the first time only.
        """
        return run(self._fetch_class_names())

    def predict(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Prediction]:
        """Returns a Prediction for each text, in order.

        Any string and any bytes are a text: emoji, NUL and lone surrogates
        reach the model unharmed. No texts, no request.

        Args:
            texts: Strings or bytes. A single string is refused.
            timeout: Seconds for the whole call. Without it each request may
                take the client's `timeout`.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: The server gave no answer, or none that makes
                sense; see `kerassent.errors` for its kinds.
        """
        return list(iterate(self._predict(encode_texts(texts), timeout)))

    def predict_each(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> Iterator[Prediction]:
        """Yields what `predict` returns, for as many texts as one likes.

        `texts` is read as it is needed, `max_in_flight` requests ahead, so
        that memory does not grow with it.

        Args:
            texts: Strings or bytes, in any iterable.
            timeout: Seconds for all of it; without it, there is no end.

        Raises:
            TypeError: At once if `texts` is a single text; when it is met, if
                it holds something else.
            ServingError: As with `predict`.
        """
        return iterate(self._predict(encode_each(texts), timeout))

    def predict_proba(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> FloatArray:
        """Returns probabilities, float32 `(num_texts, num_classes)`.

        The columns are in the order of `class_names`.

        Args:
            texts: Strings or bytes. A single string is refused.
            timeout: Seconds for the whole call, as with `predict`.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: As with `predict`; also when the server meanwhile
                has a model with other classes.
        """
        return run(self._predict_proba(encode_texts(texts), timeout))

    def outputs(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Returns all outputs of any model with the input `text`, as they are.

        Args:
            texts: Strings or bytes. A single string is refused.
            timeout: Seconds for the whole call, as with `predict`.

        Returns:
            Arrays by the outputs' names, each with a row a text, of numbers or
            `str` objects. No texts, no arrays. JSON does not say a number's
            type; over REST it is float32, int64 or bool.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: As with `predict`.
        """
        return run(self._outputs(encode_texts(texts), timeout))

    def classify(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Prediction]:
        """Returns what `predict` does, through TensorFlow Serving's Classify.

        For a model that has only that; ours has both.

        Args:
            texts: Strings or bytes, which go as the feature `text`.
            timeout: Seconds for the whole call, as with `predict`.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: As with `predict`.
        """
        return run(self._classify(encode_texts(texts), timeout))

    def explain(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Explanation]:
        """Returns, for each text, how much each word moved the answer.

        Args:
            texts: Strings or bytes. A single string is refused.
            timeout: Seconds for the whole call, as with `predict`.

        Raises:
            TypeError: `texts` is a single text, or holds something else.
            ServingError: As with `predict`; also when the model has no
                signature `explain`.
        """
        return run(self._explain(encode_texts(texts), timeout))

    def status(self) -> list[ModelVersionStatus]:
        """Returns the state of each version, the newest first.

        With `version`, of that version alone.

        Raises:
            ServingError: The server gave no answer, or knows no such model.
        """
        return run(self._status())

    def metadata(self) -> dict[str, Any]:
        """Returns the model's name, version and signatures.

        They are as `GET /v1/models/NAME/metadata` gives them, over gRPC too:
        the signatures are in `["metadata"]["signature_def"]["signature_def"]`.

        Raises:
            ServingError: The server gave no answer, or knows no such model.
        """
        return run(self._metadata())

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits for the server to come up and to have loaded the model.

        Args:
            timeout: Seconds to wait, 0 or more.

        Raises:
            DeadlineExceeded: The server is there, but no version of the
                model is AVAILABLE.
            ServingError: What the last attempt met, in its own kind.
        """
        run(self._wait_until_ready(timeout))

    def close(self) -> None:
        """Closes the connections. Closing again does nothing."""
        self._close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes the connections."""
        self.close()
