"""Classifier in, export out, checked before anybody sees it."""

import importlib.metadata
import json
import os
import pathlib
from typing import Any, get_args

import numpy as np
import tensorflow as tf

from kerassent import contract
from kerassent.classifier import SentimentClassifier
from kerassent.errors import ExportError, listed
from kerassent.saved_model.keras_nlp_export import write_task
from kerassent.saved_model.loading import ExportedModel
from kerassent.saved_model.onnx import write_onnx
from kerassent.saved_model.portable_ops import check_portable
from kerassent.saved_model.publish import check_numbers, new_version
from kerassent.saved_model.signatures import ServingModule
from kerassent.version import __version__

# How far the export's probabilities may be from the classifier's.
_TOLERANCE = 1e-5
_CHECKED_TEXTS = (
    "",
    "A wonderful film.",
    "a film " * 300,
    "Não gostei — 0/10 \u2026",
    b"\xff\x00not UTF-8",
)


def export(
    classifier: SentimentClassifier | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    format: contract.ExportFormat = "saved_model",
    version: int | None = None,
    keep: int | None = None,
) -> pathlib.Path:
    """Writes what others can use without kerassent, and returns where.

    `"saved_model"`: a SavedModel that answers raw strings. Its
    `serving_default` takes `text`, string `(batch_size,)`, and gives `label`,
    `score`, `probabilities` and `class_names`.

    `"keras-nlp"`: a preset of keras-nlp's own classes, which
    `keras_nlp.models.DistilBertTextClassifier.from_preset` loads to predict or
    to be trained further. For the same token ids its logits are the
    classifier's over `temperature`. What these classes have no place for is
    lost, as its README.md and the log say: class names stand beside it, in
    class_names.json; of a long text the head is kept, whatever `truncate` is;
    `clean_html` is not done; and keras-nlp's tokenizer finds other tokens than
    BERT's own in a few texts.

    `"onnx"`: a directory with an ONNX graph of token ids, for runtimes without
    TensorFlow, and what `tokenizers` needs to make these; its README.md has
    the lines. Needs `pip install 'kerassent[onnx]'`.

    The result is loaded and compared with the classifier before it gets its
    name, so a server that watches `path` never sees a half-written or a wrong
    one.

    Args:
        classifier: A `SentimentClassifier`, or a run directory.
        path: The SavedModel's base path, such as `models/sentiment`, or the
            directory of another format, which must be empty or not there.
        format: `"saved_model"`, `"keras-nlp"` or `"onnx"`.
        version: The SavedModel's number, 1 or more. Default: one above the
            highest in `path`.
        keep: How many SavedModels to keep in `path`, those with the highest
            numbers and the new one: once it is published the others are
            removed. Default: all.

    Returns:
        The SavedModel's directory, such as `models/sentiment/1`, or `path`.

    Raises:
        ExportError: The classifier cannot be exported, the version or the
            preset is there already, `path` cannot be written to, or the export
            does not reproduce the classifier. Nothing is left behind.

    Example:
        ```python
        export(classifier, "models/sentiment")  # models/sentiment/1
        export(classifier, "presets/sentiment", format="keras-nlp")
        export(classifier, "onnx/sentiment", format="onnx")
        ```
    """
    if format not in (formats := get_args(contract.ExportFormat)):
        raise ValueError(
            f"`format` must be one of {listed(formats)}. Received: {format!r}"
        )
    for name, number in (("version", version), ("keep", keep)):
        if number is not None and format != "saved_model":
            raise ValueError(
                f"`{name}` goes with `format='saved_model'`. Received: "
                f"{name}={number}, format={format!r}"
            )
    check_numbers(version, keep)
    if not isinstance(classifier, SentimentClassifier):
        classifier = SentimentClassifier.from_preset(classifier)
    if classifier.preprocessor is None:
        raise ExportError(
            "The classifier has no preprocessor, so its export could not take "
            "text. Set `classifier.preprocessor` to a `SentimentPreprocessor`."
        )
    path = pathlib.Path(path)
    if format == "keras-nlp":
        write_task(classifier, path)
        return path
    if format == "onnx":
        write_onnx(classifier, path, write_info=_write_info)
        return path
    with new_version(path, version, keep) as (staging, published):
        module = ServingModule(classifier)
        tf.saved_model.save(
            module, str(staging), signatures=module.signatures()
        )
        check_portable(staging)
        _write_info(classifier, staging / contract.EXPORT_INFO)
        _check_reproduces(classifier, staging)
    return published[0]


def _write_info(classifier: Any, path: pathlib.Path) -> None:
    preprocessor = classifier.preprocessor
    info = {
        "class_names": list(classifier.class_names),
        **preprocessor.settings,
        "temperature": classifier.temperature,
        "parameters": classifier.count_params(),
        "versions": {
            "kerassent": __version__,
            **{
                name: importlib.metadata.version(name)
                for name in ("tensorflow", "tensorflow-text", "keras")
            },
        },
    }
    path.parent.mkdir()
    path.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def _check_reproduces(classifier: Any, directory: pathlib.Path) -> None:
    exported = ExportedModel(directory)
    expected = classifier.predict_proba(_CHECKED_TEXTS)
    received = exported.predict_proba(_CHECKED_TEXTS)
    difference = float(np.abs(expected - received).max())
    if exported.class_names != classifier.class_names or not (
        difference <= _TOLERANCE
    ):
        raise ExportError(
            "The export does not reproduce the classifier: its probabilities "
            f"differ by {difference:.2g}, at most {_TOLERANCE} is allowed. "
            "Nothing was published."
        )
