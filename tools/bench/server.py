"""Times the embedded server beside the session that it runs.

Run it when the server, gRPC or TensorFlow change, on an idle machine, with the
base path of an export or, untrained, the default preset or DistilBERT's shape:

    python tools/bench/server.py models/sentiment [--clients 16] [--rounds 5]
    python tools/bench/server.py --shape base

Rows take turns:

- `session`: the newest version's session called in a process of its own, with
  batches of as many short reviews as there are clients;
- `grpc`, `rest`: `kerassent-model-server` with batching, and that many clients
  that send one short review after the other. One thread runs batches of them
  all: whoever was answered asks again within the time that a batch waits;
- `session_one`, `grpc_one`, `rest_one`: one review at a time, the latter two
  from a server without batching.

No two texts are alike. The clients are threads of this process, and the time
that its processor spends on them is taken off: on a machine of two cores a
server that has the cores to itself is faster by that. Both figures are shown.

The last line is a JSON object: texts a second, how much of the session's
throughput that is, milliseconds of one review and how much of them is the
server's (median, least and most of the rounds).
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Any

import weights
from clients import (
    NUM_ONE,
    SHORT,
    Server,
    grpc_asker,
    load,
    one_by_one,
    rest_asker,
)
from figures import processor, spread
from turns import Turns, take_turns


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="an export's base path")
    parser.add_argument("--shape", choices=["preset", "base"], default="preset")
    parser.set_defaults(run=None, sequence_length=400)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-threads", type=int, default=1)
    parser.add_argument("--batch-timeout-micros", type=int, default=10_000)
    parser.add_argument("--row", choices=["session"], help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_export(options)
    elif options.row:
        take_turns(session_rows(options))
    elif options.model:
        print(json.dumps(measured(options)))
    else:
        with tempfile.TemporaryDirectory() as directory:
            options.model = directory
            command = [sys.executable, *sys.argv, directory]
            # What trains takes memory that the rows should have.
            subprocess.run([*command, "--write"], check=True)
            print(json.dumps(measured(options)))


def write_export(options: argparse.Namespace) -> None:
    """Writes an export of no training."""
    import kerassent as ks

    classifier = weights.our_classifier(options, ("neg", "pos"))
    ks.export(classifier, options.model)


def newest(model: str) -> pathlib.Path:
    """Returns the newest version's directory."""
    versions = [p for p in pathlib.Path(model).iterdir() if p.name.isdigit()]
    return max(versions, key=lambda path: int(path.name))


def session_rows(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the rows of the session in a process of its own."""
    import numpy as np

    from kerassent.server.models import LoadedModel

    path = newest(options.model)
    model = LoadedModel("m", int(path.name), str(path))
    signature = model.signatures["serving_default"]
    feed = signature.inputs["text"].name
    fetches = [output.name for output in signature.outputs.values()]
    # Another process counts from 1, too, and the texts are as many.
    numbers = itertools.count(10**6)

    def run(size: int) -> float:
        texts = np.empty(size, object)
        texts[:] = [SHORT.format(next(numbers)).encode() for _ in range(size)]
        start = time.perf_counter()
        model.run({feed: texts}, fetches)
        return time.perf_counter() - start

    def warm_up() -> None:
        for size in (1, options.clients) * 5:
            run(size)

    def batches() -> float:
        """Returns seconds for a text."""
        end = time.perf_counter() + options.seconds
        taken = []
        while time.perf_counter() < end:
            taken.append(run(options.clients))
        return sum(taken) / len(taken) / options.clients

    def one() -> float:
        return statistics.median(run(1) for _ in range(NUM_ONE))

    return {"session": (warm_up, batches), "session_one": (warm_up, one)}


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures."""
    import grpc

    figures: dict[str, list[float]] = {}

    def note(row: str, value: float) -> None:
        figures.setdefault(row, []).append(value)
        print(f"{row}: {value:.5g}", flush=True)

    with ExitStack() as stack:
        parameters = stack.enter_context(
            tempfile.NamedTemporaryFile("w", suffix=".pbtxt")
        )
        # A closed loop: who is answered asks again at once.
        parameters.write(
            # An export's warmup requests have up to 32 texts.
            f"max_batch_size {{ value: {max(32, options.clients)} }}\n"
            "enable_large_batch_splitting { value: true }\n"
            f"max_execution_batch_size {{ value: {options.clients} }}\n"
            "batch_timeout_micros { value: "
            f"{options.batch_timeout_micros} }}\n"
            f"num_batch_threads {{ value: {options.batch_threads} }}\n"
            "max_enqueued_batches { value: 100 }\n"
        )
        parameters.flush()
        session = stack.enter_context(
            Turns(
                [
                    *(sys.executable, __file__, options.model),
                    *(f"--clients={options.clients}", "--row=session"),
                    f"--seconds={options.seconds}",
                ]
            )
        )
        batching = stack.enter_context(
            Server(
                options.model,
                "--enable_batching",
                f"--batching_parameters_file={parameters.name}",
            )
        )
        plain = stack.enter_context(Server(options.model))
        channels = {
            server: stack.enter_context(
                grpc.insecure_channel(f"127.0.0.1:{server.port}")
            )
            for server in (batching, plain)
        }
        crowds = {
            "grpc": [
                grpc_asker(channels[batching]) for _ in range(options.clients)
            ],
            "rest": [rest_asker(batching) for _ in range(options.clients)],
        }
        ones = {
            "grpc_one": grpc_asker(channels[plain]),
            "rest_one": rest_asker(plain),
        }
        session.warm_up("session")
        for crowd in crowds.values():
            load(crowd, 1.0)
        for ask in ones.values():
            one_by_one(ask)
        for _ in range(options.rounds):
            note("session", 1 / session.run("session"))
            for row, crowd in crowds.items():
                found = load(crowd, options.seconds)
                note(f"{row}_seen", found.rate)
                note(row, found.rate_alone)
            note("session_one", 1e3 * session.run("session_one"))
            for row, ask in ones.items():
                note(row, 1e3 * one_by_one(ask))

    def shares(row: str) -> dict[str, float]:
        pairs = zip(figures[row], figures["session"], strict=True)
        return spread([100 * ours / theirs for ours, theirs in pairs])

    def over(row: str) -> dict[str, float]:
        pairs = zip(figures[row], figures["session_one"], strict=True)
        return spread([ours - theirs for ours, theirs in pairs])

    rows = ("session", "grpc", "grpc_seen", "rest", "rest_seen")
    return {
        "clients": options.clients,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "texts_per_second": {row: spread(figures[row]) for row in rows},
        "percent_of_session": {row: shares(row) for row in rows[1:]},
        "one_ms": {
            row: spread(figures[row])
            for row in ("session_one", "grpc_one", "rest_one")
        },
        "over_session_ms": {row: over(row) for row in ones},
    }


if __name__ == "__main__":
    main()
