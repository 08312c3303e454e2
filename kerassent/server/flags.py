"""`kerassent-model-server`: TensorFlow Serving's command line."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from kerassent.errors import ServingError
from kerassent.server.flag_options import read_options
from kerassent.server.flag_table import make_parser, warn_of_ignored
from kerassent.server.running import Server, ServerOptions, start
from kerassent.server.status import StatusError
from kerassent.version import __version__

# What `return -1` from TensorFlow Serving's `main` becomes.
FAILED: Final = 255


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


def _follow(server: Server, path: str, seconds: float) -> None:
    """Reads the model config file again and again, until the server ends."""
    from kerassent.server.model_config import read_config_file

    log = logging.getLogger("kerassent.server")
    while not server.wait(seconds):
        try:
            server.reconfigure(read_config_file(path))
        except StatusError as error:
            log.error("%s is not applied: %s", path, error)


def _say_where(server: Server, options: ServerOptions) -> None:
    urls = " and ".join(filter(None, (server.grpc_url, server.rest_url)))
    names = [config.name for config in options.configs]
    if len(names) == 1:
        what = f"model {names[0]!r} version {server.version}"
    else:
        what = f"{len(names)} models ({', '.join(names)})"
    print(f"Serving {what} at {urls}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C; returns the exit code.

    Args:
        arguments: The command line, or `None` for this process's.
    """
    given = sys.argv[1:] if arguments is None else arguments
    flags = make_parser().parse_args(given)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if flags.version:
        _print_version()
        return 0
    warn_of_ignored(given)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _exit_cleanly)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kerassent.server").setLevel(logging.INFO)
    # It warns of each malformed request, which anybody can send.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        options = read_options(flags)
        server = start(options)
    except (ServingError, StatusError, ValueError) as error:
        return _fail(str(error))
    with server:
        _say_where(server, options)
        if flags.model_config_file and (
            seconds := flags.model_config_file_poll_wait_seconds
        ):
            threading.Thread(
                target=_follow,
                args=(server, flags.model_config_file, seconds),
                name="kerassent-config",
                daemon=True,
            ).start()
        server.wait()
    return 0
