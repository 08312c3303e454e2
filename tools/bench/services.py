"""Times the embedded server beside a FastAPI service as people write one.

Run it when the server or the export change, on an idle machine, with the models
that `export.py --models DIR` has written:

    python tools/bench/services.py DIR [--clients 1 16] [--rounds 3]

Rows take turns; each server has a process of its own, and all are up at once:

- `grpc`, `rest`: `kerassent-model-server` with batching as the export says, in
  float32; `rest_bfloat16` the same with the export in bfloat16;
- `fastapi`: `service.py`, a transformers pipeline in FastAPI under uvicorn;
  `fastapi_bfloat16` the same with the model in bfloat16.

So many clients send one review after the other over connections that stay
open: `short` ones of 16 tokens, or `reviews`, real ones in random order. They
are threads of this process, on the same cores. The last line is a JSON object:
answers a second, milliseconds of the median answer and of the 95th of a hundred
(median, least and most of the rounds), seconds until a server answers, and its
largest memory in GiB.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
from contextlib import ExitStack
from typing import Any

import peers
from answering import read_texts
from clients import (
    Load,
    Served,
    Server,
    free_port,
    grpc_asker,
    http_asker,
    load,
    next_short,
    rest_asker,
)
from figures import processor, say, spread

BATCHING = ("--enable_batching", "--enable_per_model_batching_parameters")
ROWS = ("grpc", "rest", "rest_bfloat16", "fastapi", "fastapi_bfloat16")
TASKS = ("short", "reviews")


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    peers.add_argument(parser)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    print(json.dumps(measured(parser.parse_args())))


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures."""
    texts = itertools.cycle(read_texts(options.models)["reviews"])
    next_text = {"short": next_short, "reviews": lambda: next(texts)}
    loads: dict[tuple[str, int, str], list[Load]] = {}
    with ExitStack() as stack:
        servers = started(options, stack)
        askers = {
            row: askers_of(row, servers[row], max(options.clients), stack)
            for row in options.rows
        }
        for asking in askers.values():
            for task in options.tasks:
                load(asking, 1.0, next_text[task])
        for _ in range(options.rounds):
            for task in options.tasks:
                for clients in options.clients:
                    for row, asking in askers.items():
                        found = load(
                            asking[:clients], options.seconds, next_text[task]
                        )
                        loads.setdefault((task, clients, row), []).append(found)
                        name = f"{row}/{task}/{clients}"
                        say(name, "an answer", 1 / found.rate)
        start_seconds = {
            row: round(server.start_seconds, 1)
            for row, server in servers.items()
        }
        peak_gib = {row: server.peak_gib() for row, server in servers.items()}
    found: dict[str, Any] = {
        "clients": options.clients,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "start_seconds": start_seconds,
        "peak_gib": peak_gib,
    }
    for (task, clients, row), some in loads.items():
        by_row = found.setdefault(task, {}).setdefault(str(clients), {})
        by_row[row] = summary(some)
    return found


def summary(loads: list[Load]) -> dict[str, dict[str, float]]:
    """Returns a row's figures of its rounds."""
    return {
        "answers_per_second": spread([each.rate for each in loads]),
        "p50_ms": spread(
            [1e3 * statistics.median(each.seconds) for each in loads]
        ),
        "p95_ms": spread(
            [
                1e3 * sorted(each.seconds)[int(0.95 * len(each.seconds))]
                for each in loads
            ]
        ),
    }


def started(options: argparse.Namespace, stack: ExitStack) -> dict[str, Served]:
    """Returns each row's server; over gRPC and REST it is the same one."""
    servers: dict[str, Served] = {}
    for row in options.rows:
        kind, _, precision = row.partition("_")
        precision = precision or "float32"
        if kind == "fastapi":
            server = service(options, precision)
        elif precision == "float32" and {"grpc", "rest"} & set(servers):
            servers[row] = servers["grpc" if "grpc" in servers else "rest"]
            continue
        else:
            server = Server(str(options.models / precision), *BATCHING)
        servers[row] = stack.enter_context(server)
        say(row, "first answer", server.start_seconds)
    return servers


def service(options: argparse.Namespace, dtype: str) -> Served:
    """Returns the FastAPI service.

    Args:
        options: The command line's.
        dtype: The model's.
    """
    port = free_port()
    command = [
        *(peers.python_of("torch", options.peers), "-m", "uvicorn"),
        *("service:app", f"--port={port}", "--log-level=warning"),
        f"--app-dir={pathlib.Path(__file__).parent}",
    ]
    environment = {
        "SERVICE_MODEL": str(options.models / "checkpoint"),
        "SERVICE_DTYPE": dtype,
    }
    return Served(command, port, service_asker, environment)


def service_asker(server: Served) -> Any:
    """Returns what asks the FastAPI service one text."""
    return http_asker(server, "/predict", lambda text: {"text": text})


def askers_of(
    row: str, server: Served, clients: int, stack: ExitStack
) -> list[Any]:
    """Returns what asks, for each client."""
    if row == "grpc":
        import grpc

        channel = stack.enter_context(
            grpc.insecure_channel(f"127.0.0.1:{server.port}")
        )
        return [grpc_asker(channel) for _ in range(clients)]
    make = service_asker if row.startswith("fastapi") else rest_asker
    return [make(server) for _ in range(clients)]


if __name__ == "__main__":
    main()
