"""`serve`: TensorFlow Serving's protocols from within this process."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from kerassent.contract import GRPC_PORT, LOCALHOST, LOOPBACK, REST_PORT
from kerassent.errors import ServingError
from kerassent.server.versions import check_base_path

if TYPE_CHECKING:
    from kerassent.server.grpc_api import GrpcOptions, GrpcServer
    from kerassent.server.http_server import HttpServer
    from kerassent.server.lifecycle import LifecycleOptions, ServedModels
    from kerassent.server.model_config import ModelConfig
    from kerassent.server.rest import RestApi, RestOptions
    from kerassent.server.servable import ServableLoader, ServableOptions

REST_TIMEOUT_MS: Final = 30_000
GRACE_SECONDS: Final = 5.0
MAX_PORT: Final = 65535


@dataclass(frozen=True)
class ServerOptions:
    """All that a server is told.

    Args:
        configs: The models to serve.
        host: The address to bind; `"localhost"` binds both families.
        port: The gRPC port; 0 takes a free one.
        rest_api_port: The HTTP port; 0 takes a free one, `None` goes without.
        grpc: How the gRPC port is opened.
        rest: How the REST API answers.
        lifecycle: How versions come and go.
        servables: How versions are made ready.
    """

    configs: "Sequence[ModelConfig]"
    grpc: "GrpcOptions"
    rest: "RestOptions"
    lifecycle: "LifecycleOptions"
    servables: "ServableOptions"
    host: str = LOCALHOST
    port: int = GRPC_PORT
    rest_api_port: int | None = REST_PORT


class Server:
    """A running server; `serve` makes one.

    As a context manager it stops at the end of the block.

    Args:
        model_name: The first model's name.
        models: What both ports answer from.
        loader: Made ready what they answer with.
        host: The address that both ports are bound to.
        grpc_server: The open gRPC port.
        http_server: The open HTTP port, or `None` without REST.
        rest_api: What answers there.
    """

    def __init__(
        self,
        model_name: str,
        models: "ServedModels",
        loader: "ServableLoader",
        *,
        host: str,
        grpc_server: "GrpcServer",
        http_server: "HttpServer | None",
        rest_api: "RestApi | None",
    ) -> None:
        self.model_name = model_name
        self.grpc_url = _url("grpc", host, grpc_server.port)
        # Empty without REST.
        self.rest_url = (
            _url("http", host, http_server.port) if http_server else ""
        )
        self._models = models
        self._loader = loader
        self._grpc_server = grpc_server
        self._http_server = http_server
        self._rest_api = rest_api
        self._stop_lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def version(self) -> int:
        """The newest version that answers, 0 if none does."""
        from kerassent.server.lifecycle import State
        from kerassent.server.model_spec import ModelSpec
        from kerassent.server.status import StatusError

        try:
            statuses = self._models.list_versions(ModelSpec(self.model_name))
        except StatusError:
            return 0
        return max(
            (s.version for s in statuses if s.state == State.AVAILABLE),
            default=0,
        )

    def reconfigure(self, configs: "Sequence[ModelConfig]") -> None:
        """Serves these models and no others, and waits for the new ones.

        Args:
            configs: The models.

        Raises:
            StatusError: If they are refused, or a new one fails.
        """
        self._models.configure(configs)

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
            self._loader.close()
            self._grpc_server.join()
            if self._http_server is not None:
                self._http_server.join()
            if self._rest_api is not None:
                self._rest_api.close()
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
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1", LOCALHOST: LOOPBACK}.get(  # noqa: S104
        host, host
    )
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


def _listen_all(
    hosts: Sequence[str], port: int, argument: str
) -> list[socket.socket]:
    """Returns a socket for each host, all on one port."""
    opened = [listen(hosts[0], port, argument)]
    for host in hosts[1:]:
        try:
            opened.append(listen(host, opened[0].getsockname()[1], argument))
        except ServingError:
            # A machine without IPv6, say, has the first.
            continue
    return opened


def _hosts(host: str) -> tuple[str, ...]:
    return (LOOPBACK, "::1") if host == LOCALHOST else (host,)


def _check_ports(options: ServerOptions) -> None:
    """Raises unless both ports can be opened."""
    ports = {"port": options.port, "rest_api_port": options.rest_api_port}
    for name, number in ports.items():
        if number is not None and not 0 <= number <= MAX_PORT:
            raise ValueError(
                f"`{name}` is {number!r}. Pass a number from 1 to {MAX_PORT}, "
                "or 0 for a free one."
            )
    if options.port and options.port == options.rest_api_port:
        raise ValueError(
            f"`port` and `rest_api_port` are both {options.port}. gRPC and "
            "HTTP need a port each: pass two different numbers, or 0 for a "
            "free one."
        )
    for name, number in ports.items():
        if number is not None:
            for opened in _listen_all(_hosts(options.host), number, name):
                opened.close()


def start(
    options: ServerOptions,
    *,
    should_wait: Callable[[], bool] = lambda: True,
) -> Server:
    """Loads all models, then opens the ports.

    Args:
        options: What to serve, and how.
        should_wait: Asked often while models load; false gives up.

    Returns:
        The running server.

    Raises:
        ServingError: If a port cannot be opened.
        StatusError: If a model cannot be loaded.
        ValueError: If a port is no port.
    """
    # What can fail at once fails before TensorFlow takes its seconds.
    _check_ports(options)

    from kerassent.server.grpc_api import GrpcServer
    from kerassent.server.lifecycle import ServedModels
    from kerassent.server.metrics import Metrics
    from kerassent.server.rest import RestApi
    from kerassent.server.servable import ServableLoader

    metrics = Metrics()
    loader = ServableLoader(options.servables, metrics)
    models = ServedModels(loader, options.lifecycle)
    grpc_server: GrpcServer | None = None
    rest_api: RestApi | None = None
    http_server = None
    hosts = _hosts(options.host)
    try:
        models.configure(options.configs, should_wait=should_wait)
        try:
            grpc_server = GrpcServer(
                models, metrics, hosts, options.port, options.grpc
            )
        except RuntimeError as error:
            raise ServingError(
                f"`port` {options.port} on {options.host!r} cannot be opened: "
                f"{error}"
            ) from error
        if options.rest_api_port is not None:
            from kerassent.server.http_server import HttpServer

            rest_api = RestApi(models, metrics, options.rest)
            http_server = HttpServer(
                rest_api,
                _listen_all(hosts, options.rest_api_port, "rest_api_port"),
                grace=GRACE_SECONDS,
            )
    except BaseException:
        if grpc_server is not None:
            grpc_server.stop(0)
        models.close()
        loader.close()
        if grpc_server is not None:
            grpc_server.join()
        if rest_api is not None:
            rest_api.close()
        raise
    return Server(
        options.configs[0].name if options.configs else "",
        models,
        loader,
        host=options.host,
        grpc_server=grpc_server,
        http_server=http_server,
        rest_api=rest_api,
    )


def serve(
    model_base_path: str | os.PathLike[str],
    *,
    model_name: str | None = None,
    host: str = LOCALHOST,
    port: int = GRPC_PORT,
    rest_api_port: int | None = REST_PORT,
    rest_api_timeout_ms: int = REST_TIMEOUT_MS,
    batching: bool | str | os.PathLike[str] = False,
) -> Server:
    """Serves a model from threads of this process.

    It answers as TensorFlow Serving does, on gRPC and REST, and returns when
    both ports answer. The newest version is served; a newer one that comes
    later takes over as soon as it is loaded:

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
        batching: Whether requests that come together run together: `True`
            merges them as the version's `batching_params.pbtxt` says, a path
            as that file does.

    Returns:
        The running server, to be stopped with `stop()` or a `with` block.

    Raises:
        ServingError: If there is no model, it cannot be loaded, or a port
            cannot be opened.
        ValueError: If both ports are the same.
    """
    base_path = os.path.abspath(os.fspath(model_base_path))
    name = model_name or os.path.basename(base_path)
    check_base_path(base_path)

    from kerassent.server.batching_parameters import BatchingParameters
    from kerassent.server.grpc_api import GrpcOptions
    from kerassent.server.lifecycle import LifecycleOptions
    from kerassent.server.model_config import ModelConfig
    from kerassent.server.rest import RestOptions
    from kerassent.server.servable import ServableOptions
    from kerassent.server.status import StatusError

    try:
        parameters = None
        if batching is True:
            parameters = BatchingParameters()
        elif batching is not False:
            parameters = BatchingParameters.from_file(os.fspath(batching))
        return start(
            ServerOptions(
                [ModelConfig(name, base_path)],
                host=host,
                port=port,
                rest_api_port=rest_api_port,
                grpc=GrpcOptions(),
                rest=RestOptions(timeout_ms=rest_api_timeout_ms),
                # Who waits for the answer of a call wants to hear at once.
                lifecycle=LifecycleOptions(max_load_retries=0),
                servables=ServableOptions(
                    batching=parameters, per_model_batching=batching is True
                ),
            )
        )
    except StatusError as error:
        raise ServingError(
            f"Model {name!r} cannot be loaded from {base_path!r}: {error}",
            model_name=name,
        ) from error
