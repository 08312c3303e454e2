"""What `Client` and `AsyncClient` share: all but the way to wait."""

import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

import numpy as np

from kerassent.client._address import parse_url
from kerassent.client._answer import (
    as_it_is,
    checked_answer,
    checked_classes,
    checked_explanations,
    joined,
)
from kerassent.client._chunks import Limits, chunks
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure
from kerassent.client._options import (
    checked_count,
    checked_headers,
    checked_timeout,
)
from kerassent.client._requests import Requests
from kerassent.client._status import ModelVersionStatus
from kerassent.client._target import Target
from kerassent.client._tls import PathArgument, checked_tls_files
from kerassent.client._transport import FloatArray, Transport, connect
from kerassent.client._waiting import Waiting
from kerassent.contract import (
    CLASSIFY_SIGNATURE,
    EXPLAIN_SIGNATURE,
    PREDICT_SIGNATURE,
    Explanation,
    Prediction,
)
from kerassent.errors import DeadlineExceeded, ServingError, listed

T = TypeVar("T")

_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    Args:
        method: The transport's method for it.
        signature_name: The signature it goes to unless told otherwise.
        max_texts: The most texts in a request, where that is few.
    """

    method: str
    signature_name: str
    max_texts: int | None = None


PREDICT: Final = Kind("predict", PREDICT_SIGNATURE)
CLASSIFY: Final = Kind("classify", CLASSIFY_SIGNATURE)
# It takes a few times what predicting does, and the answers are long.
EXPLAIN: Final = Kind("predict", EXPLAIN_SIGNATURE, max_texts=16)


class Connection:
    """A model on a server, asked in coroutines that wait as they are told.

    Its arguments are `Client`'s.
    """

    _make_waiting: ClassVar[Callable[[], Waiting]]

    def __init__(
        self,
        url: str,
        *,
        model_name: str,
        version: int | None = None,
        version_label: str | None = None,
        signature_name: str | None = None,
        timeout: float = 30.0,
        retry: bool = True,
        max_batch_size: int = 64,
        max_in_flight: int = 4,
        headers: Mapping[str, str] | None = None,
        ca_cert: PathArgument | None = None,
        client_cert: PathArgument | None = None,
        client_key: PathArgument | None = None,
    ) -> None:
        self._target = Target(
            parse_url(url), model_name, version, version_label, signature_name
        )
        tls = checked_tls_files(
            self._target.address,
            ca_cert=ca_cert,
            client_cert=client_cert,
            client_key=client_key,
        )
        self._requests = Requests(
            waiting=type(self)._make_waiting(),
            limits=Limits(checked_count("max_batch_size", max_batch_size)),
            timeout=checked_timeout(timeout),
            retry=retry,
            max_in_flight=checked_count("max_in_flight", max_in_flight),
        )
        self._transport = connect(
            self._target,
            headers=checked_headers(headers),
            tls=tls,
            waiting=self._requests.waiting,
        )
        self._requests.turn = self._transport.turn
        self._class_names: tuple[str, ...] | None = None

    @property
    def url(self) -> str:
        """The server's URL, with its port."""
        return self._target.address.url

    @property
    def model_name(self) -> str:
        """The model's name on the server."""
        return self._target.model_name

    @property
    def model_spec(self) -> str:
        """The model and what of it is asked: `sentiment, version 3`."""
        return self._target.model_spec

    def __repr__(self) -> str:
        """Shows what is asked and where, and no headers: they are secrets."""
        arguments = [repr(self.url), f"model_name={self.model_name!r}"]
        for name in ("version", "version_label", "signature_name"):
            value = getattr(self._target, name)
            if value is not None:
                arguments.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _close(self) -> None:
        self._requests.closed = True
        self._transport.close()
        self._requests.waiting.close()

    def _open_transport(self) -> Transport:
        if self._requests.closed:
            raise RuntimeError(f"{self!r} is closed. Make a new one.")
        return self._transport

    def _asked(
        self,
        kind: Kind,
        check: Callable[..., T],
        texts: Iterable[bytes],
        timeout: float | None,
    ) -> AsyncGenerator[T]:
        """Yields what the server says of texts, request by request.

        Args:
            kind: What is asked.
            check: Makes something of an answer.
            texts: What it is asked of.
            timeout: Seconds for all texts, or `None`.
        """
        if timeout is not None:
            timeout = checked_timeout(timeout)
        transport = self._open_transport()
        method = getattr(transport, kind.method)
        signature_name = self._target.signature_name or kind.signature_name

        async def ask(texts: Sequence[bytes], deadline: Deadline) -> T:
            answer = await method(
                texts, signature_name=signature_name, deadline=deadline
            )
            return check(answer, num_texts=len(texts), target=self._target)

        requests = chunks(
            texts, self._requests.limits, max_texts=kind.max_texts
        )
        return self._requests.in_order(ask, requests, timeout)

    async def _fetch_class_names(self) -> tuple[str, ...]:
        if self._class_names is None:
            asked = self._asked(PREDICT, checked_answer, [b""], None)
            (answer,) = [answer async for answer in asked]
            self._class_names = answer.class_names
        return self._class_names

    async def _predict(
        self, texts: Iterable[bytes], timeout: float | None
    ) -> AsyncGenerator[Prediction]:
        asked = self._asked(PREDICT, checked_answer, texts, timeout)
        async with aclosing(asked):
            async for answer in asked:
                for prediction in answer.predictions():
                    yield prediction

    def _check_class_names(self, class_names: tuple[str, ...]) -> None:
        if self._class_names is None:
            self._class_names = class_names
        if class_names != self._class_names:
            raise self._target.error(
                ServingError,
                f"The model {self._target} at {self._target.address} changed "
                f"its classes from {listed(self._class_names)} to "
                f"{listed(class_names)}: the server has loaded another "
                "version. Make a new Client, or pass `version`.",
            )

    async def _predict_proba(
        self, texts: Iterable[bytes], timeout: float | None
    ) -> FloatArray:
        parts = []
        asked = self._asked(PREDICT, checked_answer, texts, timeout)
        async with aclosing(asked):
            async for answer in asked:
                self._check_class_names(answer.class_names)
                parts.append(answer.probabilities)
        if not parts:
            names = await self._fetch_class_names()
            return np.zeros((0, len(names)), np.float32)
        return np.concatenate(parts)

    async def _outputs(
        self, texts: Iterable[bytes], timeout: float | None
    ) -> dict[str, Any]:
        asked = self._asked(PREDICT, as_it_is, texts, timeout)
        parts = [part async for part in asked]
        return joined(parts, target=self._target)

    async def _classify(
        self, texts: Iterable[bytes], timeout: float | None
    ) -> list[Prediction]:
        asked = self._asked(CLASSIFY, checked_classes, texts, timeout)
        return [prediction async for part in asked for prediction in part]

    async def _explain(
        self, texts: Iterable[bytes], timeout: float | None
    ) -> list[Explanation]:
        asked = self._asked(EXPLAIN, checked_explanations, texts, timeout)
        return [explanation async for part in asked for explanation in part]

    async def _status(self) -> list[ModelVersionStatus]:
        transport = self._open_transport()
        return await self._requests.one(
            lambda deadline: transport.status(deadline=deadline)
        )

    async def _metadata(self) -> dict[str, Any]:
        transport = self._open_transport()
        return await self._requests.one(
            lambda deadline: transport.metadata(deadline=deadline)
        )

    async def _wait_until_ready(self, timeout: float) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(
                "`timeout` must be a number of seconds. Received: "
                f"{timeout!r} of type {type(timeout).__name__}"
            )
        if not timeout >= 0:
            raise ValueError(
                f"`timeout` must be 0 or more seconds. Received: {timeout!r}"
            )
        transport = self._open_transport()
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            # Even the last attempt gets a second, to end with a reason.
            request_timeout = min(self._requests.timeout, max(left, 1.0))
            deadline = Deadline.after(request_timeout)
            try:
                async with transport.turn(deadline):
                    statuses = await transport.status(deadline=deadline)
                self._requests.has_answered = True
                if any(status.state == "AVAILABLE" for status in statuses):
                    if self._target.version_label is not None:
                        deadline = Deadline.after(request_timeout)
                        # Status knows no labels; this fails until it's there.
                        async with transport.turn(deadline):
                            await transport.metadata(deadline=deadline)
                    return
                problem: ServingError = self._target.error(
                    DeadlineExceeded,
                    f"The model {self._target} at {self._target.address} was "
                    f"not AVAILABLE within {timeout:.4g} seconds: "
                    f"{', '.join(map(str, statuses)) or 'no versions'}. Wait "
                    "longer, or see the server's log.",
                )
            except Failure as failure:
                problem = failure.error
                problem.__cause__ = failure.__cause__
            if time.monotonic() + _POLL_SECONDS >= end:
                raise problem
            await self._requests.waiting.sleep(_POLL_SECONDS)
