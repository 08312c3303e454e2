"""A running server: loads its models, opens its ports, stops cleanly."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from kerassent.contract import GRPC_PORT, LOCALHOST, REST_PORT
from kerassent.errors import ServingError
from kerassent.server.listening import (
    all_hosts,
    check_ports,
    listen_all,
    make_url,
)

if TYPE_CHECKING:
    from kerassent.server.grpc_server import GrpcOptions, GrpcServer
    from kerassent.server.http_server import HttpServer
    from kerassent.server.lifecycle import LifecycleOptions, ServedModels
    from kerassent.server.model_config import ModelConfig
    from kerassent.server.rest import RestApi, RestOptions
    from kerassent.server.servable import ServableLoader, ServableOptions

GRACE_SECONDS: Final = 5.0


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
        self.grpc_url = make_url("grpc", host, grpc_server.port)
        # Empty without REST.
        self.rest_url = (
            make_url("http", host, http_server.port) if http_server else ""
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
        from kerassent.server.model_spec import ModelSpec
        from kerassent.server.model_versions import State
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
    check_ports(options.host, options.port, options.rest_api_port)

    from kerassent.server.grpc_server import GrpcServer
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
    hosts = all_hosts(options.host)
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
                listen_all(hosts, options.rest_api_port, "rest_api_port"),
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
