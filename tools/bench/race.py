"""Runs all benchmarks against all peers, and writes docs/benchmarks.md.

Run it before a release, on an idle machine, where kerassent is installed:

    python tools/bench/run train.xlsx [--run runs/imdb] [--results DIR]

It makes a virtual environment for each peer, by pip as pip is configured, and
runs one part after the other, each a command that can be run alone. A part's
figures are a file in `--results`; what is there already is not measured again,
so a race that was ended goes on, unless `--again` says so. `--only` takes some
parts; with none it only writes the page from what is there. `--quick` measures
next to nothing and shows that all works; its results are its own.

Then it writes the page, its pictures, and all figures as one JSON file. The
last line is that JSON object.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import machine
import page
import peers
import weights

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"


class Part(NamedTuple):
    """One benchmark of the race.

    Args:
        program: Its file.
        about: What it measures, for who waits.
        takes: What it is told of reviews, weights and peers, in its order:
            of `models`, `reviews`, `weights` and `peers`.
        full: What else.
        quick: What instead of that with `--quick`.
    """

    program: str
    about: str
    takes: str
    full: str
    quick: str


PEERS = ("torch", "ktrain")
LENGTHS = "length_8 length_16 length_32 length_64 length_128 length_256"
BATCHES = "batch_1 batch_2 batch_4 batch_8 batch_16 batch_32"
NOT_PREDICT = (
    "--rows keras_nlp float32 bfloat16 torch torch_bfloat16 onnx onnx_int8 "
    "ktrain"
)

PARTS = {
    "roofline": Part(
        "roofline.py",
        "what the machine can do at most",
        "peers",
        "--rounds 5",
        "--rounds 1",
    ),
    "process": Part(
        "export.py",
        "raw strings to probabilities in process",
        "reviews weights peers models_option",
        "--reviews 320 --rounds 3",
        "--reviews 48 --rounds 1 --seconds 0",
    ),
    "services": Part(
        "services.py",
        "through a server",
        "models peers",
        "--clients 1 16 --rounds 3 --seconds 4",
        "--clients 1 2 --rounds 1 --seconds 1",
    ),
    "training": Part(
        "train.py",
        "training",
        "reviews weights peers",
        "--batch-size 8 --batches 6 --rounds 3 --without-memory",
        "--batch-size 4 --batches 2 --rounds 1 --without-memory "
        "--pipeline-reviews 64",
    ),
    "tokenization": Part(
        "tokenizer.py",
        "tokenization",
        "reviews",
        "--limit 5000 --rounds 5 --sizes 1 10 100 1000",
        "--limit 64 --rounds 1 --sizes 1",
    ),
    "growth": Part(
        "export.py",
        "what a longer text costs, and a larger batch",
        "reviews weights peers models_option",
        f"--reviews 320 --rounds 3 --seconds 0.3 {NOT_PREDICT} --tasks "
        f"{LENGTHS} {BATCHES}",
        f"--reviews 48 --rounds 1 --seconds 0 {NOT_PREDICT} --tasks length_8 "
        "batch_2",
    ),
    "clients": Part(
        "services.py",
        "what more clients cost",
        "models peers",
        "--clients 1 4 16 32 --rounds 2 --seconds 2 --tasks short",
        "--clients 1 --rounds 1 --seconds 1 --tasks short",
    ),
    "rows": Part(
        "rows.py",
        "what more rows of a file cost",
        "models reviews weights peers",
        "--sizes 40 160 320",
        "--sizes 8",
    ),
}


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    weights.add_arguments(parser)
    peers.add_argument(parser)
    parser.add_argument(
        "--results", type=pathlib.Path, help="default: beside the peers"
    )
    parser.add_argument("--docs", type=pathlib.Path, default=DOCS)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    name = "quick" if options.quick else "results"
    options.results = options.results or options.peers / name
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        if options.again or not part_file(options.results, name).exists():
            measure(options, name)
    race = gathered(options)
    page.write(race, options.docs)
    print(json.dumps(race))


def part_file(results: pathlib.Path, name: str) -> pathlib.Path:
    """Returns where a part's figures are."""
    return results / f"{name}.json"


def measure(options: argparse.Namespace, name: str) -> None:
    """Runs a part, and writes its figures beside and renames them.

    Args:
        options: The command line's.
        name: The part's.
    """
    part = PARTS[name]
    if "peers" in part.takes:
        for peer in PEERS:
            peers.python_of(peer, options.peers)
    print(f"{name}: {part.about}", flush=True)
    command = [sys.executable, str(HERE / part.program)]
    command += arguments(options, part)
    started, clock = datetime.now(UTC), time.monotonic()
    usage = machine.Usage()
    last = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            last = line
            if not line.startswith("{"):
                print(f"  {line}", end="", flush=True)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}.")
    found = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock),
        "others_cores": usage.of_others(),
        "arguments": (part.quick if options.quick else part.full).split(),
        "figures": json.loads(last),
    }
    file = part_file(options.results, name)
    beside = file.with_name(f".writing-{file.name}")
    beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    beside.replace(file)


def arguments(options: argparse.Namespace, part: Part) -> list[str]:
    """Returns what a part's command is told."""
    models = str(options.results / "models")
    weighted = [
        f"--text={options.text}",
        f"--label={options.label}",
        f"--shape={options.shape}",
        f"--sequence-length={options.sequence_length}",
    ]
    if options.run:
        weighted.append(f"--run={options.run}")
    by_kind = {
        "models": [models],
        "models_option": [f"--models={models}"],
        "reviews": [options.file],
        "weights": weighted,
        "peers": [f"--peers={options.peers}"],
    }
    if part.program == "tokenizer.py":
        by_kind["reviews"].append(f"--text={options.text}")
        if options.run:
            by_kind["reviews"].append(f"--preset={options.run}")
    found = [each for kind in part.takes.split() for each in by_kind[kind]]
    return found + (part.quick if options.quick else part.full).split()


def gathered(options: argparse.Namespace) -> dict[str, Any]:
    """Returns all that was measured, and where."""
    parts = {
        name: json.loads(file.read_text("utf-8"))
        for name in PARTS
        if (file := part_file(options.results, name)).exists()
    }
    return {
        "machine": machine.described(),
        "versions": machine.versions()
        | {peer: peers.versions(peer, options.peers) for peer in PEERS},
        "quick": options.quick,
        "weights": weights.described(options),
        "parts": parts,
    }


if __name__ == "__main__":
    main()
