"""Classifier in, export out, checked before anybody sees it."""

import importlib.metadata
import json
import os
import pathlib
from typing import Any, Literal, get_args

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerassent import contract
from kerassent.classifier import SentimentClassifier
from kerassent.errors import ExportError, listed
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.saved_model.keras_nlp_export import write_task
from kerassent.saved_model.loading import ExportedModel
from kerassent.saved_model.portable_ops import check_portable
from kerassent.saved_model.publish import new_version
from kerassent.saved_model.signatures import ServingModule
from kerassent.saved_model.warmup import write_warmup_requests
from kerassent.token_batches import hash_vocabulary
from kerassent.tokenizer import BertTokenizer
from kerassent.version import __version__

# How far the export's probabilities may be from the classifier's.
_TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2}
ExportPrecision = Literal["float32", "bfloat16"]
# What a precision wants of the processor to be fast.
_PROCESSORS = {"float32": "any", "bfloat16": "AVX512_BF16 or AMX"}

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
    precision: ExportPrecision = "float32",
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

    The result is loaded and compared with the classifier before it gets its
    name, so a server that watches `path` never sees a half-written or a wrong
    one.

    Args:
        classifier: A `SentimentClassifier`, or a run directory.
        path: The SavedModel's base path, such as `models/sentiment`, or the
            preset's directory, which must be empty or not there.
        format: `"saved_model"` or `"keras-nlp"`.
        version: The SavedModel's number, 1 or more. Default: one above the
            highest in `path`.
        precision: What the SavedModel keeps its weights and computes products
            in; normalization, softmax and logits are float32 in any case.
            `"bfloat16"` is half as large, and faster on processors that have
            it natively (AVX512_BF16, AMX): elsewhere it is slower.

    Returns:
        The SavedModel's directory, such as `models/sentiment/1`, or `path`.

    Raises:
        ExportError: The classifier cannot be exported, the version or the
            preset is there already, or the export does not reproduce the
            classifier.

    Example:
        ```python
        export(classifier, "models/sentiment")  # models/sentiment/1
        export(classifier, "presets/sentiment", format="keras-nlp")
        ```
    """
    if format not in (formats := get_args(contract.ExportFormat)):
        raise ValueError(
            f"`format` must be one of {listed(formats)}. Received: {format!r}"
        )
    if version is not None and format != "saved_model":
        raise ValueError(
            "`version` goes with `format='saved_model'`. Received: "
            f"version={version}, format={format!r}"
        )
    if version is not None and version < 1:
        raise ValueError(f"`version` must be 1 or more. Received: {version}")
    if precision not in _TOLERANCES:
        raise ValueError(
            f"`precision` must be one of {listed(_TOLERANCES)}. Received: "
            f"{precision!r}"
        )
    if not isinstance(classifier, SentimentClassifier):
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
    with new_version(path, version) as (staging, published):
        module = ServingModule(classifier, precision)
        tf.saved_model.save(
            module, str(staging), signatures=module.signatures()
        )
        _name_methods(staging / contract.SAVED_MODEL_FILE)
        check_portable(staging)
        (staging / contract.EXPORT_INFO).parent.mkdir()
        _write_info(classifier, precision, staging / contract.EXPORT_INFO)
        write_warmup_requests(staging / contract.WARMUP)
        (staging / contract.BATCHING).write_text(_BATCHING, "utf-8")
        _check_reproduces(classifier, staging, _TOLERANCES[precision])
    return published[0]


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


def _write_info(
    classifier: Any, precision: ExportPrecision, path: pathlib.Path
) -> None:
    preprocessor = classifier.preprocessor
    info = {
        "class_names": list(classifier.class_names),
        **preprocessor.settings,
        "precision": precision,
        "processor": _PROCESSORS[precision],
        "temperature": classifier.temperature,
        "sha256": {"vocabulary": hash_vocabulary(preprocessor)},
        "parameters": classifier.count_params(),
        "versions": {
            "kerassent": __version__,
            **{
                name: importlib.metadata.version(name)
                for name in ("tensorflow", "tensorflow-text", "keras")
            },
        },
    }
    path.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def _check_reproduces(
    classifier: Any, directory: pathlib.Path, tolerance: float
) -> None:
    exported = ExportedModel(directory)
    expected = classifier.predict_proba(_CHECKED_TEXTS)
    received = exported.predict_proba(_CHECKED_TEXTS)
    difference = float(np.abs(expected - received).max())
    if exported.class_names != classifier.class_names or not (
        difference <= tolerance
    ):
        raise ExportError(
            "The export does not reproduce the classifier: its probabilities "
            f"differ by {difference:.2g}, at most {tolerance} is allowed. "
            "Nothing was published."
        )
