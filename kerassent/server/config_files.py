"""Text protos that TensorFlow Serving's flags name, and their messages.

`tensorflow-serving-api` has the models' configuration, but neither
`BatchingParameters` nor `MonitoringConfig` nor `SSLConfig`: they are described
here, in a pool of their own, so that nothing clashes with a later release.

Reference:
    tensorflow_serving/servables/tensorflow/session_bundle_config.proto and
    tensorflow_serving/config/{monitoring_config,ssl_config}.proto
"""

import functools
from typing import Any, Final

from kerassent.server.status import Code, StatusError

_PACKAGE: Final = "tensorflow.serving"
_INT64: Final = ".google.protobuf.Int64Value"
_STRING: Final = ".google.protobuf.StringValue"
_BOOL: Final = ".google.protobuf.BoolValue"

# Name, type, number; a type with a dot is a message's.
_MESSAGES: Final = {
    "BatchingParameters": (
        ("max_batch_size", _INT64, 1),
        ("batch_timeout_micros", _INT64, 2),
        ("max_enqueued_batches", _INT64, 3),
        ("num_batch_threads", _INT64, 4),
        ("thread_pool_name", _STRING, 5),
        ("allowed_batch_sizes", "repeated int64", 6),
        ("pad_variable_length_inputs", "bool", 7),
        ("enable_large_batch_splitting", _BOOL, 8),
        ("max_execution_batch_size", _INT64, 9),
    ),
    "PrometheusConfig": (("enable", "bool", 1), ("path", "string", 2)),
    "MonitoringConfig": (
        ("prometheus_config", f".{_PACKAGE}.PrometheusConfig", 1),
    ),
    "SSLConfig": (
        ("server_key", "string", 1),
        ("server_cert", "string", 2),
        ("custom_ca", "string", 3),
        ("client_verify", "bool", 4),
    ),
}


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    file = descriptor_pb2.FileDescriptorProto(
        name="kerassent/server/config_files.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers.name],
    )
    field_proto = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "bool": field_proto.TYPE_BOOL,
        "int64": field_proto.TYPE_INT64,
        "string": field_proto.TYPE_STRING,
    }
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, kind, number in fields:
            field = message.field.add(
                name=field_name,
                number=number,
                label=field_proto.LABEL_REPEATED
                if kind.startswith("repeated ")
                else field_proto.LABEL_OPTIONAL,
            )
            kind = kind.removeprefix("repeated ")
            if kind.startswith("."):
                field.type, field.type_name = field_proto.TYPE_MESSAGE, kind
            else:
                field.type = scalars[kind]
    pool.Add(file)
    return pool


def new_message(name: str) -> Any:
    """Returns an empty message: a `BatchingParameters`, for example.

    Args:
        name: The message's name, without its package.
    """
    from google.protobuf import message_factory

    descriptor = _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    return message_factory.GetMessageClass(descriptor)()


def read_text_proto(path: str, message: Any) -> Any:
    """Returns the message that a file holds as text.

    Args:
        path: The file.
        message: An empty message, which is filled.

    Raises:
        StatusError: If there is no such file, or it is something else.
    """
    from google.protobuf import text_format

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise StatusError(
            Code.NOT_FOUND, f"{path}; {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise StatusError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}' ({error})"
        ) from error
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise StatusError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}' ({error})"
        ) from error
