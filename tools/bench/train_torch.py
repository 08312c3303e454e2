"""The torch rows of `train.py`, which runs this where torch is.

    python train_torch.py DIRECTORY [torch_float32] [torch_bfloat16]

A training loop as people write one for transformers: batches in random order,
each padded to its longest review, AdamW (fused, as transformers' own `Trainer`
has it), gradients clipped to norm 1, dropout; in bfloat16 by autocast.
"""

import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DistilBertForSequenceClassification
from turns import take_turns


def main(directory: pathlib.Path, rows: list[str]) -> None:
    """Takes turns at an epoch each."""
    torch.set_num_threads(os.cpu_count() or 1)
    take_turns({row: loop(directory, row.endswith("bfloat16")) for row in rows})


def loop(directory: pathlib.Path, in_bfloat16: bool) -> tuple[Any, Any]:
    """Returns a batch and an epoch."""
    torch.manual_seed(0)
    settings = json.loads((directory / "training.json").read_text("utf-8"))
    model = DistilBertForSequenceClassification.from_pretrained(
        directory / "checkpoint"
    )
    tokens = np.load(directory / "tokens.npz", allow_pickle=False)
    rows = [
        torch.from_numpy(row.astype(np.int64))
        for row in np.split(tokens["tokens"], tokens["splits"][1:-1])
    ]
    reviews = list(zip(rows, tokens["label_ids"].tolist(), strict=True))
    check(model, padded(reviews[:2]), tokens["logits"])
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-5, weight_decay=0.01, fused=True
    )
    batch_size = settings["batch_size"]

    def epoch(reviews: Any = reviews) -> None:
        model.train()
        for batch in torch.utils.data.DataLoader(
            reviews, batch_size=batch_size, shuffle=True, collate_fn=padded
        ):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return lambda: epoch(reviews[:batch_size]), epoch


def padded(reviews: Any) -> dict[str, torch.Tensor]:
    """Returns a batch as wide as its longest review.

    Args:
        reviews: Pairs of token ids and label.
    """
    ids, labels = zip(*reviews, strict=True)
    ones = [torch.ones_like(row) for row in ids]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence(ones, batch_first=True),
        "labels": torch.tensor(labels),
    }


def check(model: Any, batch: dict[str, torch.Tensor], expected: Any) -> None:
    """Raises unless the weights do here what they do in Keras."""
    with torch.inference_mode():
        found = model.eval()(**batch).logits.numpy()
    if not np.allclose(found, expected, atol=1e-4):
        raise SystemExit(f"torch says {found}, Keras {expected}.")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
