"""What made an export, as its `kerassent.json` says."""

import importlib.metadata
import json
import pathlib
from typing import Any

from kerassent import contract
from kerassent.errors import ExportError
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.tokenizer import BertTokenizer
from kerassent.version import __version__
from kerassent.vocabulary_hash import hash_vocabulary

# What a precision wants of the processor to be fast.
_PROCESSORS = {"float32": "any", "bfloat16": "AVX512_BF16 or AMX"}


def export_info(
    classifier: Any,
    precision: contract.ExportPrecision,
    run: dict[str, Any] | None,
) -> dict[str, Any]:
    """Returns what an export says of itself.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
        precision: The export's.
        run: What `train` recorded, if it is known: data, metrics, machine.
    """
    packages = ("tensorflow", "tensorflow-text", "keras", "keras-nlp")
    preprocessor = classifier.preprocessor
    return {
        "class_names": list(classifier.class_names),
        **preprocessor.settings,
        "precision": precision,
        "processor": _PROCESSORS[precision],
        "temperature": classifier.temperature,
        "parameters": classifier.count_params(),
        "sha256": {"vocabulary": hash_vocabulary(preprocessor)},
        "versions": {
            "kerassent": __version__,
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "run": run,
    }


def write_info(directory: pathlib.Path, info: dict[str, Any]) -> None:
    """Writes it to where `read_export_info` finds it.

    Args:
        directory: The export's.
        info: What `export_info` returns.
    """
    path = directory / contract.EXPORT_INFO
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(info, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_export_info(directory: pathlib.Path) -> dict[str, Any]:
    """Returns what an export says of itself; nothing if it says nothing.

    Args:
        directory: One version's.

    Raises:
        ExportError: The file is damaged.
    """
    path = directory / contract.EXPORT_INFO
    if not path.is_file():
        return {}
    return _object(path, "Export the classifier again.")


def run_info(run: pathlib.Path) -> dict[str, Any] | None:
    """Returns what `train` recorded in a run directory, if it did.

    Args:
        run: The run directory, or a preset's name.

    Raises:
        ExportError: The record is damaged.
    """
    path = run / contract.TRAIN_INFO
    if not path.is_file():
        return None
    return _object(path, "Restore it, or move it away to export without it.")


def check_preprocessor(preprocessor: Any) -> None:
    """Raises `ExportError` unless a graph or a file can say what it does.

    Args:
        preprocessor: A classifier's.
    """
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if not isinstance(preprocessor, SentimentPreprocessor) or not isinstance(
        tokenizer, BertTokenizer
    ):
        raise ExportError(
            "A graph with this preprocessor could not be served everywhere. "
            f"Received: {type(preprocessor).__name__} with "
            f"{type(tokenizer).__name__}; expected: kerassent's "
            "`SentimentPreprocessor` with its `BertTokenizer`, as "
            "`SentimentClassifier.from_preset` makes them."
        )


def _object(path: pathlib.Path, fix: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}. {fix}") from error
    if not isinstance(found, dict):
        raise ExportError(f"{path} holds no JSON object. {fix}")
    return found
