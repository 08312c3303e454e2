"""The torch row of `rows.py`: a pipeline over a csv file, as people write it.

python rows_torch.py MODELS SOURCE OUTPUT
"""

import csv
import pathlib
import sys

from transformers import pipeline

if __name__ == "__main__":
    models, source, output = map(pathlib.Path, sys.argv[1:])
    with source.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    classifier = pipeline(
        "text-classification", model=str(models / "checkpoint"), device="cpu"
    )
    found = classifier(texts, batch_size=32, truncation=True)
    with output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "score"])
        for text, answer in zip(texts, found, strict=True):
            writer.writerow([text, answer["label"], answer["score"]])
