"""Times what the machine can do at most: products and memory.

Run it to know what other figures are a share of, on an idle machine:

    python tools/bench/roofline.py [--rounds 5]

Rows take turns: the product of two square matrices of `SIZE` in float32 and
bfloat16, by TensorFlow and by torch, on all cores; and adding two arrays that
no cache holds into a third, a part by each core, 24 bytes an element.
The last line is a JSON object: GFLOP/s and GB/s (median, least and most of the
rounds), and of each precision the fastest round, which is the roof.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import peers
from figures import processor, say, spread
from turns import Turns, take_turns

SIZE = 2048
ELEMENTS = 2**25  # of 8 bytes
SECONDS = 0.5
TF_ROWS = ("tensorflow_float32", "tensorflow_bfloat16", "memory")
TORCH_ROWS = ("torch_float32", "torch_bfloat16")


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    peers.add_argument(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turns:
        take_turns({row: turn_of(row) for row in options.turns})
    else:
        print(json.dumps(measured(options)))


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures."""
    program = str(pathlib.Path(__file__).resolve())
    pythons = {
        TF_ROWS: sys.executable,
        TORCH_ROWS: peers.python_of("torch", options.peers),
    }
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        process = {}
        for rows, python in pythons.items():
            turns = Turns([python, program, "--turns", *rows])
            process |= dict.fromkeys(rows, stack.enter_context(turns))
        for row, turns in process.items():
            say(row, "first call", turns.warm_up(row))
        for _ in range(options.rounds):
            for row, turns in process.items():
                seconds.setdefault(row, []).append(turns.run(row))
                say(row, "a call", seconds[row][-1])
    rates = {
        row: spread(
            [
                (24 * ELEMENTS if row == "memory" else 2 * SIZE**3) / each / 1e9
                for each in values
            ]
        )
        for row, values in seconds.items()
    }
    return {
        "size": SIZE,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "gflops": {k: v for k, v in rates.items() if k != "memory"},
        "roof_gflops": {
            precision: max(
                rate["max"]
                for row, rate in rates.items()
                if row.endswith(precision)
            )
            for precision in ("float32", "bfloat16")
        },
        "memory_gb_per_second": rates["memory"],
    }


def turn_of(row: str) -> tuple[Callable[[], None], Callable[[], float]]:
    """Returns what `take_turns` wants of a row."""
    library, _, precision = row.partition("_")
    made: list[Callable[[], object]] = []

    def call() -> Callable[[], object]:
        if not made:
            make = {
                "memory": memory_call,
                "tensorflow": tensorflow_call,
                "torch": torch_call,
            }[library]
            made.append(make(precision))
        return made[0]

    def turn() -> float:
        run, taken = call(), []
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken)

    def warm_up() -> None:
        call()()

    return warm_up, turn


def tensorflow_call(precision: str) -> Callable[[], object]:
    """Returns a product by TensorFlow."""
    import tensorflow as tf

    a, b = (
        tf.cast(tf.random.stateless_normal([SIZE, SIZE], [seed, 0]), precision)
        for seed in (1, 2)
    )
    product = tf.function(tf.matmul)
    return lambda: product(a, b)


def torch_call(precision: str) -> Callable[[], object]:
    """Returns a product by torch."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    a, b = (torch.randn(SIZE, SIZE) for _ in range(2))
    a, b = (each.to(getattr(torch, precision)) for each in (a, b))
    return lambda: torch.mm(a, b)


def memory_call(_: str) -> Callable[[], object]:
    """Returns an addition that all cores share."""
    import numpy as np

    cores = os.cpu_count() or 1
    parts = [
        [np.full(ELEMENTS // cores, i, np.float64) for i in range(3)]
        for _ in range(cores)
    ]
    pool = ThreadPoolExecutor(cores)

    def add(part: Any) -> None:
        np.add(part[0], part[1], out=part[2])

    return lambda: list(pool.map(add, parts))


if __name__ == "__main__":
    main()
