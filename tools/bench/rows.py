"""Times scoring a file by how many rows it has, and what memory that takes.

Run it when scoring changes, on an idle machine, with the models that `export.py
--models DIR` has written:

    python tools/bench/rows.py DIR FILE [--sizes 250 500 1000 2000]

Each row is a process of its own, from its start to its end, as people would
run it once: `kerassent predict --input FILE --output FILE` with the export in
float32 and bfloat16; `torch`, a transformers pipeline over the texts in batches
of 32, its answers written as csv; `ktrain`, a predictor over all of them. They
take turns. The last line is a JSON object: seconds and largest memory by rows.
"""

import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import peers
import weights
from figures import processor, say, spread

ROWS = ("float32", "bfloat16", "torch", "ktrain")

KERASSENT = "from kerassent.cli import main; main()"


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=pathlib.Path)
    weights.add_arguments(parser)
    peers.add_argument(parser)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[250, 500, 1000, 2000]
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measured(options, pathlib.Path(directory))))


def measured(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        directory: For the files that are scored, and the answers.
    """
    texts = list(weights.sample(options, max(options.sizes)).texts)
    for size in options.sizes:
        with (directory / f"{size}.csv").open("w", newline="") as file:
            rows = ([text] for text in texts[:size])
            csv.writer(file).writerows([["text"], *rows])
    seconds: dict[int, dict[str, list[float]]] = {}
    peak_gib: dict[int, dict[str, float]] = {}
    for _ in range(options.rounds):
        for size in options.sizes:
            for row in options.rows:
                output = directory / "scored.csv"
                output.unlink(missing_ok=True)
                source = directory / f"{size}.csv"
                command = command_of(options, row, source, output)
                taken, peak = run(command)
                with output.open(newline="") as file:
                    num_rows = len(list(csv.reader(file))) - 1
                if num_rows != size:
                    raise SystemExit(f"{row}: {num_rows} rows, not {size}")
                seconds.setdefault(size, {}).setdefault(row, []).append(taken)
                peak_gib.setdefault(size, {})[row] = peak
                say(f"{row}/{size}", f"{peak} GiB,", taken)
    return {
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "seconds": {
            str(size): {row: spread(each) for row, each in by_row.items()}
            for size, by_row in seconds.items()
        },
        "peak_gib": {str(size): by_row for size, by_row in peak_gib.items()},
    }


def command_of(
    options: argparse.Namespace,
    row: str,
    source: pathlib.Path,
    output: pathlib.Path,
) -> list[str]:
    """Returns what scores a file."""
    if row in ("float32", "bfloat16"):
        return [
            *(sys.executable, "-c", KERASSENT, "predict"),
            *(str(options.models / row), "--input", str(source)),
            *("--text", "text", "--output", str(output)),
        ]
    program = str(pathlib.Path(__file__).with_name(f"rows_{row}.py"))
    python = peers.python_of(row, options.peers)
    return [python, program, str(options.models), str(source), str(output)]


def run(command: list[str]) -> tuple[float, float]:
    """Returns how many seconds a command took, and its largest size in GiB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env={"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ
    )
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}.")
    # Kilobytes, but bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return taken, round(usage.ru_maxrss * unit / 2**30, 2)


if __name__ == "__main__":
    main()
