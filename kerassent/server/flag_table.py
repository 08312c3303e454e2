"""TensorFlow Serving's flags: their names, defaults and help, and a parser."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from kerassent.contract import GRPC_PORT, LOCALHOST, SAVED_MODEL_TAG
from kerassent.server.embedded import REST_TIMEOUT_MS

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
FLAGS: Final[tuple[tuple[str, Any, str], ...]] = (
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
        known = [f"--{name}" for name, _, _ in FLAGS]
        known += [f"--{name}" for name in _IGNORED]
        for word in words:
            name = word.split("=")[0]
            if name.startswith("--") and name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                if close:
                    message += f". Did you mean {close[0]}?"
                break
        super().error(message)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of `kerassent-model-server`."""
    parser = _Parser(
        prog="kerassent-model-server",
        usage="%(prog)s --model_base_path=DIRECTORY [--FLAG=VALUE ...]",
        description="Serves SavedModels as tensorflow_model_server does.",
        epilog="Other flags of tensorflow_model_server are accepted, and "
        "change nothing: " + ", ".join(_IGNORED) + ".",
        allow_abbrev=False,
    )
    for name, default, text in FLAGS:
        if isinstance(default, bool):
            parser.add_argument(
                f"--{name}",
                type=_boolean,
                nargs="?",
                const=True,
                default=default,
                metavar="true|false",
                help=f"{text} (default: {str(default).lower()})",
            )
        else:
            parser.add_argument(
                f"--{name}",
                type=type(default),
                default=default,
                metavar="N" if isinstance(default, int) else "TEXT",
                help=text if default == "" else f"{text} (default: {default})",
            )
    for name in _IGNORED:
        parser.add_argument(f"--{name}", nargs="?", help=argparse.SUPPRESS)
    return parser


def warn_of_ignored(arguments: Sequence[str]) -> None:
    """Says of each flag that changes nothing here that it does.

    Args:
        arguments: The command line.
    """
    for argument in arguments:
        name = argument.split("=")[0].removeprefix("--")
        if argument.startswith("--") and name in _IGNORED:
            print(
                f"Warning: --{name} is TensorFlow Serving's and changes "
                "nothing here.",
                file=sys.stderr,
            )
