"""Which ops an export may hold so that TensorFlow Serving can run it."""

import pathlib
from collections.abc import Iterator
from typing import Any

from kerassent.contract import SAVED_MODEL_FILE
from kerassent.errors import ExportError, listed

# TF Text's ops, by what a TensorFlow Serving release has of them. Serving 2.16
# to 2.19 link TF Text 2.12.1, which lacks the last group's; 2.20 links
# `CaseFoldUTF8` but not the ICU data that it reads when it runs.
_NOT_PORTABLE = frozenset(
    {
        "CaseFoldUTF8",
        "TFText>RoundRobinGenerateMasks",
        "TFText>RoundRobinTrim",
        "TFText>Utf8Binarize",
    }
)
# These forms read that same ICU data; NFC and NFD are compiled in.
_NOT_PORTABLE_FORMS = (b"NFKC", b"NFKD")


def check_portable(directory: pathlib.Path) -> None:
    """Raises `ExportError` if TensorFlow Serving cannot run a SavedModel.

    A missing op inside a function is found by the first request only, when
    the model counts as loaded: better found here.

    Args:
        directory: A SavedModel's directory.

    Reference:
        TensorFlow Serving's `workspace.bzl` at its tags 2.16.1 to 2.20.0.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((directory / SAVED_MODEL_FILE).read_bytes())
    refused = sorted({n.op for n in _nodes(model) if not _is_portable(n)})
    if refused:
        raise ExportError(
            f"The export holds {listed(refused)}, which TensorFlow Serving "
            "2.16 to 2.20 cannot run. It comes from the preprocessor or its "
            "tokenizer: use kerassent's `SentimentPreprocessor` and "
            "`BertTokenizer`."
        )


def _nodes(model: Any) -> Iterator[Any]:
    for meta_graph in model.meta_graphs:
        yield from meta_graph.graph_def.node
        for function in meta_graph.graph_def.library.function:
            yield from function.node_def


def _is_portable(node: Any) -> bool:
    if node.op.startswith("NormalizeUTF8"):
        form: bytes = node.attr["normalization_form"].s
        return form.upper() not in _NOT_PORTABLE_FORMS
    return node.op not in _NOT_PORTABLE
