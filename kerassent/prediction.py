"""One way to ask a model, wherever it is: in memory, on disk, on a server."""

import os
import pathlib
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from kerassent.contract import Explanation, Prediction, encode_texts
from kerassent.errors import PresetError


class Model(Protocol):
    """What `predict` and `evaluate` ask: a classifier, an export, a Client."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities."""

    def predict_proba(self, texts: Iterable[str | bytes]) -> np.ndarray:
        """float32 `(num_texts, num_classes)`, in the order of `texts`."""


def predict(
    model: Model | str | os.PathLike[str], texts: Iterable[str | bytes]
) -> list[Prediction]:
    """Returns each text's label, score and probabilities, in order.

    Args:
        model: A `SentimentClassifier`, a `Client`, or the path of a run or of
            an export (its base path or one version).
        texts: The texts.

    Raises:
        TypeError: `texts` is a single string, or holds something else, or
            `model` is none of these.
        PresetError: There is no run or export at the path, or it is damaged.
        ExportError: The export is damaged.

    Example:
        ```python
        predict("runs/imdb", ["A wonderful film."])
        # [Prediction(label='pos', score=0.98, probabilities={...})]
        ```
    """
    checked = encode_texts(texts)
    model = as_model(model)
    names = model.class_names
    return [
        Prediction(
            label=names[int(row.argmax())],
            score=float(row.max()),
            probabilities=dict(zip(names, row.tolist(), strict=True)),
        )
        for row in model.predict_proba(checked)
    ]


def explain(
    model: Model | str | os.PathLike[str],
    texts: Iterable[str | bytes],
    *,
    target: str | None = None,
) -> list[Explanation]:
    """Returns which words moved the answer to each text, in order.

    Args:
        model: A `SentimentClassifier`, a `Client`, or the path of a run or of
            an export (its base path or one version).
        texts: The texts.
        target: A class to explain instead of each text's label: its logit
            against the highest of the others. For a classifier or a run only.

    Raises:
        TypeError: `texts` is a single string, or holds something else, or
            `model` is none of these.
        ValueError: `target` is no class of the model, or the model is an
            export or a Client, whose `explain` is the label's.
        PresetError: There is no run or export at the path.

    Example:
        ```python
        explain("runs/imdb", ["A wonderful film."])
        # [Explanation(label='pos', score=0.98, words=(Word('A', ...), ...))]
        ```
    """
    checked = encode_texts(texts)
    if isinstance(model, (str, os.PathLike)):
        model = open_model(model)
    answers = getattr(model, "explain", None)
    if answers is None:
        # Only a model that runs here needs TensorFlow.
        from kerassent.classifier import SentimentClassifier
        from kerassent.explanation import explain_classifier

        if not isinstance(model, SentimentClassifier):
            raise TypeError(
                "`model` must be a SentimentClassifier, a Client, or the path "
                f"of a run or an export. Received: {model!r}"
            )
        return explain_classifier(model, checked, target=target)
    if target is not None:
        raise ValueError(
            "`target` goes with a classifier or a run: an export and a server "
            f"explain the label. Received: target={target!r} for "
            f"{type(model).__name__}"
        )
    found: list[Explanation] = answers(checked)
    return found


def as_model(model: Model | str | os.PathLike[str]) -> Model:
    """Returns what can be asked: a model as it is, or the one at a path.

    Args:
        model: Anything with `class_names` and `predict_proba(texts)`, or the
            path of a run or an export.

    Raises:
        TypeError: It is neither.
        PresetError: There is no run or export at the path, or it is damaged.
        ExportError: The export is damaged.
    """
    if isinstance(model, (str, os.PathLike)):
        return open_model(model)
    # By its name: a Client asks its server for `class_names`.
    if not callable(getattr(model, "predict_proba", None)) or (
        "class_names" not in dir(model)
    ):
        raise TypeError(
            "`model` must be the path of a run or an export, a "
            "SentimentClassifier, a Client, or anything with `class_names` and "
            f"`predict_proba(texts)`. Received: {model!r:.60} of type "
            f"{type(model).__name__}"
        )
    return model


def path_of(model: Model | str | os.PathLike[str]) -> str | None:
    """Returns the path of a model that is given by its path, else `None`.

    Args:
        model: As in `as_model`.
    """
    return os.fspath(model) if isinstance(model, (str, os.PathLike)) else None


def open_model(path: str | os.PathLike[str]) -> Model:
    """Returns the model that a path holds.

    Args:
        path: A run directory, an export's base path, or one of its versions.

    Raises:
        PresetError: There is none, or the run is damaged.
        ExportError: The export is damaged, or not one of ours.
    """
    directory = pathlib.Path(path)
    # TensorFlow is imported only for a model that runs here.
    from kerassent.classifier import SentimentClassifier, saved_class_names
    from kerassent.saved_model.loading import ExportedModel, is_export

    model: Model
    if is_export(directory):
        model = ExportedModel(directory)
    elif saved_class_names(directory):
        model = SentimentClassifier.from_preset(directory)
    else:
        found = (
            "has none of these files"
            if directory.is_dir()
            else "is no directory"
        )
        raise PresetError(
            f"There is no trained model at {os.fspath(path)!r}. Expected a run "
            "directory (with task.json) or an export (with "
            f"1/saved_model.pb); it {found}. `kerassent train` makes a run."
        )
    return model


def class_names_of(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the class names of the model that a path holds.

    Args:
        path: As in `open_model`, which this is quicker than.

    Raises:
        PresetError: There is none.
    """
    directory = pathlib.Path(path)
    from kerassent.classifier import saved_class_names
    from kerassent.saved_model.export_info import read_export_info
    from kerassent.saved_model.loading import is_export, version_directory

    names: tuple[str, ...] = ()
    if is_export(directory):
        info = read_export_info(version_directory(directory))
        names = tuple(info.get("class_names", ()))
    return names or saved_class_names(directory) or open_model(path).class_names
