"""AsyncClient: Client for programs with an event loop."""

from collections.abc import AsyncGenerator, Awaitable, Iterable
from typing import Any, Self

from kerassent.client._connection import Connection
from kerassent.client._status import ModelVersionStatus
from kerassent.client._transport import FloatArray
from kerassent.client._waiting import OnEventLoop
from kerassent.contract import (
    Explanation,
    Prediction,
    encode_each,
    encode_texts,
)


class AsyncClient(Connection):
    """Asks a served model from coroutines: `Client`, with `await`.

    All arguments, results and errors are `Client`'s. A call that is cancelled
    cancels its requests. Over gRPC a request costs no thread; over REST each
    one that is under way has one of 64, and more wait their turn. Make it
    where an event loop runs, and use it in that one.

    Args:
        url: As all others, `Client`'s.

    Example:
    ```python
    async with AsyncClient(
        "grpc://localhost:8500", model_name="sentiment"
    ) as client:
        await client.predict(["A wonderful film."])
    ```
    """

    _make_waiting = OnEventLoop

    @property
    def class_names(self) -> Awaitable[tuple[str, ...]]:
        """`Client.class_names`: `names = await client.class_names`."""
        return self._fetch_class_names()

    async def predict(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Prediction]:
        """Returns what `Client.predict` does."""
        predictions = self._predict(encode_texts(texts), timeout)
        return [prediction async for prediction in predictions]

    def predict_each(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> AsyncGenerator[Prediction]:
        """Yields what `Client.predict_each` does, for `async for`."""
        return self._predict(encode_each(texts), timeout)

    async def predict_proba(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> FloatArray:
        """Returns what `Client.predict_proba` does."""
        return await self._predict_proba(encode_texts(texts), timeout)

    async def outputs(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Returns what `Client.outputs` does."""
        return await self._outputs(encode_texts(texts), timeout)

    async def classify(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Prediction]:
        """Returns what `Client.classify` does."""
        return await self._classify(encode_texts(texts), timeout)

    async def explain(
        self, texts: Iterable[str | bytes], *, timeout: float | None = None
    ) -> list[Explanation]:
        """Returns what `Client.explain` does."""
        return await self._explain(encode_texts(texts), timeout)

    async def status(self) -> list[ModelVersionStatus]:
        """Returns what `Client.status` does."""
        return await self._status()

    async def metadata(self) -> dict[str, Any]:
        """Returns what `Client.metadata` does."""
        return await self._metadata()

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits as `Client.wait_until_ready` does."""
        await self._wait_until_ready(timeout)

    async def close(self) -> None:
        """Closes the connections. Closing again does nothing."""
        self._close()

    async def __aenter__(self) -> Self:
        """Returns the client itself."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Closes the connections."""
        await self.close()
