"""The command line's whole way on a real spreadsheet, with figures.

Run it before a release, with a spreadsheet that has the columns `Reviews` and
`Sentiment` and some thousand rows:

    python tools/check_workflow.py train.xlsx [--limit 4000] [--held-out 2000]

It trains with `kerassent train --limit`, evaluates on reviews that were not
among those, exports, serves, and asks the server over gRPC and REST for some of
them. The last line is its figures as JSON: the accuracy, and how far each
protocol's probabilities are from those of `predict` in this process.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import openpyxl

import kerassent as ks

COLUMNS = ("--text", "Reviews", "--label", "Sentiment")


def kerassent(*arguments: object) -> str:
    """Runs the command as a user would; returns its stdout."""
    command = [sys.executable, "-c", "from kerassent.cli import main; main()"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spreadsheet")
    parser.add_argument("--limit", type=int, default=4000)
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--asked", type=int, default=200)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--max-lr", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = check(options, pathlib.Path(directory))
    print(json.dumps(figures))


def check(options: argparse.Namespace, home: pathlib.Path) -> dict[str, object]:
    """Returns the figures."""
    reviews = ks.load_reviews(
        options.spreadsheet, text="Reviews", label="Sentiment"
    )
    # What `kerassent train --limit` takes, with its default seed.
    trained_on = set(reviews.sample(options.limit, seed=0).texts)
    rest = [
        (text, label)
        for text, label in zip(reviews.texts, reviews.labels, strict=True)
        if text not in trained_on
    ]
    held_out, _ = ks.Reviews(*zip(*rest, strict=True)).split(
        test_size=len(rest) - options.held_out
    )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("held out")
    sheet.append(["Reviews", "Sentiment"])
    for row in zip(held_out.texts, held_out.labels, strict=True):
        # A leading "=" would make a formula of a text.
        cells = [openpyxl.cell.WriteOnlyCell(sheet, value) for value in row]
        for cell in cells:
            cell.data_type = "s"
        sheet.append(cells)
    book.save(home / "held_out.xlsx")

    run, models = home / "run", home / "models"
    started = time.monotonic()
    kerassent(
        *("train", options.spreadsheet, *COLUMNS, "--output", run),
        *("--limit", options.limit, "--epochs", options.epochs),
        *("--sequence-length", options.sequence_length),
        *("--max-lr", options.max_lr),
    )
    seconds = time.monotonic() - started
    evaluation = json.loads(
        kerassent(
            "evaluate", run, home / "held_out.xlsx", *COLUMNS, "--json"
        ).splitlines()[-1]
    )
    kerassent("export", run, models)
    texts = held_out.texts[: options.asked]
    expected = ks.predict(run, texts)
    figures = {
        "accuracy": evaluation["accuracy"],
        "log_loss": evaluation["log_loss"],
        "num_reviews": evaluation["num_reviews"],
        "train": json.loads((run / "train.json").read_text()),
        "train_seconds": round(seconds, 1),
        "asked": len(texts),
    }
    with ks.serve(models, port=0, rest_api_port=0) as server:
        for name, url in (("grpc", server.grpc_url), ("rest", server.rest_url)):
            with ks.Client(url, model_name=server.model_name) as client:
                found = client.predict(texts)
            figures[f"{name}_same_labels"] = sum(
                one.label == other.label
                for one, other in zip(expected, found, strict=True)
            )
            figures[f"{name}_largest_difference"] = float(
                np.abs(
                    np.array([list(p.probabilities.values()) for p in expected])
                    - [list(p.probabilities.values()) for p in found]
                ).max()
            )
    return figures


if __name__ == "__main__":
    main()
