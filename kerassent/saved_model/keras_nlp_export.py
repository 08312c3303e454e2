"""The classifier as keras-nlp's own classes, for where kerassent is not."""

import json
import logging
import pathlib
from typing import Any

import keras
import keras_nlp
import numpy as np

from kerassent.errors import ExportError
from kerassent.saved_model.publish import new_directory
from kerassent.tokenizer import BertTokenizer

CLASS_NAMES_FILE = "class_names.json"
README_FILE = "README.md"

# How far the task's probabilities may be from the classifier's.
_TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 2e-2}

_README = """\
# {names}

Load it with keras-nlp, or keras-hub:

```python
import json, pathlib
import keras_nlp

path = pathlib.Path({path!r})
classifier = keras_nlp.models.DistilBertTextClassifier.from_preset(str(path))
class_names = json.loads((path / {class_names_file!r}).read_text("utf-8"))
logits = classifier.predict(["A wonderful film."])
```

It differs from what was trained:

{differences}
"""

_log = logging.getLogger("kerassent")


def write_task(classifier: Any, path: pathlib.Path) -> None:
    """Writes a keras-nlp preset of stock classes only, head and all.

    It is loaded and compared with the classifier before it gets its name.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
        path: The directory to be; an empty one may be there.

    Raises:
        ExportError: Something is there, keras-nlp's classes cannot do what
            the classifier does, or the task does not reproduce it.
    """
    task = _stock_task(classifier)
    differences = _differences(classifier)
    with new_directory(path) as staging:
        task.save_to_preset(str(staging))
        (staging / CLASS_NAMES_FILE).write_text(
            json.dumps(classifier.class_names, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        (staging / README_FILE).write_text(
            _README.format(
                names=", ".join(classifier.class_names),
                path=path.name,
                class_names_file=CLASS_NAMES_FILE,
                differences="\n".join(f"- {each}" for each in differences),
            ),
            encoding="utf-8",
        )
        _check_reproduces(classifier, staging)
    _log.warning(
        "%s differs from what was trained. %s", path, " ".join(differences)
    )


def _stock_task(classifier: Any) -> Any:
    """Returns keras-nlp's classifier, on the very same backbone."""
    temperature = classifier.temperature
    if (
        temperature != 1
        and classifier.activation is not keras.activations.linear
    ):
        raise ExportError(
            f"A `temperature` of {temperature} can be folded into a head that "
            "gives logits only; this one's activation is "
            f"{classifier.activation.__name__!r}. Set "
            "`classifier.temperature = 1.0`: the labels stay, scores change."
        )
    task = keras_nlp.models.DistilBertTextClassifier(
        classifier.backbone,
        num_classes=len(classifier.class_names),
        preprocessor=_stock_preprocessor(classifier.preprocessor),
        activation=classifier.activation,
        hidden_dim=classifier.hidden_dim,
        dropout=classifier.dropout,
        name="distil_bert_text_classifier",
    )
    task.pooled_dense.set_weights(classifier.pooled_dense.get_weights())
    task.output_dense.set_weights(
        [each / temperature for each in classifier.output_dense.get_weights()]
    )
    return task


def _stock_preprocessor(preprocessor: Any) -> Any:
    tokenizer = preprocessor.tokenizer
    if isinstance(tokenizer, BertTokenizer):
        strips = tokenizer.strip_accents
        tokenizer = keras_nlp.models.DistilBertTokenizer(
            tokenizer.get_vocabulary(),
            lowercase=tokenizer.lowercase,
            strip_accents=tokenizer.lowercase if strips is None else strips,
        )
    return keras_nlp.models.DistilBertTextClassifierPreprocessor(
        tokenizer, sequence_length=preprocessor.sequence_length
    )


def _differences(classifier: Any) -> list[str]:
    """Returns what a user of the task has to know, a sentence each."""
    preprocessor = classifier.preprocessor
    found = [
        f"Class names are no part of it: they are in {CLASS_NAMES_FILE}, in "
        "the order of the logits."
    ]
    if classifier.temperature != 1:
        found.append(
            f"The temperature, {classifier.temperature}, is folded into the "
            "head: the logits are divided by it already."
        )
    if isinstance(preprocessor.tokenizer, BertTokenizer):
        found.append(
            "keras-nlp's tokenizer finds other tokens than BERT's own in a "
            "few texts, such as those with a no-break space or a NUL."
        )
    if (truncate := getattr(preprocessor, "truncate", "")) in (
        "tail",
        "head_tail",
    ):
        found.append(
            f"Of a text of more than {preprocessor.sequence_length} tokens it "
            f"sees the head; training kept {truncate!r}."
        )
    if getattr(preprocessor, "clean_html", False):
        found.append(
            "It does not clean HTML, training did: pass text without tags."
        )
    return found


def _check_reproduces(classifier: Any, directory: pathlib.Path) -> None:
    try:
        task = keras_nlp.models.DistilBertTextClassifier.from_preset(
            str(directory)
        )
    except (RuntimeError, ValueError) as error:
        raise ExportError(
            f"keras-nlp cannot load the export: {error} Nothing was published."
        ) from error
    pieces = classifier.preprocessor.tokenizer.get_vocabulary()
    # keras-nlp reads lines without the white space at their ends.
    if task.preprocessor.tokenizer.get_vocabulary() != [
        piece.rstrip() for piece in pieces
    ]:
        raise ExportError(
            "keras-nlp reads another vocabulary than the classifier's: a piece "
            "has a line break in it. Nothing was published."
        )
    batch = _any_batch(classifier)
    expected = classifier(batch, training=False) / classifier.temperature
    difference = float(
        np.abs(
            np.array(keras.ops.softmax(expected))
            - np.array(keras.ops.softmax(task(batch, training=False)))
        ).max()
    )
    tolerance = _TOLERANCES[classifier.precision]
    if not difference <= tolerance:
        raise ExportError(
            "The export does not reproduce the classifier: its probabilities "
            f"differ by {difference:.2g}, at most {tolerance} is allowed. "
            "Nothing was published."
        )


def _any_batch(classifier: Any) -> dict[str, np.ndarray]:
    """Returns token ids of texts of several lengths."""
    longest = min(classifier.preprocessor.sequence_length, 64)
    lengths = np.array([[2], [longest // 2], [longest]])
    token_ids = np.random.default_rng(0).integers(
        0, classifier.backbone.vocabulary_size, (len(lengths), longest)
    )
    return {
        "token_ids": token_ids.astype(np.int32),
        "padding_mask": (np.arange(longest) < lengths).astype(np.int32),
    }
