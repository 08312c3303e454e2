"""The torch and ONNX rows of `export.py`, which runs this where they are.

python export_torch.py DIRECTORY SECONDS [torch/reviews] [onnx_int8/short] …
"""

import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import onnxruntime
import torch
from answering import Predict, rows_of
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from tokenizers import BertWordPieceTokenizer
from transformers import DistilBertForSequenceClassification
from turns import take_turns

NAMES = ["input_ids", "attention_mask"]
CORES = os.cpu_count() or 1


def model_of(directory: pathlib.Path, row: str) -> Predict:
    """Returns what takes a list of texts and returns their probabilities."""
    checkpoint = directory / "checkpoint"
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text())
    tokenizer = BertWordPieceTokenizer(
        str(checkpoint / "vocab.txt"), lowercase=True
    )
    tokenizer.enable_truncation(settings["model_max_length"])
    tokenizer.enable_padding()
    make = torch_logits if row.startswith("torch") else onnx_logits
    logits = make(directory, row)

    def predict(texts: list[str]) -> Any:
        encoded = tokenizer.encode_batch(texts)
        found = logits(
            np.array([each.ids for each in encoded]),
            np.array([each.attention_mask for each in encoded]),
        )
        exp = np.exp(found - found.max(1, keepdims=True))
        return (exp / exp.sum(1, keepdims=True)).tolist()

    return predict


def torch_model(directory: pathlib.Path, row: str) -> Any:
    """Returns transformers' classifier with the weights."""
    dtype = torch.bfloat16 if row.endswith("bfloat16") else torch.float32
    return (
        DistilBertForSequenceClassification.from_pretrained(
            directory / "checkpoint"
        )
        .to(dtype)
        .eval()
    )


def torch_logits(directory: pathlib.Path, row: str) -> Any:
    """Returns what takes ids and mask and returns logits."""
    model = torch_model(directory, row)

    def logits(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return (
                model(
                    input_ids=torch.from_numpy(ids),
                    attention_mask=torch.from_numpy(mask),
                )
                .logits.float()
                .numpy()
            )

    return logits


def onnx_logits(directory: pathlib.Path, row: str) -> Any:
    """Returns what takes ids and mask and returns logits."""
    model = torch_model(directory, row)
    plain = str(directory / "plain.onnx")
    ones = torch.ones(2, 8, dtype=torch.long)
    torch.onnx.export(
        model,
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
            num_heads=model.config.n_heads,
            hidden_size=model.config.dim,
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
    _, home, seconds, *keys = sys.argv
    take_turns(rows_of(keys, pathlib.Path(home), model_of, float(seconds)))
