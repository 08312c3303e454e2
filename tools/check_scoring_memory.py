"""Scores millions of synthetic reviews and says how much memory it took.

Run it when a reader, a writer or the chunks of scoring change:

    python tools/check_scoring_memory.py [--rows 50000 5000000] [--format csv]

Reviews are written to a temporary directory, and `kerassent predict` scores
them with an export of a tiny encoder, to the same format. The last line is a
JSON object: for each number of rows the peak resident memory of the command in
MiB, and rows a second.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from check_memory import tiny_preset, write

import kerassent as ks

# What `ru_maxrss` of a child counts is also what this process had when it
# forked; the child's own status, which Linux has, counts the child alone.
COMMAND = """
from kerassent.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as lines:
        print(*(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[50_000, 5_000_000]
    )
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        classifier = ks.SentimentClassifier.from_preset(
            str(tiny_preset(directory / "preset")),
            class_names=("neg", "pos"),
            sequence_length=32,
        )
        ks.export(classifier, directory / "model")
        found = [
            measured(directory, rows, options.format) for rows in options.rows
        ]
    print(json.dumps({"format": options.format, "runs": found}))


def measured(directory: pathlib.Path, rows: int, form: str) -> dict[str, Any]:
    """Returns the figures of one number of rows.

    Args:
        directory: Where the model is, and the files go.
        rows: How many rows to score.
        form: Of both files.
    """
    source = write(directory / f"reviews.{form}", rows)
    output = directory / f"scored.{form}"
    start = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-c", COMMAND),
            *("predict", str(directory / "model"), "--input", str(source)),
            *("--text", "Reviews", "--output", str(output)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"kerassent predict ended with {done.returncode}")
    seconds = time.monotonic() - start
    size = source.stat().st_size
    output.unlink()
    found = {
        "rows": rows,
        "source_mib": size >> 20,
        "peak_mib": int(done.stdout) >> 10,
        "rows_per_second": round(rows / seconds),
    }
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
