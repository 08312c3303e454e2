"""What the flags come to: a server's options, read from files where named."""

import argparse
from typing import TYPE_CHECKING

from kerassent.server.flag_table import FLAGS
from kerassent.server.listening import THREADS
from kerassent.server.running import ServerOptions
from kerassent.server.status import invalid_argument

if TYPE_CHECKING:
    from kerassent.server.batching_parameters import BatchingParameters
    from kerassent.server.grpc_server import GrpcOptions
    from kerassent.server.model_config import ModelConfig


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
    from kerassent.server.grpc_server import GrpcOptions, TlsOptions

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
    for name, default, _ in FLAGS:
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


def read_options(flags: argparse.Namespace) -> ServerOptions:
    """Returns what the flags say.

    Args:
        flags: The parsed command line.

    Raises:
        StatusError: If they contradict each other, or a file is no good.
    """
    _check_numbers(flags)
    configs = _read_models(flags)
    batching = _read_batching(flags)

    from kerassent.server.lifecycle import LifecycleOptions
    from kerassent.server.models import LoadOptions
    from kerassent.server.rest import RestOptions
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
