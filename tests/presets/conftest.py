"""Tiny checkpoints, and what an encoder computes, written out in numpy."""

import json
import math
import os
import pathlib
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

LAYERS, HEADS, HIDDEN, INNER, POSITIONS = 2, 2, 8, 16, 12

BERT_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "norm": "output.LayerNorm",
}
DISTILBERT_LAYER = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "output": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "inner": "ffn.lin1",
    "outer": "ffn.lin2",
    "norm": "output_layer_norm",
}
LAYER_PREFIX = {"bert": "encoder.layer.", "distilbert": "transformer.layer."}
LAYER_NAMES = {"bert": BERT_LAYER, "distilbert": DISTILBERT_LAYER}


@pytest.fixture(autouse=True)
def kerassent_home(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("KERASSENT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def write_checkpoint(vocabulary):
    """A function that writes a tiny random checkpoint.

    It returns the tensors under their plain names.
    """

    def write(
        directory, kind="bert", *, seed=0, rename=None, shards=1, **config
    ):
        tensors = random_tensors(kind, len(vocabulary), seed)
        directory.mkdir(parents=True, exist_ok=True)
        named = {
            rename(name) if rename else name: value
            for name, value in tensors.items()
        }
        write_shards(directory, named, shards)
        text = json.dumps(config_of(kind, len(vocabulary)) | config)
        (directory / "config.json").write_text(text)
        (directory / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        return tensors

    return write


def random_tensors(kind, vocabulary_size, seed):
    random = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (vocabulary_size, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    if kind == "bert":
        shapes["embeddings.token_type_embeddings.weight"] = (2, HIDDEN)
        shapes["pooler.dense.weight"] = (HIDDEN, HIDDEN)
    for i in range(LAYERS):
        for part, name in LAYER_NAMES[kind].items():
            rows = INNER if part == "inner" else HIDDEN
            columns = INNER if part == "outer" else HIDDEN
            at = f"{LAYER_PREFIX[kind]}{i}.{name}"
            norm = part.endswith("norm")
            shapes[f"{at}.weight"] = (rows,) if norm else (rows, columns)
            shapes[f"{at}.bias"] = (rows,)
    return {
        name: random.normal(0.1, 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_shards(directory, tensors, shards):
    if shards == 1:
        save_file(tensors, directory / "model.safetensors")
        return
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[i::shards])
        save_file(part, directory / file)
        weight_map |= dict.fromkeys(part, file)
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )


def config_of(kind, vocabulary_size):
    if kind == "bert":
        return {
            "model_type": "bert",
            "vocab_size": vocabulary_size,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "hidden_dropout_prob": 0.2,
            "max_position_embeddings": POSITIONS,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
        }
    return {
        "model_type": "distilbert",
        "vocab_size": vocabulary_size,
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "dim": HIDDEN,
        "hidden_dim": INNER,
        "dropout": 0.3,
        "max_position_embeddings": POSITIONS,
        "activation": "gelu",
    }


@pytest.fixture
def reference():
    """A function that computes an encoder's hidden states, in float64.

    It follows the papers (Vaswani et al., 2017; Devlin et al., 2018; Hendrycks
    and Gimpel, 2016) and shares nothing with Keras.
    """
    return hidden_states


def hidden_states(tensors, token_ids, padding_mask, *, kind, heads=HEADS):
    def at(name):
        return tensors[name].astype(np.float64)

    def dense(x, name):
        return x @ at(f"{name}.weight").T + at(f"{name}.bias")

    def norm(x, name):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        x = (x - mean) / np.sqrt(variance + 1e-12)
        return x * at(f"{name}.weight") + at(f"{name}.bias")

    def attend(x, layer):
        batch, length, hidden = x.shape
        queries, keys, values = (
            dense(x, layer[part])
            .reshape(batch, length, heads, hidden // heads)
            .swapaxes(1, 2)
            for part in ("query", "key", "value")
        )
        scores = queries @ keys.swapaxes(2, 3) / np.sqrt(hidden // heads)
        scores = np.where(padding_mask[:, None, None, :], scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ values).swapaxes(1, 2).reshape(x.shape)
        return dense(mixed, layer["output"])

    x = at("embeddings.word_embeddings.weight")[token_ids]
    x = x + at("embeddings.position_embeddings.weight")[: x.shape[1]]
    if kind == "bert":
        x = x + at("embeddings.token_type_embeddings.weight")[0]
    x = norm(x, "embeddings.LayerNorm")
    i = 0
    while (
        f"{LAYER_PREFIX[kind]}{i}.{LAYER_NAMES[kind]['norm']}.bias" in tensors
    ):
        layer = {
            part: f"{LAYER_PREFIX[kind]}{i}.{name}"
            for part, name in LAYER_NAMES[kind].items()
        }
        x = norm(x + attend(x, layer), layer["attention_norm"])
        inner = dense(x, layer["inner"])
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / np.sqrt(2)))
        x = norm(x + dense(inner, layer["outer"]), layer["norm"])
        i += 1
    return x


@pytest.fixture
def offline(tmp_path):
    """An environment for a process that reaches neither hub nor index."""
    return os.environ | {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path / "hugging-face"),
        "KAGGLEHUB_CACHE": str(tmp_path / "kaggle"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PATH": str(tmp_path),  # no uv
    }


@pytest.fixture
def tiny_preset(tiny_preset, tmp_path):
    """A copy of the tiny preset, for tests that damage or move it."""
    return pathlib.Path(shutil.copytree(tiny_preset, tmp_path / "tiny-preset"))
