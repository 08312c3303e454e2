"""Whether the suggested learning rate trains as well as the best of a grid.

Run it before a release that touched the finder, with a spreadsheet of reviews
that has the columns `Reviews` and `Sentiment`:

    python tools/check_lr_grid.py train.xlsx --runs grid.jsonl --table grid.md

For each seed a sample of `--limit` reviews is drawn and `--held-out` others are
set aside. The rate that `find_lr` suggests for the sample, as `kerassent train`
asks it, and each rate of the grid train a model with `kerassent.train`'s
settings; the others judge it. Every finished run is a line of JSON in `--runs`:
stopped and started again, it does what is missing, so `--minutes` may cut it
into pieces. `--table` is a Markdown table of mean accuracies and their standard
errors, written when all runs are there; the last line of the output is the
verdict as JSON, with exit code 1 if the suggestion is worse than the best rate
by more than one standard error of their difference.
"""

import argparse
import json
import math
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import Any

import kerassent as ks
from kerassent.precision import resolve_precision
from kerassent.rate_search import look_for_lr
from kerassent.training import train

SUGGESTED = "suggested"


def main() -> int:
    """Parses the command line and does what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spreadsheet")
    parser.add_argument("--runs", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, required=True)
    parser.add_argument("--limit", type=int, default=4000)
    parser.add_argument("--held-out", type=int, default=5000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--rates",
        type=float,
        nargs="+",
        default=[2e-5, 5e-5, 1e-4, 2e-4, 4e-4],
    )
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--preset", default="minilm_l6_en_uncased")
    parser.add_argument("--minutes", type=float, default=math.inf)
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    reviews = ks.load_reviews(
        options.spreadsheet, text="Reviews", label="Sentiment"
    )
    for seed in options.seeds:
        for rate in [SUGGESTED, *options.rates]:
            if any(is_run(run, options, seed, rate) for run in done(options)):
                continue
            if time.monotonic() > deadline:
                print("Time is up; start it again for the rest.")
                return 0
            run = settings(options) | {"seed": seed, "rate": rate}
            run |= trained(reviews, options, seed, rate)
            with options.runs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
            print(json.dumps(run), file=sys.stderr, flush=True)
    results = {
        rate: [
            next(run for run in done(options) if is_run(run, options, s, rate))
            for s in options.seeds
        ]
        for rate in [SUGGESTED, *options.rates]
    }
    options.table.write_text(table(options, results), encoding="utf-8")
    found = verdict(results)
    print(json.dumps(found))
    return 0 if found["as_good_as_the_best"] else 1


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what a run must have in common with others to be compared."""
    return {
        "preset": options.preset,
        "limit": options.limit,
        "held_out": options.held_out,
        "sequence_length": options.sequence_length,
        "batch_size": options.batch_size,
        "epochs": options.epochs,
    }


def done(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns the finished runs; a line that was cut off is none."""
    if not options.runs.exists():
        return []
    runs = []
    for line in options.runs.read_text("utf-8").splitlines():
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return runs


def is_run(
    run: dict[str, Any],
    options: argparse.Namespace,
    seed: int,
    rate: float | str,
) -> bool:
    """Whether a finished run is this one."""
    wanted = settings(options) | {"seed": seed, "rate": rate}
    return all(run.get(name) == value for name, value in wanted.items())


def trained(
    reviews: ks.Reviews,
    options: argparse.Namespace,
    seed: int,
    rate: float | str,
) -> dict[str, Any]:
    """Returns what became of one run."""
    started = time.monotonic()
    total = options.limit + options.held_out
    held_out, sample = reviews.sample(total, seed=seed).split(
        test_size=options.limit, seed=seed
    )
    shared = {
        "preset": options.preset,
        "sequence_length": options.sequence_length,
        "batch_size": options.batch_size,
        "seed": seed,
    }
    found: dict[str, Any] = {}
    if isinstance(rate, str):
        curve = look_for_lr(sample, **shared)
        found = {"suggestions": curve.suggestions, "doubt": curve.doubt}
        rate = curve.suggestion
    home = pathlib.Path(tempfile.mkdtemp())
    try:
        classifier = train(
            sample,
            home / "run",
            # `train` wants some; the others are the judges.
            valid=held_out.sample(100, seed=seed),
            epochs=options.epochs,
            max_lr=rate,
            verbose=0,
            **shared,
        )
        # Judged as trained: five times as fast where that is bfloat16.
        classifier.precision = resolve_precision("auto")
        evaluation = ks.evaluate(classifier, held_out)
    finally:
        shutil.rmtree(home)
    return found | {
        "max_lr": rate,
        "accuracy": evaluation.accuracy,
        "log_loss": evaluation.log_loss,
        "seconds": round(time.monotonic() - started, 1),
    }


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Returns the mean and its standard error over the seeds."""
    if len(values) < 2:
        return values[0], math.nan
    return (
        statistics.mean(values),
        statistics.stdev(values) / math.sqrt(len(values)),
    )


def verdict(results: dict[float | str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns how the suggestion compares with the best rate of the grid."""
    accuracies = {
        rate: [run["accuracy"] for run in runs]
        for rate, runs in results.items()
    }
    own = accuracies.pop(SUGGESTED)
    best = max(accuracies, key=lambda rate: statistics.mean(accuracies[rate]))
    own_mean, own_error = mean_and_error(own)
    best_mean, best_error = mean_and_error(accuracies[best])
    error = math.hypot(own_error, best_error)
    return {
        "suggested_accuracy": own_mean,
        "best_rate": best,
        "best_accuracy": best_mean,
        "standard_error_of_the_difference": error,
        "as_good_as_the_best": bool(
            own_mean >= best_mean or best_mean - own_mean <= error
        ),
    }


def table(
    options: argparse.Namespace,
    results: dict[float | str, list[dict[str, Any]]],
) -> str:
    """Returns the table in Markdown."""
    lines = [
        f"{options.limit:,} reviews, {len(options.seeds)} seeds, "
        f"epochs: {options.epochs}, sequence length {options.sequence_length}, "
        f"judged on {options.held_out:,} others (`tools/check_lr_grid.py`):",
        "",
        "| `max_lr` | accuracy | standard error | log loss |",
        "| --- | --- | --- | --- |",
    ]
    for rate, runs in results.items():
        mean, error = mean_and_error([run["accuracy"] for run in runs])
        loss, _ = mean_and_error([run["log_loss"] for run in runs])
        label = (
            f"{rate:.0e}".replace("e-0", "e-")
            if rate != SUGGESTED
            else (
                "suggested: "
                + ", ".join(f"{run['max_lr']:.1e}" for run in runs)
            )
        )
        lines.append(f"| {label} | {mean:.4f} | {error:.4f} | {loss:.4f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
