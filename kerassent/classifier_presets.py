"""What a preset has for a classifier: names, head, and how to take text."""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras_nlp

from kerassent import contract
from kerassent.errors import PresetError
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.run_record import read_info
from kerassent.tokenizer import BertTokenizer
from kerassent.vocabulary_hash import hash_vocabulary

DEFAULT_SEQUENCE_LENGTH = 400

# keras-nlp's name for the head's, beside the backbone's.
HEAD_WEIGHTS = "task.weights.h5"

_Classifier = TypeVar("_Classifier")


def saved_class_names(directory: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names of a saved classifier, `()` for other presets.

    Args:
        directory: A preset directory.

    Raises:
        PresetError: Its `task.json` is damaged.
    """
    return tuple(_saved_task(directory).get("class_names", ()))


def load_saved(
    directory: pathlib.Path, settings: dict[str, Any], **kwargs: Any
) -> Any:
    """Returns a classifier that was saved as one of ours.

    Args:
        directory: Its preset directory.
        settings: The preprocessor's; `None` keeps what was saved.
        **kwargs: Passed on to its constructor.

    Raises:
        PresetError: The directory is not whole, or damaged.
        ValueError: `sequence_length` does not fit the backbone.
    """
    # Without this file keras-nlp gives the head weights that nobody trained.
    if not (directory / HEAD_WEIGHTS).is_file():
        raise PresetError(
            f"{directory} is not a whole run: it has no {HEAD_WEIGHTS!r}, the "
            "weights of its head. Copy it again, or train again."
        )
    try:
        classifier = keras_nlp.models.DistilBertTextClassifier.from_preset(
            str(directory), **kwargs
        )
    # Of a damaged file Keras and HDF5 raise what they stumble over.
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        if kwargs and isinstance(error, ValueError):
            raise  # it may be about one of them
        raise PresetError(
            f"{directory} cannot be loaded, it may be half-written or damaged "
            f"({type(error).__name__}: {error}). Copy it again, or train again."
        ) from error
    _check_vocabulary(directory, classifier.preprocessor)
    preprocessor = classifier.preprocessor.with_settings(**settings)
    check_fits(preprocessor, classifier.backbone)
    classifier.preprocessor = preprocessor
    return classifier


def new_from_preset(
    make: Callable[..., _Classifier],
    directory: pathlib.Path,
    class_names: Sequence[str],
    settings: dict[str, Any],
    *,
    keep_tokenizer: bool,
    **kwargs: Any,
) -> _Classifier:
    """Returns a classifier with a preset's backbone.

    Its head is new, unless the preset is keras-nlp's own classifier with as
    many classes.

    Args:
        make: `SentimentClassifier`.
        directory: The preset directory.
        class_names: The classes in the order of the logits.
        settings: The preprocessor's; `None` takes the default.
        keep_tokenizer: As in `SentimentClassifier.from_preset`.
        **kwargs: Passed on to the constructor with a new head.

    Raises:
        ValueError: `class_names` are wrong, or `sequence_length` does not fit
            the backbone.
    """
    backbone = keras_nlp.models.DistilBertBackbone.from_preset(str(directory))
    from_preset = (
        keras_nlp.models.DistilBertTokenizer
        if keep_tokenizer
        else BertTokenizer
    ).from_preset
    preprocessor = SentimentPreprocessor(
        from_preset(str(directory)),
        sequence_length=min(
            DEFAULT_SEQUENCE_LENGTH, backbone.max_sequence_length
        ),
        truncate="head_tail",
    ).with_settings(**settings)
    if not saved_class_names(directory) and (
        _saved_task(directory).get("num_classes") == len(tuple(class_names))
    ):
        return _of_stock(make, directory, class_names, preprocessor)
    return make(backbone, class_names, preprocessor, **kwargs)


def checked_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Returns class names as a tuple.

    Args:
        class_names: Two or more different strings.

    Raises:
        TypeError: They are no strings.
        ValueError: There are less than two, or one is there twice.
    """
    if isinstance(class_names, str) or not all(
        isinstance(name, str) for name in class_names
    ):
        raise TypeError(
            "`class_names` must be a list of strings, such as "
            f"['neg', 'pos']. Received: {class_names!r}"
        )
    if len(class_names) < 2 or len(set(class_names)) < len(class_names):
        raise ValueError(
            "`class_names` must be two or more different names. "
            f"Received: {class_names!r}"
        )
    return tuple(class_names)


def check_fits(preprocessor: SentimentPreprocessor, backbone: Any) -> None:
    """Raises `ValueError` if texts may be longer than a backbone can take.

    Args:
        preprocessor: The one that decides how long they are.
        backbone: A `keras_nlp.models.DistilBertBackbone`.
    """
    longest = backbone.max_sequence_length
    if preprocessor.sequence_length > longest:
        raise ValueError(
            f"`sequence_length` must be at most {longest}, the longest text "
            "this backbone knows positions for. "
            f"Received: {preprocessor.sequence_length}"
        )


def _check_vocabulary(directory: pathlib.Path, preprocessor: Any) -> None:
    """Raises if a run was trained with another vocabulary than it has.

    One that is cut off would give words wrong ids, and answers at random.
    """
    if not (directory / contract.TRAIN_INFO).is_file():
        return
    trained_with = (read_info(directory).get("sha256") or {}).get("vocabulary")
    if trained_with not in (None, hash_vocabulary(preprocessor)):
        raise PresetError(
            f"{directory} has another vocabulary than it was trained with "
            f"({preprocessor.tokenizer.vocabulary_size():,} word pieces; "
            f"{contract.TRAIN_INFO} has the hash of others). "
            "Copy the run again."
        )


def _of_stock(
    make: Callable[..., _Classifier],
    directory: pathlib.Path,
    class_names: Sequence[str],
    preprocessor: SentimentPreprocessor,
) -> _Classifier:
    """Returns keras-nlp's own classifier, head and all, as one of ours."""
    stock = keras_nlp.models.DistilBertTextClassifier.from_preset(
        str(directory), preprocessor=None
    )
    classifier = make(
        stock.backbone,
        class_names,
        preprocessor,
        activation=stock.activation,
        hidden_dim=stock.hidden_dim,
        dropout=stock.dropout,
    )
    for name in ("pooled_dense", "output_dense"):
        getattr(classifier, name).set_weights(
            getattr(stock, name).get_weights()
        )
    return classifier


def _saved_task(directory: pathlib.Path) -> dict[str, Any]:
    """Returns the arguments of a saved classifier, if one was saved."""
    task = directory / contract.TASK_CONFIG
    if not task.is_file():
        return {}
    try:
        config = json.loads(task.read_text("utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PresetError(
            f"{task} is damaged ({type(error).__name__}: {error}). Copy the "
            "directory again, or train again."
        ) from error
    return config if isinstance(config, dict) else {}
