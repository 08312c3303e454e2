"""The real `tensorflow_model_server`, started in place of this process."""

import os
import shutil
from collections.abc import Callable
from typing import Final, NoReturn

from kerassent.contract import LOOPBACK
from kerassent.errors import ServingError
from kerassent.server.listening import listen
from kerassent.server.versions import check_base_path

BINARY: Final = "tensorflow_model_server"


def find_binary(engine: str, host: str | None) -> str | None:
    """Returns the binary's path, or `None` for the embedded server.

    Args:
        engine: `"auto"`, `"tensorflow_model_server"` or `"embedded"`.
        host: The address that was asked for; the binary can't choose one.

    Raises:
        ServingError: If the binary is asked for and can't do it.
    """
    if engine == "embedded" or (engine == "auto" and host):
        return None
    found = shutil.which(BINARY)
    if engine == "auto":
        return found
    if found is None:
        raise ServingError(
            f"There is no {BINARY} on the PATH. Install Debian's package "
            "tensorflow-model-server, or pass `--engine embedded`."
        )
    if host:
        raise ServingError(
            f"`--host` is {host!r}, but {BINARY} always listens on all "
            "interfaces. Leave it out, or pass `--engine embedded`."
        )
    return found


def _free(port: int, argument: str) -> int:
    """Returns a port that can be opened, the same unless it is 0."""
    with listen(LOOPBACK, port, argument) as opened:
        number: int = opened.getsockname()[1]
        return number


def run_binary(
    binary: str,
    model_base_path: str,
    *,
    model_name: str | None,
    port: int,
    rest_api_port: int,
    batching: bool,
    say: Callable[[str, str, str], None],
) -> NoReturn:
    """Becomes the binary; signals and the exit code are its own.

    Args:
        binary: Its path.
        model_base_path: The directory that holds the numbered versions.
        model_name: What clients call the model, or `None` for the base path's
            last component.
        port: The gRPC port; 0 takes a free one.
        rest_api_port: The HTTP port; 0 takes a free one.
        batching: Whether requests that come together run together.
        say: Called with the model's name and both URLs before.

    Raises:
        ServingError: If there is no model or a port is taken.
    """
    base_path = os.path.abspath(model_base_path)
    name = model_name or os.path.basename(base_path)
    check_base_path(base_path)
    port = _free(port, "port")
    rest_api_port = _free(rest_api_port, "rest_api_port")
    say(name, f"grpc://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{rest_api_port}")
    command = [
        binary,
        f"--port={port}",
        f"--rest_api_port={rest_api_port}",
        f"--model_name={name}",
        f"--model_base_path={base_path}",
    ]
    if batching:
        command += [
            "--enable_batching=true",
            "--enable_per_model_batching_parameters=true",
        ]
    os.execv(binary, command)
