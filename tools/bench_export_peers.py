"""The torch and ONNX rows of `bench_export.py`, which runs this where they are.

python bench_export_peers.py DIRECTORY [torch] [onnx] [onnx_int8] …
"""

import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import onnxruntime
import torch
from bench_export import rows_of
from bench_turns import take_turns
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from safetensors.torch import load_file
from tokenizers import BertWordPieceTokenizer
from transformers import DistilBertConfig, DistilBertForSequenceClassification

NAMES = ["input_ids", "attention_mask"]
CORES = os.cpu_count() or 1


def model_of(directory: pathlib.Path, row: str) -> Any:
    """Returns what takes a list of texts and returns their probabilities."""
    settings = json.loads((directory / "settings.json").read_text("utf-8"))
    tokenizer = BertWordPieceTokenizer(
        str(directory / "vocabulary.txt"), lowercase=True
    )
    tokenizer.enable_truncation(settings["sequence_length"])
    tokenizer.enable_padding()
    logits = (
        torch_logits(directory, settings["config"])
        if row == "torch"
        else onnx_logits(directory, settings["config"], row)
    )

    def predict(texts: list[str]) -> Any:
        encoded = tokenizer.encode_batch(texts)
        exp = np.exp(
            logits(
                np.array([each.ids for each in encoded]),
                np.array([each.attention_mask for each in encoded]),
            )
        )
        return (exp / exp.sum(1, keepdims=True)).tolist()

    return predict


def torch_model(directory: pathlib.Path, config: dict[str, Any]) -> Any:
    """Returns transformers' classifier with the weights."""
    model = DistilBertForSequenceClassification(DistilBertConfig(**config))
    model.load_state_dict(load_file(directory / "weights.safetensors"))
    return model.eval()


def torch_logits(directory: pathlib.Path, config: dict[str, Any]) -> Any:
    """Returns what takes ids and mask and returns logits."""
    model = torch_model(directory, config)

    def logits(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
            ).logits.numpy()

    return logits


def onnx_logits(
    directory: pathlib.Path, config: dict[str, Any], row: str
) -> Any:
    """Returns what takes ids and mask and returns logits."""
    plain = str(directory / "plain.onnx")
    ones = torch.ones(2, 8, dtype=torch.long)
    torch.onnx.export(
        torch_model(directory, config),
        (ones, ones),
        plain,
        input_names=NAMES,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES},
        dynamo=False,
        opset_version=17,
    )
    path = str(directory / f"{row}.onnx")
    if row == "onnx":
        optimizer.optimize_model(
            plain,
            model_type="bert",
            num_heads=config["n_heads"],
            hidden_size=config["dim"],
        ).save_model_to_file(path)
    else:
        quantize_dynamic(plain, path, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    session = onnxruntime.InferenceSession(path, options)

    def logits(*inputs: np.ndarray) -> np.ndarray:
        fed = dict(zip(NAMES, inputs, strict=True))
        [found] = session.run(None, fed)
        return found

    return logits


if __name__ == "__main__":
    torch.set_num_threads(CORES)
    take_turns(rows_of(sys.argv[2:], pathlib.Path(sys.argv[1]), model_of))
