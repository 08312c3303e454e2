"""Reads a BERT or DistilBERT checkpoint directory in Hugging Face's format."""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any, Final

from kerassent.errors import PresetError, listed
from kerassent.presets.conversion import Architecture, Checkpoint
from kerassent.presets.directory import CONFIG_FILE, read_json
from kerassent.presets.vocabulary import (
    FAST_TOKENIZER_FILE,
    SETTINGS_FILE,
    VOCAB_FILE,
    read_tokenizer,
)

TENSORS_FILE: Final = "model.safetensors"
INDEX_FILE: Final = "model.safetensors.index.json"

# What to fetch of a checkpoint's repository.
CHECKPOINT_FILES: Final = (
    CONFIG_FILE,
    TENSORS_FILE,
    INDEX_FILE,
    "model-*-of-*.safetensors",
    VOCAB_FILE,
    FAST_TOKENIZER_FILE,
    SETTINGS_FILE,
)

# Architecture's fields in each model's config.json.
_SIZES = {
    "bert": {
        "vocabulary_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "hidden_dim": "hidden_size",
        "intermediate_dim": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
    },
    "distilbert": {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
        "max_sequence_length": "max_position_embeddings",
    },
}
_DROPOUT = {"bert": "hidden_dropout_prob", "distilbert": "dropout"}

# What a DistilBERT backbone computes; a config that doesn't say means this.
_FIXED: dict[str, dict[str, Any]] = {
    "bert": {
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "layer_norm_eps": 1e-12,
        "is_decoder": False,
        "add_cross_attention": False,
    },
    "distilbert": {
        "activation": "gelu",
        "position_embedding_type": "absolute",
    },
}


def read_checkpoint(
    directory: pathlib.Path, config: dict[str, Any]
) -> Checkpoint:
    """Returns what a checkpoint's directory holds, up to its weights.

    Args:
        directory: With `config.json`, `model.safetensors` (or its shards and
            their index) and `vocab.txt` (or `tokenizer.json`).
        config: What its `config.json` holds.

    Raises:
        PresetError: It is not a BERT or DistilBERT, computes something that
            a DistilBERT backbone does not, or lacks a file.
    """
    path = directory / CONFIG_FILE
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _SIZES:
        raise PresetError(
            f"{path} is of a {model_type!r} model; kerassent reads "
            f"{listed(_SIZES)}. Pass a BERT or DistilBERT checkpoint."
        )
    for key, expected in _FIXED[model_type].items():
        value = config.get(key, expected)
        if value != expected:
            raise PresetError(
                f"{path} has {key}={value!r}; a keras-nlp DistilBERT has "
                f"{expected!r}. Pass a checkpoint that has it too."
            )
    tokenizer = read_tokenizer(directory)
    return Checkpoint(
        source=str(directory),
        model_type=model_type,
        architecture=_architecture(path, model_type, config),
        weights=_weights(directory),
        vocabulary=tokenizer.vocabulary,
        lowercase=tokenizer.lowercase,
        strip_accents=tokenizer.strip_accents,
    )


def content_hash(checkpoint: Checkpoint) -> str:
    """Returns a hash of all that makes a checkpoint's preset.

    Args:
        checkpoint: What to hash; its weights' files are read.

    Raises:
        PresetError: A file of weights cannot be read.
    """
    said = dataclasses.asdict(checkpoint)
    del said["source"], said["weights"]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for path in checkpoint.weights:
        try:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise PresetError(
                f"{path} cannot be read: {error.strerror}."
            ) from error
        digest.update(found.digest())
    return digest.hexdigest()


def _architecture(
    path: pathlib.Path, model_type: str, config: dict[str, Any]
) -> Architecture:
    sizes = {}
    for field, key in _SIZES[model_type].items():
        value = config.get(key)
        if type(value) is not int or value < 1:
            raise PresetError(
                f"{path} has {key}={value!r}; expected a positive whole "
                "number. Download it again."
            )
        sizes[field] = value
    if sizes["hidden_dim"] % sizes["num_heads"]:
        raise PresetError(
            f"{path}: {sizes['num_heads']} attention heads do not divide a "
            f"hidden size of {sizes['hidden_dim']}. Download it again."
        )
    dropout = config.get(_DROPOUT[model_type], 0.1)
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise PresetError(
            f"{path} has {_DROPOUT[model_type]}={dropout!r}; expected a "
            "number in [0, 1). Download it again."
        )
    return Architecture(dropout=float(dropout), **sizes)


def _weights(directory: pathlib.Path) -> tuple[pathlib.Path, ...]:
    if (directory / TENSORS_FILE).is_file():
        return (directory / TENSORS_FILE,)
    index = directory / INDEX_FILE
    if not index.is_file():
        raise PresetError(_no_weights(directory))
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise PresetError(f"{index} has no `weight_map`. Download it again.")
    files = sorted({str(name) for name in names.values()})
    for name in files:
        # An index must not lead out of its directory.
        if pathlib.PurePath(name).name != name:
            raise PresetError(
                f"{index} names the file {name!r}; expected one beside it. "
                "Download it again."
            )
        if not (directory / name).is_file():
            raise PresetError(
                f"{directory} has no {name!r}, which {INDEX_FILE} names. "
                "Download it again."
            )
    return tuple(directory / name for name in files)


def _no_weights(directory: pathlib.Path) -> str:
    pickles = sorted(path.name for path in directory.glob("*.bin"))
    if not pickles:
        return (
            f"{directory} has no {TENSORS_FILE}. Copy the checkpoint's there."
        )
    return (
        f"{directory} has its weights in {listed(pickles)}, a pickle, which "
        f"can run code and is never opened; expected a {TENSORS_FILE}. "
        "Convert it where you trust it, with transformers installed: "
        "`AutoModel.from_pretrained(DIRECTORY).save_pretrained(DIRECTORY)`."
    )
