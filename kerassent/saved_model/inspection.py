"""What is in a SavedModel, and what it says and takes when it runs."""

import pathlib
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that a graph may hold
from google.protobuf.message import DecodeError
from tensorflow.python.saved_model import loader_impl

from kerassent import contract
from kerassent.errors import ExportError
from kerassent.saved_model.export_info import read_export_info
from kerassent.saved_model.loading import version_directory
from kerassent.saved_model.portable_ops import op_support
from kerassent.saved_model.serving_ops import serving_ops
from kerassent.saved_model.warmup import read_warmup_requests

SAMPLE_TEXT = "A wonderful film."


@dataclass(frozen=True)
class Inspection:
    """What `inspect_export` found.

    Args:
        path: The version's directory.
        size_bytes: Of all files.
        signatures: By name: `method_name`, `inputs` and `outputs`; of each of
            these, by name, `dtype` and `shape`, whose open dimensions are -1.
        ops: By op, the versions of TensorFlow Serving that have it.
        targets: The versions that have all of them.
        info: What the export says made it; empty if it is not one of ours.
        sample: What `serving_default` answers to `SAMPLE_TEXT`: each output's
            row; empty where it takes no `text`.
        num_warmup_requests: How many requests a server runs before others.
        resident_bytes: What loading it and running these added to this
            process; `None` where the system doesn't tell.
    """

    path: str
    size_bytes: int
    signatures: dict[str, Any]
    ops: dict[str, tuple[str, ...]]
    targets: tuple[str, ...]
    info: dict[str, Any]
    sample: dict[str, Any]
    num_warmup_requests: int
    resident_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON has place for it."""
        return asdict(self)


def inspect_export(path: pathlib.Path) -> Inspection:
    """Reads a SavedModel, loads it as TensorFlow Serving does, and asks it.

    Args:
        path: A version's directory, or a base path, whose highest version is
            taken. Any SavedModel will do.

    Raises:
        ExportError: There is none, it can't be read, or it can't be loaded.
    """
    directory = version_directory(path)
    ops = op_support(directory)
    info = read_export_info(directory)
    try:
        requests = list(read_warmup_requests(directory / contract.WARMUP))
    except (tf.errors.OpError, DecodeError) as error:
        raise ExportError(
            f"{directory / contract.WARMUP} cannot be read: {error}. A server "
            "would not load this version. Export the classifier again."
        ) from error
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        before = _resident_bytes()
        try:
            # What `tf.compat.v1.saved_model.load` calls after it has logged
            # that it is deprecated.
            model = loader_impl.SavedModelLoader(str(directory)).load(
                session, [contract.SAVED_MODEL_TAG]
            )
            sample = _run(session, model.signature_def, requests)
        except (tf.errors.OpError, KeyError, RuntimeError, ValueError) as error:
            raise ExportError(
                f"{directory} is a SavedModel that cannot be run: {error}. "
                "Export the classifier again."
            ) from error
        after = _resident_bytes()
    return Inspection(
        path=str(directory),
        size_bytes=sum(
            each.stat().st_size
            for each in directory.rglob("*")
            if each.is_file()
        ),
        signatures={
            name: _described(signature)
            for name, signature in sorted(model.signature_def.items())
            if not name.startswith("__")
        },
        ops=ops,
        targets=tuple(
            version
            for version in serving_ops()
            if all(version in versions for versions in ops.values())
        ),
        info=info,
        sample=sample,
        num_warmup_requests=len(requests),
        resident_bytes=None if before is None else after - before,
    )


def _run(
    session: Any, signatures: Any, requests: list[tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    """Runs the warmup requests, and returns the answer to the sample."""
    for name, inputs in requests:
        _answer(session, signatures[name], inputs)
    serve = signatures.get(contract.PREDICT_SIGNATURE)
    if serve is None or list(serve.inputs) != [contract.TEXT]:
        return {}
    answer = _answer(session, serve, {contract.TEXT: [SAMPLE_TEXT.encode()]})
    return {name: _plain(array.tolist()[0]) for name, array in answer.items()}


def _answer(session: Any, signature: Any, inputs: dict[str, Any]) -> Any:
    return session.run(
        {name: info.name for name, info in sorted(signature.outputs.items())},
        {signature.inputs[name].name: value for name, value in inputs.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return (
        value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    )


def _described(signature: Any) -> dict[str, Any]:
    return {
        "method_name": signature.method_name,
        **{
            what: {
                name: {
                    "dtype": tf.as_dtype(info.dtype).name,
                    "shape": [each.size for each in info.tensor_shape.dim],
                }
                for name, info in sorted(tensors.items())
            }
            for what, tensors in (
                ("inputs", signature.inputs),
                ("outputs", signature.outputs),
            )
        },
    }


def _resident_bytes() -> Any:
    try:
        status = pathlib.Path("/proc/self/status").read_text("utf-8")
    except OSError:  # not Linux
        return None
    [line] = [each for each in status.splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1]) * 1024
