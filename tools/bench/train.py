"""Times training on real reviews beside keras-nlp's, ktrain's and torch's.

Run it when `forward.py`, the batches or TensorFlow change, on an idle machine:

    python tools/bench/train.py FILE [--shape base] [--batches 8] [--rounds 3]

All train the same weights on the same reviews with AdamW, gradients clipped to
norm 1 and dropout; ktrain with its Adam, not clipped. The reviews are
`--batches` of the 32 batches that a sample makes when reviews of like length
share one, from all over the lengths:

- `keras_nlp`: its classifier's `fit` on a list of texts, which tokenizes in
  each epoch, beside the steps, and pads each review to `--sequence-length`;
- `float32`, `bfloat16`: ours on `make_dataset(preprocessor=)`, which tokenizes
  once, before the first epoch;
- `torch_float32`, `torch_bfloat16`: transformers' model in a plain loop with
  batches padded to their longest review, on tokens made beforehand;
- `ktrain`: `fit_onecycle` of a learner, on tokens made beforehand, each review
  padded to `--sequence-length`.

They take turns, an epoch each; what is compiled or traced in the first steps is
done before: an epoch of ours and ktrain's, a batch of the others. At the end
each does that once more in a process of its own, for its peak memory. Peers are
installed into `--peers` by pip, as pip is configured, when they are not there
yet. `--rows` takes some only: with batches of 32, all rows of `--shape base`
need more than 24 GiB, so take them in two runs.

The last line is a JSON object: reviews a second and the times others' speed
(median, least and most of the rounds), each one's peak memory, and how many
tokens a second our dataset gives when nothing trains on them.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import Any

import peers
import weights
from figures import say, spread, times
from turns import Turns, take_turns

OUR_ROWS = ("float32", "bfloat16")
KERAS_ROWS = ("keras_nlp", *OUR_ROWS)
TORCH_ROWS = ("torch_float32", "torch_bfloat16")
KTRAIN_ROWS = ("ktrain",)
# Rows of one process: TensorFlow keeps what memory it ever had, and one
# process for each row of it would not fit into 24 GiB.
PROCESSES = (KERAS_ROWS, TORCH_ROWS, KTRAIN_ROWS)
ROWS = KERAS_ROWS + TORCH_ROWS + KTRAIN_ROWS
RATIOS = {
    "times_keras_nlp": dict.fromkeys(OUR_ROWS, "keras_nlp"),
    "times_torch": dict(zip(OUR_ROWS, TORCH_ROWS, strict=True)),
    "times_ktrain": dict.fromkeys(OUR_ROWS, "ktrain"),
}


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    weights.add_arguments(parser)
    peers.add_argument(parser)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipeline-reviews", type=int, default=8192)
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW"
    )
    parser.add_argument("--without-memory", action="store_true")
    # What the processes that this starts are told.
    parser.add_argument("--turns", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument(
        "--write", type=pathlib.Path, help=argparse.SUPPRESS, metavar="DIR"
    )
    options = parser.parse_args()
    if options.turns or options.write:
        import train_keras

        if options.write:
            train_keras.write_inputs(options, options.write)
        else:
            take_turns(
                {row: train_keras.row(options, row) for row in options.turns}
            )
    else:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps(measured(options, pathlib.Path(directory))))


def measured(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        directory: For what the peers read.
    """
    this = [sys.executable, *sys.argv]
    subprocess.run([*this, "--write", str(directory)], check=True)
    figures = json.loads((directory / "facts.json").read_text("utf-8"))
    commands = {}
    for rows in PROCESSES:
        wanted = [row for row in rows if row in options.rows]
        if wanted:
            command = [*this, "--turns"]
            if rows is not KERAS_ROWS:
                name = "torch" if rows is TORCH_ROWS else "ktrain"
                program = pathlib.Path(__file__).with_name(f"train_{name}.py")
                python = peers.python_of(name, options.peers)
                command = [python, str(program), str(directory)]
            commands |= dict.fromkeys(wanted, command)
    if options.rounds:
        figures |= speeds(options, commands)
        figures["pipeline_times_model"] = {
            name: round(
                figures["pipeline_tokens_per_second"]["warm"]
                / figures["tokens_per_review"]
                / figures["reviews_per_second"][name]["median"]
            )
            for name in OUR_ROWS
            if name in commands
        }
    if not options.without_memory:
        figures["peak_memory_gib"] = {
            name: peak_memory([*command, name], name)
            for name, command in commands.items()
        }
    return figures


def speeds(
    options: argparse.Namespace, commands: dict[str, list[str]]
) -> dict[str, Any]:
    """Returns reviews a second and their ratios.

    Args:
        options: The command line's.
        commands: What starts each row's process, but for the rows' names.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with ExitStack() as stack:
        process = {}
        for some in PROCESSES:
            rows = [name for name in some if name in commands]
            if rows:
                turns = Turns([*commands[rows[0]], *rows])
                process |= dict.fromkeys(rows, stack.enter_context(turns))
        for name in commands:
            say(name, "first steps", process[name].warm_up(name))
        for _ in range(options.rounds):
            for name in commands:
                seconds[name].append(process[name].run(name))
                say(name, "epoch", seconds[name][-1])

    reviews = options.batches * options.batch_size
    figures: dict[str, Any] = {
        "reviews_per_second": {
            name: spread([reviews / each for each in epochs])
            for name, epochs in seconds.items()
        }
    }
    for ratio, theirs in RATIOS.items():
        figures[ratio] = {
            ours: times(seconds[row], seconds[ours])
            for ours, row in theirs.items()
            if ours in seconds and row in seconds
        }
    return figures


def peak_memory(command: list[str], row: str) -> float:
    """Returns how many GiB a process took at most that trains one row."""
    with Turns(command) as alone:
        alone.warm_up(row)
        peak = round(alone.peak_bytes / 2**30, 2)
    print(f"{row}: peak memory {peak} GiB", flush=True)
    return peak


if __name__ == "__main__":
    main()
