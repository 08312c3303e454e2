"""The gRPC port: how it is opened, what answers there, how it is closed."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from kerassent.server.grpc_services import ModelService, PredictionService
from kerassent.server.lifecycle import ServedModels
from kerassent.server.listening import THREADS
from kerassent.server.metrics import Metrics

MODEL_SERVICE: Final = "tensorflow.serving.ModelService"
PREDICTION_SERVICE: Final = "tensorflow.serving.PredictionService"
HEALTH_NAMES: Final = ("", "ModelService", "PredictionService")
# TensorFlow Serving reads messages of up to 2 GiB, and any number at a time.
MAX_MESSAGE_BYTES: Final = 256 * 2**20
MAX_CALLS: Final = 1000
_CHANNEL_ARGUMENTS: Final[dict[str, int | str]] = {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": -1,
    # Otherwise a second server on the same port would start, and each would
    # get a part of the calls.
    "grpc.so_reuseport": 0,
}


@dataclass(frozen=True)
class TlsOptions:
    """PEM contents, as `SSLConfig` has them.

    Args:
        server_key: The private key.
        server_cert: The certificate.
        custom_ca: Who signs clients' certificates; empty for the system's.
        client_verify: Whether clients must have one.
    """

    server_key: str = field(repr=False)
    server_cert: str
    custom_ca: str = ""
    client_verify: bool = False


@dataclass(frozen=True)
class GrpcOptions:
    """How the gRPC port is opened.

    Args:
        tls: Key and certificates, or `None` for plain text.
        socket_path: A unix socket to open as well, or empty.
        channel_arguments: gRPC's own settings by name.
        max_threads: Requests that are served at once.
        health: Whether the health service answers.
    """

    tls: TlsOptions | None = None
    socket_path: str = ""
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    max_threads: int = THREADS
    health: bool = True


class GrpcServer:
    """The gRPC port, open from the start until `stop`.

    Args:
        models: The loaded versions.
        metrics: Where requests are counted.
        hosts: Addresses to bind; one of two may be missing on this machine.
        port: 0 takes a free one.
        options: How it is opened.

    Raises:
        RuntimeError: If the port cannot be bound.
        ValueError: If key and certificate are of no use.
    """

    def __init__(
        self,
        models: ServedModels,
        metrics: Metrics,
        hosts: tuple[str, ...],
        port: int,
        options: GrpcOptions,
    ) -> None:
        self._threads = ThreadPoolExecutor(
            max_workers=options.max_threads,
            thread_name_prefix="kerassent-grpc",
        )
        self._server = grpc.server(
            self._threads,
            maximum_concurrent_rpcs=max(MAX_CALLS, options.max_threads),
            # Of two values for one name gRPC would take the first.
            options=list(
                (_CHANNEL_ARGUMENTS | dict(options.channel_arguments)).items()
            ),
        )
        self._health: health.HealthServicer | None = None
        self._add_services(models, metrics, options)
        self._socket_path = options.socket_path
        try:
            self.port = self._bind(hosts, port, options)
        except BaseException:
            self._server.stop(None)
            self._threads.shutdown()
            raise
        self._server.start()

    def _add_services(
        self, models: ServedModels, metrics: Metrics, options: GrpcOptions
    ) -> None:
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(models, metrics), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(models), self._server
        )
        names = [MODEL_SERVICE, PREDICTION_SERVICE, reflection.SERVICE_NAME]
        if options.health:
            self._health = health.HealthServicer()
            for name in HEALTH_NAMES:
                self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(
                self._health, self._server
            )
            names.append(health.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def _bind(
        self, hosts: tuple[str, ...], port: int, options: GrpcOptions
    ) -> int:
        credentials = None
        if options.tls is not None:
            tls = options.tls
            credentials = grpc.ssl_server_credentials(
                [(tls.server_key.encode(), tls.server_cert.encode())],
                root_certificates=tls.custom_ca.encode() or None,
                require_client_auth=tls.client_verify,
            )
        bound = 0
        for host in hosts:
            address = f"[{host}]" if ":" in host else host
            address += f":{bound or port}"
            try:
                if credentials is None:
                    new = self._server.add_insecure_port(address)
                else:
                    new = self._server.add_secure_port(address, credentials)
            except RuntimeError:
                if not bound:
                    raise
                continue  # the other family is bound
            bound = bound or new
        if options.socket_path:
            # As in TensorFlow Serving without TLS: files have permissions.
            path = quote(options.socket_path)  # It is a URI to gRPC.
            self._server.add_insecure_port(f"unix:{path}")
        return bound

    def stop(self, grace: float) -> None:
        """Takes no more calls and waits for those under way.

        Args:
            grace: Seconds to wait before they are cancelled.
        """
        if self._health is not None:
            self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def join(self) -> None:
        """Waits until no thread of a stopped server runs."""
        self._threads.shutdown()
        if self._socket_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._socket_path)
