"""Trains on millions of synthetic reviews and says how much memory it took.

Run it when the stream of reviews, the batches or `train` change:

    python tools/check_memory.py [--rows 5000000] [--format csv|parquet]

The reviews are written to a temporary directory and streamed from there
(`load_reviews(..., stream=True)`), for one epoch of a tiny encoder. The last
line is a JSON object: peak resident memory of the process in GiB, and what each
part of the way took in seconds.
"""

import argparse
import json
import pathlib
import random
import resource
import tempfile
import time
from collections.abc import Iterator

import keras_nlp
import pyarrow
import pyarrow.csv
import pyarrow.parquet

import kerassent as ks
from kerassent.tokenizer import BertTokenizer
from kerassent.training import train

WORDS = (
    "the a this that it was is not film book phone tea story plot very really "
    "good great fine wonderful bad awful dull poor never again see watch loved "
    "hated would recommend friend money time night long short"
).split()
ROWS_AT_ONCE = 100_000


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--max-tokens", type=int, default=16_384)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        seconds = {}
        start = time.monotonic()
        file = write(directory / f"reviews.{options.format}", options.rows)
        seconds["write"] = time.monotonic() - start
        size = file.stat().st_size
        preset = tiny_preset(directory / "preset")
        start = time.monotonic()
        reviews = ks.load_reviews(
            file, text="Reviews", label="Sentiment", stream=True
        )
        seconds["load"] = time.monotonic() - start
        print(reviews, flush=True)
        start = time.monotonic()
        train(
            reviews,
            directory / "run",
            preset=str(preset),
            valid_size=10_000,
            epochs=1,
            batch_size=None,
            max_tokens=options.max_tokens,
            max_lr=1e-3,
            clean_html=False,
            verbose=2,
        )
        seconds["train"] = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps(
            {
                "rows": options.rows,
                "format": options.format,
                "file_mb": round(size / 1e6),
                "peak_gib": round(peak, 2),
                "seconds": {k: round(v, 1) for k, v in seconds.items()},
            }
        )
    )


def write(path: pathlib.Path, rows: int) -> pathlib.Path:
    """Writes synthetic reviews, a hundred thousand at a time."""
    schema = pyarrow.schema(
        [("Reviews", pyarrow.string()), ("Sentiment", pyarrow.string())]
    )
    writer = (
        pyarrow.csv.CSVWriter(path, schema)
        if path.suffix == ".csv"
        else pyarrow.parquet.ParquetWriter(path, schema)
    )
    with writer:
        for table in tables(rows, schema):
            writer.write_table(table)
    return path


def tables(rows: int, schema: pyarrow.Schema) -> Iterator[pyarrow.Table]:
    """Yields the rows; which class one is of can be learned."""
    draw = random.Random(0)
    for start in range(0, rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, rows - start)
        labels = draw.choices(["neg", "pos"], k=count)
        texts = [
            " ".join(
                [
                    *draw.choices(WORDS, k=draw.randrange(3, 18)),
                    "awful" if label == "neg" else "great",
                ]
            )
            for label in labels
        ]
        yield pyarrow.table([texts, labels], schema=schema)


def tiny_preset(directory: pathlib.Path) -> pathlib.Path:
    """Writes an untrained encoder that takes no time of its own."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    keras_nlp.models.DistilBertBackbone(
        vocabulary_size=len(special) + len(WORDS),
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=64,
    ).save_to_preset(str(directory))
    BertTokenizer([*special, *WORDS]).save_to_preset(str(directory))
    return directory


if __name__ == "__main__":
    main()
