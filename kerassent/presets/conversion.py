"""A BERT or DistilBERT checkpoint becomes a keras-nlp DistilBERT preset.

A BERT encoder without segments is a DistilBERT encoder: the embedding of
segment 0, the same row for each token, is added to every position's embedding.
Nothing else differs but the names, so the conversion is exact.
"""

import pathlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kerassent.errors import PresetError
from kerassent.presets.tensors import open_tensors

# Part of every cache entry's name: raise it when the same checkpoint would
# become another preset.
CONVERSION_VERSION: Final = 1


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder, in keras-nlp's names."""

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    dropout: float
    max_sequence_length: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read, up to its weights.

    Args:
        source: What to call it in a message.
        model_type: `"bert"` or `"distilbert"`.
        architecture: Its sizes.
        weights: Its safetensors files.
        vocabulary: The word pieces in the order of their ids.
        lowercase: Whether the tokenizer lower-cases.
        strip_accents: Whether it removes accents; `None` as `lowercase` says.
    """

    source: str
    model_type: str
    architecture: Architecture
    weights: tuple[pathlib.Path, ...]
    vocabulary: tuple[str, ...]
    lowercase: bool
    strip_accents: bool | None


# Keras's names within `transformer_layer_N`, and each checkpoint's.
_LAYER_PREFIXES = {
    "bert": "encoder.layer.{}.",
    "distilbert": "transformer.layer.{}.",
}
_ATTENTION_PARTS = {
    "self_attention_layer/query": {
        "bert": "attention.self.query",
        "distilbert": "attention.q_lin",
    },
    "self_attention_layer/key": {
        "bert": "attention.self.key",
        "distilbert": "attention.k_lin",
    },
    "self_attention_layer/value": {
        "bert": "attention.self.value",
        "distilbert": "attention.v_lin",
    },
    "self_attention_layer/attention_output": {
        "bert": "attention.output.dense",
        "distilbert": "attention.out_lin",
    },
}
_FEEDFORWARD_IN = {"bert": "intermediate.dense", "distilbert": "ffn.lin1"}
_FEEDFORWARD_OUT = {"bert": "output.dense", "distilbert": "ffn.lin2"}
_NORMS = {
    "self_attention_layer_norm": {
        "bert": "attention.output.LayerNorm",
        "distilbert": "sa_layer_norm",
    },
    "feedforward_layer_norm": {
        "bert": "output.LayerNorm",
        "distilbert": "output_layer_norm",
    },
}
_WORDS = "embeddings.word_embeddings.weight"
_POSITIONS = "embeddings.position_embeddings.weight"
_SEGMENTS = "embeddings.token_type_embeddings.weight"


def write_preset(checkpoint: Checkpoint, directory: pathlib.Path) -> None:
    """Writes a checkpoint as a keras-nlp preset: backbone and tokenizer.

    Args:
        checkpoint: What to convert.
        directory: An empty directory.

    Raises:
        PresetError: A tensor is missing or does not fit the architecture, or
            the vocabulary is not one of BERT's.
    """
    from kerassent.tokenizer import BertTokenizer

    architecture = checkpoint.architecture
    try:
        tokenizer = BertTokenizer(
            checkpoint.vocabulary,
            lowercase=checkpoint.lowercase,
            strip_accents=checkpoint.strip_accents,
        )
    except ValueError as error:
        raise PresetError(
            f"{checkpoint.source}: its vocabulary is not one of BERT's. {error}"
        ) from error
    if len(checkpoint.vocabulary) > architecture.vocabulary_size:
        raise PresetError(
            f"{checkpoint.source}: the vocabulary has "
            f"{len(checkpoint.vocabulary)} word pieces, the weights have "
            f"{architecture.vocabulary_size}. They are not of one checkpoint."
        )
    with open_tensors(checkpoint.weights) as tensors:
        # All shapes are checked against the files before anything is built:
        # sizes that a config only claims are never allocated.
        for _, name, shape in _layout(checkpoint):
            tensors.check(name, shape)
        if checkpoint.model_type == "bert":
            tensors.check(_SEGMENTS, (None, architecture.hidden_dim))
        backbone = _empty_backbone(architecture)
        variables = {v.path: v for v in backbone.trainable_variables}
        for path, name, _ in _layout(checkpoint):
            value = tensors.read(name)
            if path.endswith("/kernel"):  # torch keeps (out, in)
                value = value.T
            if name == _POSITIONS and checkpoint.model_type == "bert":
                value = value + tensors.read(_SEGMENTS)[0]
            variable = variables.pop(path)
            variable.assign(np.reshape(value, variable.shape))
    if variables:
        raise RuntimeError(
            f"keras-nlp's DistilBERT has variables that have no source: "
            f"{sorted(variables)}. This keras-nlp is not supported."
        )
    backbone.save_to_preset(str(directory))
    tokenizer.save_to_preset(str(directory))


def _layout(
    checkpoint: Checkpoint,
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yields each variable's path, its tensor's name and that one's shape."""
    kind, sizes = checkpoint.model_type, checkpoint.architecture
    hidden, inner = sizes.hidden_dim, sizes.intermediate_dim
    embedding = "token_and_position_embedding"
    yield (
        f"{embedding}/token_embedding/embeddings",
        _WORDS,
        (sizes.vocabulary_size, hidden),
    )
    yield (
        f"{embedding}/position_embedding/embeddings",
        _POSITIONS,
        (sizes.max_sequence_length, hidden),
    )
    yield from _norm("embeddings_layer_norm", "embeddings.LayerNorm", hidden)
    for i in range(sizes.num_layers):
        layer = f"transformer_layer_{i}"
        prefix = _LAYER_PREFIXES[kind].format(i)
        for part, names in _ATTENTION_PARTS.items():
            yield from _dense(
                f"{layer}/{part}", prefix + names[kind], hidden, hidden
            )
        yield from _dense(
            f"{layer}/feedforward_intermediate_dense",
            prefix + _FEEDFORWARD_IN[kind],
            hidden,
            inner,
        )
        yield from _dense(
            f"{layer}/feedforward_output_dense",
            prefix + _FEEDFORWARD_OUT[kind],
            inner,
            hidden,
        )
        for part, names in _NORMS.items():
            yield from _norm(f"{layer}/{part}", prefix + names[kind], hidden)


def _dense(
    path: str, name: str, inputs: int, outputs: int
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield f"{path}/kernel", f"{name}.weight", (outputs, inputs)
    yield f"{path}/bias", f"{name}.bias", (outputs,)


def _norm(
    path: str, name: str, size: int
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield f"{path}/gamma", f"{name}.weight", (size,)
    yield f"{path}/beta", f"{name}.bias", (size,)


def _empty_backbone(architecture: Architecture) -> Any:
    import keras_nlp

    # Keras draws the seeds of layers from Python's generator. A first run must
    # go on to draw what a run that finds the preset cached draws.
    state = random.getstate()
    try:
        return keras_nlp.models.DistilBertBackbone(
            vocabulary_size=architecture.vocabulary_size,
            num_layers=architecture.num_layers,
            num_heads=architecture.num_heads,
            hidden_dim=architecture.hidden_dim,
            intermediate_dim=architecture.intermediate_dim,
            dropout=architecture.dropout,
            max_sequence_length=architecture.max_sequence_length,
            dtype="float32",
        )
    finally:
        random.setstate(state)
