"""`serve`: TensorFlow Serving's protocols from within this process."""

import os
from typing import Final

from kerassent.contract import GRPC_PORT, LOCALHOST, LOOPBACK, REST_PORT
from kerassent.errors import ServingError
from kerassent.server.running import Server, ServerOptions, start
from kerassent.server.versions import check_base_path

REST_TIMEOUT_MS: Final = 30_000


def serve(
    model_base_path: str | os.PathLike[str],
    *,
    model_name: str | None = None,
    host: str = LOCALHOST,
    port: int = GRPC_PORT,
    rest_api_port: int | None = REST_PORT,
    rest_api_timeout_ms: int = REST_TIMEOUT_MS,
    batching: bool | str | os.PathLike[str] = False,
    ui: bool = False,
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
        ui: Whether the HTTP port has a page at `/` to type texts into. It is
            for this machine only.

    Returns:
        The running server, to be stopped with `stop()` or a `with` block.

    Raises:
        ServingError: If there is no model, it cannot be loaded, or a port
            cannot be opened.
        ValueError: If both ports are the same, or `ui` is asked for without
            an HTTP port or of another address than the loopback.
    """
    if ui and rest_api_port is None:
        raise ValueError(
            "`ui` needs an HTTP port. Received: ui=True, rest_api_port=None"
        )
    if ui and host not in (LOCALHOST, LOOPBACK, "::1"):
        raise ValueError(
            "`ui` is for this machine only: leave `host` out, or `ui`. "
            f"Received: ui=True, host={host!r}"
        )
    base_path = os.path.abspath(os.fspath(model_base_path))
    name = model_name or os.path.basename(base_path)
    check_base_path(base_path)

    from kerassent.server.batching_parameters import BatchingParameters
    from kerassent.server.grpc_server import GrpcOptions
    from kerassent.server.lifecycle import LifecycleOptions
    from kerassent.server.model_config import ModelConfig
    from kerassent.server.playground import PLAYGROUND_PATH, playground
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
                rest=RestOptions(
                    timeout_ms=rest_api_timeout_ms,
                    pages={PLAYGROUND_PATH: playground(name)} if ui else {},
                ),
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
