"""Classifier in, export out, checked before anybody sees it."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerassent import contract
from kerassent.classifier import SentimentClassifier
from kerassent.errors import ExportError, PresetError, listed
from kerassent.saved_model.export_info import (
    check_preprocessor,
    export_info,
    run_info,
    write_info,
)
from kerassent.saved_model.keras_nlp_export import write_task
from kerassent.saved_model.loading import ExportedModel, is_export
from kerassent.saved_model.onnx import write_onnx
from kerassent.saved_model.portable_ops import check_portable, check_targets
from kerassent.saved_model.publish import check_numbers, new_version
from kerassent.saved_model.signatures import ServingModule
from kerassent.saved_model.warmup import write_warmup_requests

# How far the export's probabilities may be from the classifier's.
_TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2}

# Read by TensorFlow Serving with `--enable_batching` and
# `--enable_per_model_batching_parameters`. Texts in one batch need no padding.
_BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
"""

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
    precision: contract.ExportPrecision = "float32",
    targets: Iterable[str] | None = None,
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
        precision: What the SavedModel keeps its weights and computes products
            in; normalization, softmax and logits are float32 in any case.
            `"bfloat16"` is half as large, and faster on processors that have
            it natively (AVX512_BF16, AMX): elsewhere it is slower.
        targets: The versions of TensorFlow Serving that the SavedModel has to
            run in, such as `["2.19", "2.20"]`. Default: 2.16 to 2.21.
        keep: How many SavedModels to keep in `path`, those with the highest
            numbers and the new one: once it is published the others are
            removed. Default: all.

    Returns:
        The SavedModel's directory, such as `models/sentiment/1`, or `path`.

    Raises:
        TypeError: `classifier` is something else, or a number no whole one.
        ValueError: An argument has no sense, or does not go with `format`.
        PresetError: There is no run at the path, or it is damaged.
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
    if precision not in _TOLERANCES:
        raise ValueError(
            f"`precision` must be one of {listed(_TOLERANCES)}. Received: "
            f"{precision!r}"
        )
    if format != "saved_model":
        _refuse_options(
            format,
            version=version,
            precision=None if precision == "float32" else precision,
            targets=targets,
            keep=keep,
        )
    check_numbers(version, keep)
    targets = check_targets(targets)
    run = None
    if not isinstance(classifier, SentimentClassifier):
        _check_run(classifier)
        run = run_info(pathlib.Path(classifier))
        classifier = SentimentClassifier.from_preset(classifier)
    preprocessor = classifier.preprocessor
    if preprocessor is None:
        raise ExportError(
            "The classifier has no preprocessor, so its export could not take "
            "text. Set `classifier.preprocessor` to a `SentimentPreprocessor`."
        )
    path = pathlib.Path(path)
    if format == "keras-nlp":
        write_task(classifier, path)
        return path
    check_preprocessor(preprocessor)
    info = export_info(classifier, precision, run)
    if format == "onnx":
        write_onnx(classifier, path, info)
        return path
    with new_version(path, version, keep) as (staging, published):
        module = ServingModule(classifier, precision)
        tf.saved_model.save(
            module, str(staging), signatures=module.signatures()
        )
        _name_methods(staging / contract.SAVED_MODEL_FILE)
        check_portable(staging, targets)
        write_info(staging, info)
        write_warmup_requests(staging / contract.WARMUP)
        (staging / contract.BATCHING).write_text(_BATCHING, "utf-8")
        _check_reproduces(classifier, staging, _TOLERANCES[precision])
    return published[0]


def _check_run(run: Any) -> None:
    """Raises for what is no path of a trained classifier."""
    if not isinstance(run, (str, os.PathLike)):
        raise TypeError(
            "`classifier` must be a SentimentClassifier or a run directory. "
            f"Received: {run!r:.60} of type {type(run).__name__}"
        )
    path = pathlib.Path(run)
    # A handle of a hub is fetched first.
    if "://" in os.fspath(run) or (path / contract.TASK_CONFIG).is_file():
        return
    if is_export(path):
        found = "an export already"
    else:
        found = "another directory" if path.is_dir() else "no directory"
    raise PresetError(
        f"There is no trained classifier at {os.fspath(run)!r}. Expected a run "
        f"directory (with {contract.TASK_CONFIG}); it is {found}. `kerassent "
        "train` makes a run."
    )


def _refuse_options(format: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(
                f"`{name}` goes with `format='saved_model'`. Received: "
                f"{name}={value!r}, format={format!r}"
            )


def _name_methods(path: pathlib.Path) -> None:
    """Says that `classify` is for the Classify API, which `save` can't."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(path.read_bytes())
    [graph] = model.meta_graphs
    classify = graph.signature_def[contract.CLASSIFY_SIGNATURE]
    classify.method_name = contract.CLASSIFY_METHOD
    path.write_bytes(model.SerializeToString(deterministic=True))
    # It has a hash of the signatures; servers do without.
    path.with_name("fingerprint.pb").unlink(missing_ok=True)


def _check_reproduces(
    classifier: Any, directory: pathlib.Path, tolerance: float
) -> None:
    exported = ExportedModel(directory)
    expected = classifier.predict_proba(_CHECKED_TEXTS)
    received = exported.predict_proba(_CHECKED_TEXTS)
    # A short text alone takes a way of its own through the graph.
    alone = [exported.predict_proba([text])[0] for text in _CHECKED_TEXTS]
    difference = float(np.abs(expected - [received, alone]).max())
    if exported.class_names != classifier.class_names or not (
        difference <= tolerance
    ):
        raise ExportError(
            "The export does not reproduce the classifier: its probabilities "
            f"differ by {difference:.2g}, at most {tolerance} is allowed. "
            "Nothing was published."
        )
