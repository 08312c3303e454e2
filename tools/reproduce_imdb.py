"""Fine-tunes on IMDB with kerassent's own commands, and judges the result.

Run it to get a row of the results in docs/imdb.md again, on a machine that does
nothing else, with two spreadsheets that have the columns `Reviews` and
`Sentiment`:

    python tools/reproduce_imdb.py train.xlsx test.xlsx --output imdb

`--recipe` is one of these; `--seed` changes what chance decides:

- `minilm`: MiniLM, 512 tokens (head and tail), 3 epochs of 1cycle;
- `tutorial`: MiniLM by the recipe of ktrain's tutorial: the first 400 tokens,
  batches of 6, 1cycle to 2e-5, 2 epochs;
- `distilbert`: DistilBERT-base, for which a hub has to be in reach.

The held-out part of train.xlsx fits the temperature and is what one chooses a
recipe by: `--valid-only` ends there. The test file is read once a row, and a
directory that has a row's record is not evaluated again. What was interrupted
goes on where it was.

OUTPUT gets `run/`, `record.json` and `report.html`, in which mistakes are short
quotes. The last line is the record's figures as a JSON object.
"""

import argparse
import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys

import kerassent as ks
from kerassent.calibration import held_out
from kerassent.evaluation_parts import Mistake
from kerassent.run_record import write_json

COLUMNS = ("--text", "Reviews", "--label", "Sentiment")

RECIPES = {
    "minilm": (
        *("--preset", "minilm_l6_en_uncased"),
        *("--sequence-length", "512", "--truncate", "head_tail"),
        *("--epochs", "3", "--batch-size", "32", "--max-lr", "8e-5"),
    ),
    "tutorial": (
        *("--preset", "minilm_l6_en_uncased"),
        *("--sequence-length", "400", "--truncate", "head"),
        *("--epochs", "2", "--batch-size", "6", "--max-lr", "2e-5"),
    ),
    "distilbert": (
        *("--preset", "distil_bert_base_en_uncased"),
        *("--sequence-length", "512", "--truncate", "head_tail"),
        *("--epochs", "3", "--batch-size", "32", "--max-lr", "3e-5"),
    ),
}

# How much of a mistake's text goes into the report, in characters.
QUOTED = 200


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test", nargs="?")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--recipe", choices=RECIPES, default="minilm")
    parser.add_argument("--valid-size", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--valid-only", action="store_true")
    options = parser.parse_args()
    if options.valid_only == (options.test is not None):
        parser.error("Give a test file, or --valid-only.")
    run = options.output / "run"
    options.output.mkdir(parents=True, exist_ok=True)
    arguments = (
        *("train", options.train, *COLUMNS, *RECIPES[options.recipe]),
        *("--valid-size", str(options.valid_size)),
        *("--seed", str(options.seed), "--precision", "bfloat16"),
        *("--output", str(run)),
    )
    kerassent(*arguments, "--resume")
    record = record_of(options, run, arguments)
    print(json.dumps(record))


def kerassent(*arguments: str) -> None:
    """Runs the command as a user would."""
    print(shlex.join(["kerassent", *arguments]), flush=True)
    command = "from kerassent.cli import main; main()"
    subprocess.run([sys.executable, "-c", command, *arguments], check=True)


def record_of(
    options: argparse.Namespace, run: pathlib.Path, arguments: tuple[str, ...]
) -> dict[str, object]:
    """Returns the record, which is made if there is none yet."""
    path = options.output / "record.json"
    record: dict[str, object] = (
        json.loads(path.read_text("utf-8")) if path.is_file() else {}
    )
    if "valid" not in record:
        valid = held_out(run, reviews_of(options.train))
        calibration = ks.calibrate(run, valid)
        record |= {
            "recipe": options.recipe,
            "seed": options.seed,
            "command": shlex.join(["kerassent", *arguments]),
            "temperature": calibration.temperature,
            "valid": ks.evaluate(run, valid, num_timed=0).figures(),
        }
        write_json(path, record)
    if options.test is not None and "test" not in record:
        test = reviews_of(options.test)
        evaluation = ks.evaluate(run, test)
        # First of all, so that the file is read once, whatever comes after.
        record["test"] = evaluation.figures()
        write_json(path, record)
        write_report(evaluation, test, options, run)
    return record


def reviews_of(file: str) -> ks.Reviews:
    """Reads a file of reviews."""
    return ks.load_reviews(file, text="Reviews", label="Sentiment")


def write_report(
    evaluation: ks.Evaluation,
    test: ks.Reviews,
    options: argparse.Namespace,
    run: pathlib.Path,
) -> None:
    """Writes the report, whose mistakes are short quotes."""
    mistakes = [test.texts[each.index] for each in evaluation.mistakes[:20]]
    ks.write_report(
        dataclasses.replace(
            evaluation,
            mistakes=quoted(evaluation.mistakes),
            likely_mislabelled=quoted(evaluation.likely_mislabelled),
        ),
        options.output / "report.html",
        run=run,
        explanations=ks.explain(run, mistakes) if mistakes else (),
        command=shlex.join(
            ["python", f"tools/{pathlib.Path(__file__).name}", *sys.argv[1:]]
        ),
    )


def quoted(mistakes: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    """Returns the mistakes with the beginnings of their texts."""
    return tuple(
        dataclasses.replace(each, text=each.text[:QUOTED]) for each in mistakes
    )


if __name__ == "__main__":
    main()
