"""Which ops an export may hold so that TensorFlow Serving can run it."""

import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kerassent.contract import SAVED_MODEL_FILE
from kerassent.errors import ExportError, listed
from kerassent.saved_model.serving_ops import (
    ServingOps,
    serving_ops,
    versions_listed,
)

# How many findings a message tells.
_SHOWN = 5
_XLA_OPS = ("Xla", "_Xla")
_XLA_ATTRIBUTE = "_XlaMustCompile"


@dataclass(frozen=True)
class _Finding:
    """Something of a SavedModel, and the versions that cannot cope with it.

    Args:
        what: The op, or the op with an attribute.
        do: What these versions do about it.
        node: A node that it is in.
        versions: Versions of TensorFlow Serving.
    """

    what: str
    do: str
    node: str
    versions: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.what}, which TensorFlow Serving "
            f"{versions_listed(self.versions)} {self.do} (node {self.node!r})."
        )


def check_portable(
    directory: pathlib.Path, targets: Iterable[str] | None = None
) -> None:
    """Raises `ExportError` if TensorFlow Serving cannot run a SavedModel.

    A missing op inside a function is found by the first request only, when
    the model counts as loaded, and an attribute that isn't known is ignored:
    better found here. That an op computes the same in each version isn't seen.

    Args:
        directory: A SavedModel's directory.
        targets: Versions of TensorFlow Serving, such as `["2.19", "2.20"]`.
            Default: all that are known, 2.16 to 2.21.

    Raises:
        ExportError: An op, an attribute or its value is not in each of
            `targets`, a function is compiled with XLA, a signature has an
            output that is no dense tensor, or there is no SavedModel.
        ValueError: One of `targets` is not known.
    """
    chosen = check_targets(targets)
    model = _read(directory)
    _check_outputs(model)
    _check_no_xla(model)
    # Several nodes often have the same fault; the first one stands for them.
    findings: dict[tuple[str, tuple[str, ...]], _Finding] = {}
    for node in _nodes(model):
        for finding in _findings(node, chosen):
            findings.setdefault((finding.what, finding.versions), finding)
    if findings:
        told = " It holds ".join(map(str, list(findings.values())[:_SHOWN]))
        if len(findings) > _SHOWN:
            told += f" It holds {len(findings) - _SHOWN} more."
        raise ExportError(
            f"The export holds {told} If the preprocessor or its tokenizer "
            "brings it, use kerassent's `SentimentPreprocessor` and "
            "`BertTokenizer`; otherwise leave it out, or leave these versions "
            "out of `targets`."
        )


def check_targets(targets: Iterable[str] | None) -> tuple[str, ...]:
    """Returns versions of TensorFlow Serving, oldest first.

    Args:
        targets: Some of those that are known; `None` stands for all.

    Raises:
        ValueError: One of them is not known.
    """
    every = tuple(serving_ops())
    if targets is None:
        return every
    chosen = {targets} if isinstance(targets, str) else set(targets)
    if isinstance(targets, str) or not chosen or not chosen.issubset(every):
        raise ValueError(
            "`targets` must be a list of some of "
            f"{listed(every, limit=len(every))}. Received: {targets!r}"
        )
    return tuple(version for version in every if version in chosen)


def op_support(directory: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Returns the versions of TensorFlow Serving that can run each op.

    Args:
        directory: A SavedModel's directory.

    Returns:
        Each op of the SavedModel, sorted, and the versions that have it with
        the attributes that its nodes have, oldest first.

    Raises:
        ExportError: There is no SavedModel.
    """
    every = tuple(serving_ops())
    lacking: dict[str, set[str]] = {}
    for node in _nodes(_read(directory)):
        lacks = lacking.setdefault(node.op, set())
        for finding in _findings(node, every):
            lacks.update(finding.versions)
    return {
        op: tuple(version for version in every if version not in lacks)
        for op, lacks in sorted(lacking.items())
    }


def _read(directory: pathlib.Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = directory / SAVED_MODEL_FILE
    try:
        return saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ExportError(
            f"{path} cannot be read as a SavedModel: {error}. Expected the "
            "directory of one version, as `kerassent export` writes it."
        ) from error


def _nodes(model: Any) -> Iterator[Any]:
    """Yields all nodes but those that call one of the model's functions."""
    for meta_graph in model.meta_graphs:
        library = meta_graph.graph_def.library
        functions = {each.signature.name for each in library.function}
        for nodes in (
            meta_graph.graph_def.node,
            *(function.node_def for function in library.function),
        ):
            yield from (node for node in nodes if node.op not in functions)


def _findings(node: Any, versions: tuple[str, ...]) -> Iterator[_Finding]:
    """Yields what of a node some of the versions lack."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for version in versions:
        for what, do in _lacks(node, serving_ops()[version]):
            lacking.setdefault((what, do), []).append(version)
    for (what, do), without in lacking.items():
        yield _Finding(what, do, node.name, tuple(without))


def _lacks(node: Any, record: ServingOps) -> Iterator[tuple[str, str]]:
    """Yields what of a node one version lacks, and what it does about it."""
    if node.op not in record.attributes:
        yield repr(node.op), "cannot run"
        return
    # A SavedModel has no attribute that is at its default: the others mean
    # something. TensorFlow only logs that it doesn't know one. Those that
    # begin with an underscore are notes, which need no place in the op.
    for name in sorted(node.attr.keys() - record.attributes[node.op]):
        if not name.startswith("_"):
            yield f"{node.op!r} with the attribute {name!r}", "ignores"
    for op, name, value in record.refused_values:
        if op == node.op and value in _values(node, name):
            yield f"{op!r} with {name}={value!r}", "cannot run"


def _values(node: Any, name: str) -> set[str]:
    """Returns the types or the string of an attribute, as they are recorded."""
    from tensorflow.core.framework import types_pb2

    if name not in node.attr:
        return set()
    attribute = node.attr[name]
    if attribute.s:  # Text's kernels take the name of a form in any case
        return {attribute.s.decode("latin-1").upper()}
    types = [attribute.type] if attribute.type else attribute.list.type
    return {types_pb2.DataType.Name(each) for each in types}


def _check_outputs(model: Any) -> None:
    from tensorflow.core.framework import types_pb2

    for meta_graph in model.meta_graphs:
        for name, signature in meta_graph.signature_def.items():
            if name.startswith("__"):  # TensorFlow's own, whose output is an op
                continue
            refused = sorted(
                output
                for output, info in signature.outputs.items()
                if info.dtype == types_pb2.DT_INVALID
            )
            if refused:
                raise ExportError(
                    f"The signature {name!r} has outputs that are no dense "
                    f"tensors: {listed(refused)}. TensorFlow Serving cannot "
                    "send ragged or sparse ones: pad them, as "
                    "`RaggedTensor.to_tensor` does."
                )


def _check_no_xla(model: Any) -> None:
    found = {node.op for node in _nodes(model) if node.op.startswith(_XLA_OPS)}
    found |= {node.name for node in _nodes(model) if _wants_xla(node.attr)}
    for meta_graph in model.meta_graphs:
        found |= {
            function.signature.name
            for function in meta_graph.graph_def.library.function
            if _wants_xla(function.attr)
        }
    if found:
        raise ExportError(
            f"The export holds what only XLA can run: {listed(sorted(found))}. "
            "TensorFlow Serving has XLA off: a request would fail. Leave "
            "`jit_compile=True` out of what the signatures call."
        )


def _wants_xla(attributes: Any) -> bool:
    return _XLA_ATTRIBUTE in attributes and attributes[_XLA_ATTRIBUTE].b
