"""`kerassent-model-server`: TensorFlow Serving's command line."""

import argparse
import difflib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kerassent.contract import GRPC_PORT, LOCALHOST, SAVED_MODEL_TAG
from kerassent.errors import ServingError
from kerassent.server.embedded import (
    REST_TIMEOUT_MS,
    Server,
    ServerOptions,
    start,
)
from kerassent.server.status import StatusError, invalid_argument
from kerassent.version import __version__

if TYPE_CHECKING:
    from kerassent.server.batching_parameters import BatchingParameters
    from kerassent.server.grpc_api import GrpcOptions
    from kerassent.server.model_config import ModelConfig

# What `return -1` from TensorFlow Serving's `main` becomes.
FAILED: Final = 255

# Flags of TensorFlow Serving that change nothing here.
_IGNORED: Final = (
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "mixed_precision",
    "num_load_threads",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "skip_initialize_tpu",
    "tensorflow_session_config_file",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "xla_cpu_compilation_enabled",
)

# Name, default, help.
_FLAGS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("port", GRPC_PORT, "gRPC port; 0 takes a free one"),
    ("grpc_socket_path", "", "path of a unix socket for gRPC"),
    ("rest_api_port", 0, "HTTP port; 0 goes without REST"),
    ("rest_api_num_threads", 0, "REST requests at once; 0 chooses"),
    (
        "rest_api_timeout_in_ms",
        REST_TIMEOUT_MS,
        "milliseconds that a REST request may take",
    ),
    ("rest_api_enable_cors_support", False, "let browsers' scripts ask"),
    ("model_name", "default", "the model's name"),
    (
        "model_base_path",
        "",
        "absolute path of the directory of numbered versions",
    ),
    ("model_config_file", "", "text proto that lists the models instead"),
    (
        "model_config_file_poll_wait_seconds",
        0,
        "seconds between two looks at it; 0 looks once",
    ),
    (
        "file_system_poll_wait_seconds",
        1,
        "seconds between two looks for versions; 0 looks once",
    ),
    ("enable_batching", False, "merge requests"),
    ("batching_parameters_file", "", "text proto that says how"),
    (
        "enable_per_model_batching_parameters",
        False,
        "read each version's batching_params.pbtxt instead",
    ),
    ("monitoring_config_file", "", "text proto of the metrics' page"),
    ("ssl_config_file", "", "text proto of gRPC's key and certificates"),
    ("enable_model_warmup", True, "run warmup records"),
    ("num_request_iterations_for_warmup", 1, "how often each is run"),
    (
        "allow_version_labels_for_unavailable_models",
        False,
        "let a new label name a version that is not loaded",
    ),
    ("grpc_channel_arguments", "", "gRPC's settings: key=value,key=value"),
    ("grpc_max_threads", 0, "gRPC requests at once; 0 chooses"),
    ("enable_grpc_healthcheck_service", False, "answer health checks"),
    ("max_num_load_retries", 5, "how often a failed load is tried again"),
    (
        "load_retry_interval_micros",
        60_000_000,
        "microseconds before it is",
    ),
    ("saved_model_tags", SAVED_MODEL_TAG, "tags, separated by commas"),
    (
        "tensorflow_session_parallelism",
        0,
        "threads within and operations at once; 0 chooses",
    ),
    ("tensorflow_intra_op_parallelism", 0, "threads within an operation"),
    ("tensorflow_inter_op_parallelism", 0, "operations at once"),
    ("host", LOCALHOST, "address to bind; not in TF Serving"),
    ("version", False, "print the versions and exit"),
)


def _boolean(text: str) -> bool:
    value = {"true": True, "1": True, "false": False, "0": False}.get(
        text.lower()
    )
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return value


class _Parser(argparse.ArgumentParser):
    """Says which flag a mistyped one may be."""

    def error(self, message: str) -> NoReturn:
        words = message.split()
        known = [f"--{name}" for name, _, _ in _FLAGS]
        known += [f"--{name}" for name in _IGNORED]
        for word in words:
            name = word.split("=")[0]
            if name.startswith("--") and name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                if close:
                    message += f". Did you mean {close[0]}?"
                break
        super().error(message)


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kerassent-model-server",
        description="Serves SavedModels as tensorflow_model_server does.",
        epilog="Other flags of tensorflow_model_server are accepted, and "
        "change nothing: " + ", ".join(_IGNORED) + ".",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, default, text in _FLAGS:
        if isinstance(default, bool):
            parser.add_argument(
                f"--{name}",
                type=_boolean,
                nargs="?",
                const=True,
                default=default,
                metavar="true|false",
                help=text,
            )
        else:
            parser.add_argument(
                f"--{name}",
                type=type(default),
                default=default,
                metavar="N" if isinstance(default, int) else "TEXT",
                help=text,
            )
    for name in _IGNORED:
        parser.add_argument(f"--{name}", nargs="?", help=argparse.SUPPRESS)
    return parser


def _warn_of_ignored(arguments: Sequence[str]) -> None:
    for argument in arguments:
        name = argument.split("=")[0].removeprefix("--")
        if argument.startswith("--") and name in _IGNORED:
            print(
                f"Warning: --{name} is TensorFlow Serving's and changes "
                "nothing here.",
                file=sys.stderr,
            )


