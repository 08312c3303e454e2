"""Times scoring a file in this process and through a server beside it.

Run it when scoring, the client, the server or the export change, on an idle
machine, with an export's base path and a file of reviews:

    python tools/bench/score.py MODEL FILE [--reviews 5000] [--rounds 1]

Rows take turns, each in a process of its own, and write a csv file:

- `random`: the reviews in random order through the export, 32 at a time;
- `local`: `score_file` in this process, with its own batches;
- `local_16` … `local_128`: the same with as many reviews in each batch;
- `grpc`, `rest`: `score_file` with a Client of a `kerassent-model-server`
  without batching, which has a process of its own;
- `ray`: `score_dataset` on this machine, one worker, from its start.

Each row begins with some batches that are not timed. `--rows` chooses. The last
line is a JSON object: reviews a second (median, least and most of the rounds),
how many times the speed of `random` the best row of this process has, and how
many percent of that the server's rows have.
"""

import argparse
import csv
import json
import os
import pathlib
import shutil
import sys
import tempfile
from contextlib import ExitStack
from typing import Any

from clients import Server
from figures import processor, spread
from turns import Turns, take_turns
from weights import sample

SIZES = (16, 32, 64, 128)
LOCAL = ("local", *(f"local_{size}" for size in SIZES))
SERVED = ("grpc", "rest")
WARM_UP = 256


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="an export's base path")
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews")
    parser.add_argument("--label", default="Sentiment")
    parser.add_argument("--reviews", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rows", nargs="+", default=["random", *LOCAL, "grpc"])
    parser.add_argument("--turn", help=argparse.SUPPRESS, metavar="URL")
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.directory:
        take_turns(turns(options, pathlib.Path(options.directory)))
        return
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measured(options, pathlib.Path(directory))))


def turns(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns what `take_turns` wants.

    Args:
        options: The command line's.
        directory: Where the reviews are.
    """
    from kerassent.client import Client
    from kerassent.prediction import open_model
    from kerassent.scoring.local import score_file

    url = options.turn
    model = Client(url, model_name="m") if url else open_model(options.model)

    def score(name: str, source: str) -> None:
        output = directory / f"{name}.csv"
        output.unlink(missing_ok=True)
        size = name.partition("_")[2]
        score_file(
            model,
            directory / source,
            output,
            text="text",
            batch_size=int(size) if size else None,
        )

    def in_order(source: str) -> None:
        with (directory / source).open(newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)]
        for start in range(0, len(texts), 32):
            batch = texts[start : start + 32]
            model.predict_proba(batch, batch_size=32)

    def on_ray(source: str) -> None:
        from kerassent.scoring.ray_engine import score_dataset

        output = directory / "ray"
        shutil.rmtree(output, ignore_errors=True)
        score_dataset(
            options.model,
            str(directory / source.replace("csv", "parquet")),
            str(output),
            text="text",
            chunk_rows=WARM_UP,
        )

    def row(name: str) -> tuple[Any, Any]:
        if name == "random":
            return lambda: in_order("few.csv"), lambda: in_order("all.csv")
        if name == "ray":
            return lambda: on_ray("few.csv"), lambda: on_ray("all.csv")
        return lambda: score(name, "few.csv"), lambda: score(name, "all.csv")

    return {name: row(name) for name in ("random", *LOCAL, *SERVED, "ray")}


def write_reviews(options: argparse.Namespace, directory: pathlib.Path) -> None:
    """Writes the reviews in random order, and some for the first batches.

    Args:
        options: The command line's.
        directory: Where to.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = list(sample(options, options.reviews + WARM_UP).texts)
    np.random.default_rng(0).shuffle(texts)
    for name, part in (
        ("few.csv", texts[:WARM_UP]),
        ("all.csv", texts[WARM_UP:]),
    ):
        with (directory / name).open("w", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in part)])
        pq.write_table(
            pa.table({"text": part}),
            (directory / name).with_suffix(".parquet"),
            row_group_size=WARM_UP,
        )


def measured(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        directory: For the reviews and what is written of them.
    """
    write_reviews(options, directory)
    this = [sys.executable, *sys.argv, "--directory", str(directory)]
    rates: dict[str, list[float]] = {}
    served = [row for row in options.rows if row in SERVED]
    with ExitStack() as stack:
        # One process has the model for all rows in this process.
        here = stack.enter_context(Turns(this))
        processes = dict.fromkeys(options.rows, here)
        if served:
            server = stack.enter_context(Server(options.model))
            urls = {
                "grpc": f"grpc://127.0.0.1:{server.port}",
                "rest": f"http://127.0.0.1:{server.rest_port}",
            }
            for row in served:
                processes[row] = stack.enter_context(
                    Turns([*this, "--turn", urls[row]])
                )
        for row, process in processes.items():
            process.warm_up(row)
        for _ in range(options.rounds):
            for row, process in processes.items():
                rates.setdefault(row, []).append(
                    options.reviews / process.run(row)
                )
                print(f"{row}: {rates[row][-1]:.2f} reviews/s", flush=True)
    check(directory, served)
    return figures(options, rates)


def check(directory: pathlib.Path, served: list[str]) -> None:
    """Raises unless a server's answers are those of this process.

    Args:
        directory: Where they are.
        served: The server's rows.
    """
    for row in served:
        found = [
            list(csv.reader((directory / f"{name}.csv").open(newline="")))
            for name in ("local", row)
        ]
        for ours, theirs in zip(*found, strict=True):
            far = ours[0] != theirs[0] or any(
                abs(float(a) - float(b)) > 2e-2
                for a, b in zip(ours[2:-1], theirs[2:-1], strict=True)
                if a[0].isdigit()
            )
            if far:
                raise SystemExit(f"{row} says {theirs}, and local {ours}")


def figures(
    options: argparse.Namespace, rates: dict[str, list[float]]
) -> dict[str, Any]:
    """Returns what is to be printed.

    Args:
        options: The command line's.
        rates: Each row's reviews a second, of each round.
    """

    def median(row: str) -> float:
        return sorted(rates[row])[len(rates[row]) // 2]

    best = max((row for row in LOCAL if row in rates), key=median, default="")

    def over(row: str, other: str, factor: float) -> dict[str, float]:
        pairs = zip(rates[row], rates[other], strict=True)
        return spread([factor * a / b for a, b in pairs])

    return {
        "reviews": options.reviews,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "reviews_per_second": {
            row: spread(values) for row, values in rates.items()
        },
        "best": best,
        "times_random": (
            over(best, "random", 1) if best and "random" in rates else None
        ),
        "percent_of_best": {
            row: over(row, best, 100) for row in SERVED if best and row in rates
        },
    }


if __name__ == "__main__":
    main()
