"""What a preset directory is: a DistilBERT backbone and its tokenizer."""

import json
import pathlib
from typing import Any, Final

from kerassent.errors import PresetError, listed

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.weights.h5"
TOKENIZER_FILE: Final = "tokenizer.json"
VOCABULARY_FILE: Final = "assets/tokenizer/vocabulary.txt"
PRESET_FILES: Final = (
    CONFIG_FILE,
    WEIGHTS_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
)

BACKBONE: Final = "DistilBertBackbone"

# The largest there is, a tokenizer.json with 120,000 word pieces, has 3 MB.
_MAX_BYTES = 64 * 2**20


def missing_files(directory: pathlib.Path) -> list[str]:
    """Returns which of a preset's files a directory lacks."""
    return [name for name in PRESET_FILES if not (directory / name).is_file()]


def read_file(path: pathlib.Path) -> bytes:
    """Returns the bytes of a config or vocabulary, of at most 64 MiB.

    Args:
        path: The file.

    Raises:
        PresetError: It cannot be read or is larger.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PresetError(
            f"{path} cannot be read: {error.strerror}."
        ) from error
    if len(data) > _MAX_BYTES:
        raise PresetError(
            f"{path} is larger than {_MAX_BYTES} bytes, which no config or "
            "vocabulary is. Is it another file?"
        )
    return data


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object that a JSON file holds.

    Args:
        path: A file of at most 64 MiB.

    Raises:
        PresetError: It cannot be read, or holds something else.
    """
    data = read_file(path)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PresetError(
            f"{path} is not valid JSON: {error}. Download it again."
        ) from error
    if not isinstance(value, dict):
        raise PresetError(
            f"{path} must hold a JSON object. It holds a "
            f"{type(value).__name__}. Download it again."
        )
    return value


def check_preset(directory: pathlib.Path, config: dict[str, Any]) -> None:
    """Checks that a directory is a preset that kerassent can use.

    Args:
        directory: A keras-nlp preset directory.
        config: What its `config.json` holds.

    Raises:
        PresetError: Its backbone is not a plain `DistilBertBackbone`, or a
            file is missing.
    """
    found = config.get("registered_name") or config.get("class_name")
    if str(found).rpartition(">")[2] != BACKBONE:
        raise PresetError(
            f"{directory} is a preset of {found!r}; kerassent needs a "
            f"`keras_nlp.models.{BACKBONE}`. Pass a DistilBERT preset, or a "
            "BERT or DistilBERT checkpoint in Hugging Face's format."
        )
    missing = missing_files(directory)
    if missing:
        raise PresetError(
            f"{directory} is not a whole preset: it has no {listed(missing)}. "
            "Copy or save it again."
        )
