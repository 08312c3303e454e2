"""Clients to send with: as many as there are requests under way."""

from typing import Any, Final, Self

from kerassent.client import Client
from kerassent.errors import ServingError
from kerassent.load_test.bounds import MAX_COUNT

# Of an error's message, what a result keeps.
_MAX_MESSAGE: Final = 300


class Connections:
    """Makes clients of one server, and takes them back for the next request.

    The one that came back last goes first, so that a quiet server sees few
    connections and a slow one as many as wait for it.

    Args:
        url: The server's URL, as `Client` takes it.
        model_name: The model's name there.
        **options: What else `Client` takes: `timeout`, `version`, `headers`.
            It doesn't try again, so that each failure is seen.

    Example:
    ```python
    with Connections("grpc://localhost:8500", model_name="sentiment") as server:
        run_closed_loop(server, Payloads(texts), clients=8)
    ```
    """

    def __init__(self, url: str, *, model_name: str, **options: Any) -> None:
        self._url = url
        self._model_name = model_name
        self._options = {"retry": False, "max_batch_size": MAX_COUNT} | options
        self._all: list[Client] = []
        # Threads append and pop, which are atomic.
        self._free: list[Client] = []
        self.give_back(self.take())

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._all[0].url

    @property
    def model_name(self) -> str:
        """The model's name on the server."""
        return self._model_name

    @property
    def model_spec(self) -> str:
        """The same, with the version or signature asked for."""
        return self._all[0].model_spec

    def take(self) -> Client:
        """Returns a client that nobody else uses."""
        try:
            return self._free.pop()
        except IndexError:
            client = Client(
                self._url, model_name=self._model_name, **self._options
            )
            self._all.append(client)
            return client

    def give_back(self, client: Client) -> None:
        """Takes a client back."""
        self._free.append(client)

    def check(self, texts: list[bytes]) -> None:
        """Asks once, so that a wrong URL or name is an error at once.

        Raises:
            ServingError: The server gave no answer.
        """
        client = self.take()
        client.predict(texts)
        self.give_back(client)

    def __enter__(self) -> Self:
        """Returns the connections themselves."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes every client."""
        for client in self._all:
            client.close()


def failure(client: Client, texts: list[bytes]) -> tuple[str, str] | None:
    """Asks, and returns the kind and message of what went wrong, if it did.

    Args:
        client: Whom to ask with.
        texts: What to ask.
    """
    try:
        client.predict(texts)
    except ServingError as error:
        return type(error).__name__, str(error)[:_MAX_MESSAGE]
    return None
