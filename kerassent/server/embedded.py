"""`serve`: TensorFlow Serving's protocols from within this process."""

import errno
import os
import socket
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from kerassent.contract import GRPC_PORT, LOOPBACK, REST_PORT
from kerassent.errors import ServingError
from kerassent.server.versions import find_newest_version

if TYPE_CHECKING:
    from kerassent.server.grpc_api import GrpcServer
    from kerassent.server.http_server import HttpServer
    from kerassent.server.models import LoadedModel, ServedModels

REST_TIMEOUT_MS: Final = 30_000
GRACE_SECONDS: Final = 5.0
MAX_PORT: Final = 65535


class Server:
    """A running server; `serve` makes one.

    As a context manager it stops at the end of the block.

    Args:
        model: The version that is served.
        models: What both ports answer from.
        host: The address that both ports are bound to.
        grpc_server: The open gRPC port.
        http_server: The open HTTP port, or `None` without REST.
    """

    def __init__(
        self,
        model: "LoadedModel",
        models: "ServedModels",
        *,
        host: str,
        grpc_server: "GrpcServer",
        http_server: "HttpServer | None",
    ) -> None:
        self.model_name = model.name
        self.version = model.version
        self.grpc_url = _url("grpc", host, grpc_server.port)
        # Empty without REST.
        self.rest_url = (
            _url("http", host, http_server.port) if http_server else ""
        )
        self._models = models
        self._grpc_server = grpc_server
        self._http_server = http_server
        self._stop_lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Closes both ports and frees the model.

        To stop a stopped server does nothing.

        Args:
            grace: Seconds that requests under way get before they are
                cancelled.
        """
        with self._stop_lock:
            if self._stopped.is_set():
                return
            if self._http_server is not None:
                self._http_server.begin_stop()
            self._grpc_server.stop(grace)
            if self._http_server is not None:
                self._http_server.join(grace)
            # This cancels what still runs, so that its thread ends.
            self._models.close()
            self._grpc_server.join()
            if self._http_server is not None:
                self._http_server.join()
            self._stopped.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the server is stopped; returns whether it is.

        Args:
            timeout: Seconds, or `None` for as long as it takes.
        """
        return self._stopped.wait(timeout)

    def __enter__(self) -> Self:
        """Returns the server, which already runs."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops the server."""
        self.stop()


def _url(scheme: str, host: str, port: int) -> str:
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    if ":" in reachable:
        reachable = f"[{reachable}]"
    return f"{scheme}://{reachable}:{port}"


def listen(host: str, port: int, argument: str) -> socket.socket:
    """Returns a listening socket.

    Args:
        host: The address to bind.
        port: The port; 0 takes a free one.
        argument: The argument's name, for the message.

    Raises:
        ServingError: If there is no such address, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServingError(
            f"`host` is {host!r}, which is no address of this machine "
            f"({error}). Pass '127.0.0.1', or '0.0.0.0' for all interfaces."
        ) from error
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Two sockets may be bound to one port as long as none listens.
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"Port {port} on {host} is in use. Stop the server that "
                f"listens there, or pass another `{argument}` (0 takes a "
                "free one)."
            ) from error
        raise ServingError(
            f"`{argument}` {port} on {host!r} cannot be opened: "
            f"{error.strerror}."
        ) from error
    return bound


def serve(
    model_base_path: str | os.PathLike[str],
    *,
    model_name: str | None = None,
    host: str = LOOPBACK,
    port: int = GRPC_PORT,
    rest_api_port: int | None = REST_PORT,
    rest_api_timeout_ms: int = REST_TIMEOUT_MS,
) -> Server:
    """Serves the newest version of a model from threads of this process.

    It answers as TensorFlow Serving does, on gRPC and REST, and returns when
    both ports answer:

    ```python
    with kerassent.serve("models/sentiment") as server:
        client = kerassent.Client(server.grpc_url, model_name="sentiment")
    ```

    Args:
        model_base_path: The directory that holds the numbered versions.
        model_name: The name that clients ask for; the base path's last
            component if `None`.
        host: The address to bind. The default is reachable from this machine
            only; `"0.0.0.0"` opens both ports to the network.
        port: The gRPC port; 0 takes a free one.
        rest_api_port: The HTTP port; 0 takes a free one, `None` goes without.
        rest_api_timeout_ms: Milliseconds that a REST request may take. A gRPC
            request brings its own deadline.

    Returns:
        The running server, to be stopped with `stop()` or a `with` block.

    Raises:
        ServingError: If there is no model, it cannot be loaded, or a port
            cannot be opened.
        ValueError: If both ports are the same.
    """
    ports = {"port": port, "rest_api_port": rest_api_port}
    for name, number in ports.items():
        if number is not None and not 0 <= number <= MAX_PORT:
            raise ValueError(
                f"`{name}` is {number!r}. Pass a number from 1 to {MAX_PORT}, "
                "or 0 for a free one."
            )
    if port and port == rest_api_port:
        raise ValueError(
            f"`port` and `rest_api_port` are both {port}. gRPC and HTTP need "
            "a port each: pass two different numbers, or 0 for a free one."
        )
    # What can fail at once fails before TensorFlow takes its seconds.
    for name, number in ports.items():
        if number is not None:
            listen(host, number, name).close()
    base_path = os.path.abspath(os.fspath(model_base_path))

    version, path = find_newest_version(base_path)

    from kerassent.server.grpc_api import GrpcServer
    from kerassent.server.models import LoadedModel, ServedModels

    model = LoadedModel(
        model_name or os.path.basename(base_path), version, path
    )
    models = ServedModels([model])
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        grpc_server = GrpcServer(models, address)
    except RuntimeError as error:
        models.close()
        raise ServingError(
            f"`port` {port} on {host!r} cannot be opened: {error}"
        ) from error
    http_server = None
    if rest_api_port is not None:
        from kerassent.server.http_server import HttpServer
        from kerassent.server.rest import make_app

        try:
            http_server = HttpServer(
                make_app(models, timeout_ms=rest_api_timeout_ms),
                listen(host, rest_api_port, "rest_api_port"),
                grace=GRACE_SECONDS,
            )
        except BaseException:
            grpc_server.stop(0)
            models.close()
            grpc_server.join()
            raise
    return Server(
        model,
        models,
        host=host,
        grpc_server=grpc_server,
        http_server=http_server,
    )