def _read_models(flags: argparse.Namespace) -> "list[ModelConfig]":
    from kerassent.server.model_config import (
        ModelConfig,
        check_configs,
        read_config_file,
    )

    if flags.model_config_file:
        return read_config_file(flags.model_config_file)
    if not flags.model_base_path:
        raise invalid_argument(
            "Both server_options.model_base_path and "
            "server_options.model_config_file are empty!"
        )
    configs = [ModelConfig(flags.model_name, flags.model_base_path)]
    check_configs(configs)
    return configs


def _read_batching(flags: argparse.Namespace) -> "BatchingParameters | None":
    from kerassent.server.batching_parameters import BatchingParameters

    if not flags.enable_batching:
        if flags.batching_parameters_file:
            raise invalid_argument(
                "server_options.batching_parameters_file is set without "
                "setting server_options.enable_batching to true."
            )
        return None
    if flags.batching_parameters_file:
        return BatchingParameters.from_file(flags.batching_parameters_file)
    return BatchingParameters()


def _read_prometheus_path(flags: argparse.Namespace) -> str:
    from kerassent.server.config_files import new_message, read_text_proto
    from kerassent.server.rest import PROMETHEUS_PATH

    if not flags.monitoring_config_file:
        return ""
    config = read_text_proto(
        flags.monitoring_config_file, new_message("MonitoringConfig")
    )
    if not config.prometheus_config.enable:
        return ""
    return config.prometheus_config.path or PROMETHEUS_PATH


def _read_grpc(flags: argparse.Namespace) -> "GrpcOptions":
    from kerassent.server.config_files import new_message, read_text_proto
    from kerassent.server.grpc_api import THREADS, GrpcOptions, TlsOptions

    tls = None
    if flags.ssl_config_file:
        config = read_text_proto(
            flags.ssl_config_file, new_message("SSLConfig")
        )
        if not config.server_key or not config.server_cert:
            raise invalid_argument(
                f"'{flags.ssl_config_file}' needs server_key and server_cert, "
                "each the contents of a PEM file"
            )
        tls = TlsOptions(
            config.server_key,
            config.server_cert,
            custom_ca=config.custom_ca,
            client_verify=config.client_verify,
        )
    arguments: list[tuple[str, int | str]] = []
    for pair in filter(None, flags.grpc_channel_arguments.split(",")):
        key, separator, value = pair.partition("=")
        if not separator:
            raise invalid_argument(
                f"grpc_channel_arguments has {pair!r}, which is no key=value"
            )
        try:
            arguments.append((key, int(value)))
        except ValueError:
            arguments.append((key, value))
    return GrpcOptions(
        tls=tls,
        socket_path=flags.grpc_socket_path,
        channel_arguments=tuple(arguments),
        max_threads=flags.grpc_max_threads or THREADS,
        health=flags.enable_grpc_healthcheck_service,
    )


def _check_numbers(flags: argparse.Namespace) -> None:
    # What `--help` says of 0 holds for no number below it.
    for name, default, _ in _FLAGS:
        value = getattr(flags, name)
        if type(default) is int and value < 0:
            raise invalid_argument(f"{name} must not be negative; was {value}")
    if (
        flags.tensorflow_session_parallelism
        and flags.tensorflow_intra_op_parallelism
        and flags.tensorflow_inter_op_parallelism
    ):
        raise invalid_argument(
            "Either configure tensorflow_session_parallelism or "
            "tensorflow_intra_op_parallelism and "
            "tensorflow_inter_op_parallelism, not all three"
        )
    if flags.num_request_iterations_for_warmup < 1:
        raise invalid_argument(
            "num_request_iterations_for_warmup must be positive; was "
            f"{flags.num_request_iterations_for_warmup}"
        )


def _read_options(flags: argparse.Namespace) -> ServerOptions:
    _check_numbers(flags)
    configs = _read_models(flags)
    batching = _read_batching(flags)

    from kerassent.server.lifecycle import LifecycleOptions
    from kerassent.server.models import LoadOptions
    from kerassent.server.rest import THREADS, RestOptions
    from kerassent.server.servable import ServableOptions

    both = flags.tensorflow_session_parallelism
    return ServerOptions(
        configs,
        host=flags.host,
        port=flags.port,
        rest_api_port=flags.rest_api_port or None,
        grpc=_read_grpc(flags),
        rest=RestOptions(
            timeout_ms=flags.rest_api_timeout_in_ms,
            cors=flags.rest_api_enable_cors_support,
            prometheus_path=_read_prometheus_path(flags),
            threads=flags.rest_api_num_threads or THREADS,
        ),
        lifecycle=LifecycleOptions(
            poll_seconds=flags.file_system_poll_wait_seconds,
            max_load_retries=flags.max_num_load_retries,
            load_retry_seconds=flags.load_retry_interval_micros / 1e6,
            labels_for_unavailable=(
                flags.allow_version_labels_for_unavailable_models
            ),
        ),
        servables=ServableOptions(
            load=LoadOptions(
                tuple(flags.saved_model_tags.split(",")),
                intra_op_threads=flags.tensorflow_intra_op_parallelism or both,
                inter_op_threads=flags.tensorflow_inter_op_parallelism or both,
            ),
            batching=batching,
            per_model_batching=flags.enable_per_model_batching_parameters,
            warmup=flags.enable_model_warmup,
            warmup_iterations=flags.num_request_iterations_for_warmup,
        ),
    )


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
    flags = _make_parser().parse_args(given)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if flags.version:
        _print_version()
        return 0
    _warn_of_ignored(given)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _exit_cleanly)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kerassent.server").setLevel(logging.INFO)
    # It warns of each malformed request, which anybody can send.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        options = _read_options(flags)
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
