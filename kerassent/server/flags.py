"""`kerassent-model-server`: TensorFlow Serving's command line."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from kerassent.contract import GRPC_PORT, LOOPBACK
from kerassent.errors import ServingError
from kerassent.server.embedded import REST_TIMEOUT_MS, serve
from kerassent.version import __version__

# What `return -1` from TensorFlow Serving's `main` becomes.
FAILED: Final = 255


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kerassent-model-server",
        description="Serves a SavedModel as tensorflow_model_server does.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=GRPC_PORT, help="gRPC port")
    add(
        "--rest_api_port",
        type=int,
        default=0,
        help="HTTP port; 0 goes without REST",
    )
    add("--model_name", default="default", help="the model's name")
    add(
        "--model_base_path",
        default="",
        help="absolute path of the directory of numbered versions",
    )
    add(
        "--rest_api_timeout_in_ms",
        type=int,
        default=REST_TIMEOUT_MS,
        help="milliseconds that a REST request may take",
    )
    add("--host", default=LOOPBACK, help="address to bind; not in TF Serving")
    add(
        "--version",
        action="store_true",
        help="print the versions and exit",
    )
    return parser


def _check(flags: argparse.Namespace) -> str:
    """Returns what is wrong in TensorFlow Serving's words, or nothing."""
    path = flags.model_base_path
    if not path:
        return (
            "Both server_options.model_base_path and "
            "server_options.model_config_file are empty!"
        )
    if not os.path.isabs(path):
        return (
            f"Expected model {flags.model_name} to have an absolute path or "
            f"URI; got base_path()={path}"
        )
    return ""


def _print_version() -> None:
    import tensorflow as tf

    print(
        f"TensorFlow ModelServer: {__version__} (kerassent embedded server)\n"
        f"TensorFlow Library: {tf.__version__}"
    )


def _exit_cleanly(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _fail(message: str) -> int:
    print(f"Failed to start server. Error: {message}", file=sys.stderr)
    return FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C; returns the exit code.

    Args:
        arguments: The command line, or `None` for this process's.
    """
    flags = _make_parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if flags.version:
        _print_version()
        return 0
    if wrong := _check(flags):
        return _fail(f"INVALID_ARGUMENT: {wrong}")
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _exit_cleanly)
    try:
        server = serve(
            flags.model_base_path,
            model_name=flags.model_name,
            host=flags.host,
            port=flags.port,
            rest_api_port=flags.rest_api_port or None,
            rest_api_timeout_ms=flags.rest_api_timeout_in_ms,
        )
    except (ServingError, ValueError) as error:
        return _fail(str(error))
    with server:
        print(
            f"Serving model {server.model_name!r} version {server.version} at "
            f"{' and '.join(filter(None, (server.grpc_url, server.rest_url)))}",
            file=sys.stderr,
            flush=True,
        )
        server.wait()
    return 0
