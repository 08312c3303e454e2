"""TensorFlow Serving's messages, without TensorFlow.

The generated modules of `tensorflow-serving-api` import TensorFlow, which takes
seconds and hundreds of megabytes for what is a few descriptors. They hold those
as bytes, in a call of `AddSerializedFile`. Here the files are read, not run,
and their descriptors go to a pool of our own, so that nothing collides where a
program imports TensorFlow as well.
"""

import ast
import importlib
import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_POOL: Final = DescriptorPool()
_LOCK: Final = threading.RLock()
_PACKAGES: Final = {
    "tensorflow": "tensorflow",
    "tensorflow_serving": "tensorflow-serving-api",
}


def message_class(file: str, name: str) -> Any:
    """Returns the class of a message.

    Args:
        file: The `.proto` file: `"tensorflow_serving/apis/predict.proto"`.
        name: The message, with its package:
            `"tensorflow.serving.PredictRequest"`.

    Raises:
        ImportError: The package that has the file is not installed.
    """
    with _LOCK:
        _add(file)
        return GetMessageClass(_POOL.FindMessageTypeByName(name))


@cache
def _add(file: str) -> None:
    """Adds a file to the pool, and before it all that it imports."""
    descriptor = FileDescriptorProto.FromString(_serialized(file))
    for dependency in descriptor.dependency:
        _add(dependency)
    _POOL.Add(descriptor)


def _serialized(file: str) -> bytes:
    module = file.removesuffix(".proto") + "_pb2"
    if module.startswith("xla/"):  # where TensorFlow's package has them
        module = f"tensorflow/compiler/{module}"
    package, _, rest = module.partition("/")
    if package == "google":
        generated = importlib.import_module(module.replace("/", "."))
        serialized: bytes = generated.DESCRIPTOR.serialized_pb
        return serialized
    # Of a package at the top this imports nothing.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(
            f"gRPC needs the package {_PACKAGES[package]!r}, which is not "
            "installed; `pip install kerassent` brings it. REST needs none: "
            "use `http://…`."
        )
    path = Path(spec.origin).parent / f"{rest}.py"
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="AddSerializedFile"),
                args=[ast.Constant(value=bytes(found))],
            ):
                return found
    raise ImportError(
        f"{path} has no descriptor. Install the versions of TensorFlow and "
        "tensorflow-serving-api that kerassent names."
    )
