"""Names on the wire and on disk: all that both ends have to agree on.

The export writes them, the servers and the client speak them. Nothing else in
kerassent spells one of these names out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

# The `serving_default` signature: text in, all that a caller needs out.
PREDICT_SIGNATURE: Final = "serving_default"
TEXT: Final = "text"  # string (batch_size,), any bytes
LABEL: Final = "label"  # string (batch_size,)
SCORE: Final = "score"  # float32 (batch_size,), the label's probability
PROBABILITIES: Final = "probabilities"  # float32 (batch_size, num_classes)
CLASS_NAMES: Final = "class_names"  # string (batch_size, num_classes)
PREDICT_OUTPUTS: Final = (LABEL, SCORE, PROBABILITIES, CLASS_NAMES)

# The `classify` signature, which TensorFlow Serving's Classify API asks for.
CLASSIFY_SIGNATURE: Final = "classify"
CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
INPUTS: Final = "inputs"  # string (batch_size,): tf.Examples with `text`
CLASSES: Final = "classes"  # string (batch_size, num_classes)
SCORES: Final = "scores"  # float32 (batch_size, num_classes)

# The `explain` signature: `text` in; `label`, `score` and these out, the words'
# `(batch_size, max_words)`, padded with "", -1, -1 and 0.
EXPLAIN_SIGNATURE: Final = "explain"
WORDS: Final = "words"  # string
STARTS: Final = "starts"  # int32, a word's first byte in the text as sent
ENDS: Final = "ends"  # int32, the byte after its last
ATTRIBUTIONS: Final = "attributions"  # float32
COMPLETENESS_ERROR: Final = "completeness_error"  # float32 (batch_size,)

# TensorFlow Serving's default ports.
GRPC_PORT: Final = 8500
REST_PORT: Final = 8501
LOOPBACK: Final = "127.0.0.1"
LOCALHOST: Final = "localhost"  # the loopback, both families

# A SavedModel's own files.
SAVED_MODEL_FILE: Final = "saved_model.pb"
SAVED_MODEL_TAG: Final = "serve"
EXPORT_INFO: Final = "assets.extra/kerassent.json"
WARMUP: Final = "assets.extra/tf_serving_warmup_requests"
BATCHING: Final = "batching_params.pbtxt"

# What `export` can write.
ExportFormat = Literal["saved_model", "keras-nlp", "onnx"]
ExportPrecision = Literal["float32", "bfloat16"]

# An ONNX graph's, beside `PROBABILITIES`.
TOKEN_IDS: Final = "token_ids"  # int64 (batch_size, length)
PADDING_MASK: Final = "padding_mask"  # int64 (batch_size, length)
LOGITS: Final = "logits"  # float32 (batch_size, num_classes)

# A run directory: a preset, and beside it how it was made.
TASK_CONFIG: Final = "task.json"
TRAIN_INFO: Final = "train.json"
HISTORY: Final = "history.csv"
LEARNING_CURVES: Final = "learning_curves.svg"
STEP_LOSSES: Final = "step_losses.csv"
LR_CURVE: Final = "lr_curve.json"
CHECKPOINTS: Final = "checkpoints"


def rest_model_path(
    model_name: str,
    *,
    version: int | None = None,
    label: str | None = None,
) -> str:
    """Returns the REST path of a model: `/v1/models/NAME[/versions/N]`.

    Args:
        model_name: The model's name; whatever a URL cannot hold is escaped.
        version: A version number, or `None` for the newest.
        label: A version label, or `None`. At most one of the two.
    """
    from urllib.parse import quote

    path = f"/v1/models/{quote(model_name, safe='')}"
    if version is not None:
        path += f"/versions/{version}"
    if label is not None:
        path += f"/labels/{quote(label, safe='')}"
    return path


@dataclass(frozen=True)
class Prediction:
    """What a model says of one text, wherever the model runs.

    Args:
        label: The class with the highest probability.
        score: That class's probability, 0 to 1.
        probabilities: Each class's probability, in the model's order.
    """

    label: str
    score: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Word:
    """A word of a text, and how much it moved the answer.

    Args:
        text: The word as it is written.
        start: Its first byte in the text as sent: in UTF-8, that is.
        end: The byte after its last.
        attribution: What the label's margin over the runner-up gains, in
            logits, from the word's being read.
    """

    text: str
    start: int
    end: int
    attribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of one text, wherever the model runs.

    Args:
        label: The class that is explained: the one with the highest
            probability, unless another was asked for.
        score: That class's probability, 0 to 1.
        words: The words that the model saw, in the text's order.
        completeness_error: The sum of the attributions less what the margin
            really loses when no word is read: what the integral missed.
    """

    label: str
    score: float
    words: tuple[Word, ...]
    completeness_error: float


def encode_texts(texts: Iterable[str | bytes]) -> list[bytes]:
    r"""Returns each text as the bytes that stand for it everywhere.

    A string is UTF-8. A lone surrogate, which UTF-8 has no place for, becomes
    its three bytes (`"\ud800"` is `ED A0 80`): a model takes any bytes, and no
    text is lost or changed into another. Bytes stay what they are.

    Args:
        texts: Strings or bytes, in any iterable: a list, a pandas Series.

    Raises:
        TypeError: `texts` is a single text or holds something else.
    """
    return list(encode_each(texts))


def encode_each(texts: Iterable[str | bytes]) -> Iterator[bytes]:
    """Yields what `encode_texts` returns, one text at a time.

    Args:
        texts: As there.

    Raises:
        TypeError: At once if `texts` is a single text or can't be iterated
            over; when it is met, if it holds something else.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(
            f"`texts` must be a list of texts. Pass `[{texts[:40]!r}]`? "
            f"Received: one {type(texts).__name__}"
        )
    if not isinstance(texts, Iterable):
        raise TypeError(
            "`texts` must be a list of str or bytes. Received: "
            f"{texts!r} of type {type(texts).__name__}"
        )
    return (_encoded(text, index) for index, text in enumerate(texts))


def _encoded(text: object, index: int) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, bytes):
        return text
    raise TypeError(
        "`texts` must hold only str or bytes. Received: "
        f"`texts[{index}]` is {text!r} of type {type(text).__name__}"
    )
