"""Asks the embedded server for two minutes while everything goes on around it.

Run it when the server's lifecycle, batching or ports change:

    python tools/bench/soak_server.py EXPORT [--seconds 120] [--clients 32]

`EXPORT` is one version's directory, of a model with `serving_default`. It is
published anew every ten seconds, as the next version. Half of the clients
speak gRPC, half REST, with texts of mixed lengths; one more sends garbage, one
vanishes in the midst of its requests. Every answer is compared with what the
session says of that text in this process.

Fails if a good request fails, an answer is wrong, or memory grows after the
first third by more than `--growth` MiB. The last line is a JSON object.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WORDS = "a wonderful dull film , I would see it again ! never good bad".split()
TOLERANCE = 1e-4


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--publish-seconds", type=float, default=10.0)
    parser.add_argument("--growth", type=float, default=150.0)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        result = soak(options, pathlib.Path(directory))
    print(json.dumps(result))
    if result["failed"] or result["wrong"]:
        sys.exit("A good request failed or was answered wrongly.")
    if result["growth_mib"] > options.growth:
        sys.exit(f"Memory grew by {result['growth_mib']} MiB.")


def texts_and_answers(
    export: pathlib.Path,
) -> tuple[list[str], dict[str, list[float]]]:
    """Returns texts of mixed lengths, and their probabilities."""
    from kerassent.server.models import LoadedModel

    chance = random.Random(0)
    texts = [
        f"{number} {' '.join(chance.choices(WORDS, k=length))}"
        for number in range(100)
        for length in [chance.choice((1, 8, 8, 30, 100, 300))]
    ]
    model = LoadedModel("m", 1, str(export))
    signature = model.signatures["serving_default"]
    answers = {}
    for text in texts:
        feed = np.empty(1, object)
        feed[0] = text.encode()
        (row,) = model.run(
            {signature.inputs["text"].name: feed},
            [signature.outputs["probabilities"].name],
        )
        answers[text] = row[0].tolist()
    model.close()
    return texts, answers


def publish(export: pathlib.Path, base: pathlib.Path, version: int) -> None:
    """Publishes a version as it should be: beside, then renamed."""
    staging = base / f"writing-{version}"
    shutil.copytree(export, staging)
    staging.rename(base / str(version))
    # As `export --keep` does; the one before may still be loaded.
    shutil.rmtree(base / str(version - 2), ignore_errors=True)


def resident_mib(pid: int) -> float:
    """Returns the memory that a process has in use."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def rest_asker(port: int) -> Callable[[str], list[float]]:
    """Returns what asks for a text's probabilities over REST."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(text: str) -> list[float]:
        body = json.dumps({"instances": [text]})
        connection.request("POST", "/v1/models/m:predict", body)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(answer["error"])
        probabilities: list[float] = answer["predictions"][0]["probabilities"]
        return probabilities

    return ask


def grpc_asker(channel: Any) -> Callable[[str], list[float]]:
    """Returns what asks for a text's probabilities over gRPC."""
    import tensorflow as tf
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(text: str) -> list[float]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
        response = stub.Predict(request, timeout=60)
        return list(response.outputs["probabilities"].float_val)

    return ask


def send_garbage(rest_port: int, port: int) -> None:
    """Sends what no protocol allows, to both ports."""
    for target in (rest_port, port):
        with socket.create_connection(("127.0.0.1", target), 10) as raw:
            raw.sendall(random.randbytes(2000))
    for body in (b"{", b'{"instances": [[1, 2], 3]}', b"\xff" * 1000):
        connection = http.client.HTTPConnection("127.0.0.1", rest_port)
        connection.request("POST", "/v1/models/m:predict", body)
        if connection.getresponse().status < 400:
            raise RuntimeError(f"{body!r} was answered")
        connection.close()


def vanish(rest_port: int, text: str) -> None:
    """Goes away in the midst of a body, and before an answer."""
    body = json.dumps({"instances": [text] * 50}).encode()
    head = (
        "POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    for sent in (head + body[: len(body) // 2], head + body):
        with socket.create_connection(("127.0.0.1", rest_port), 10) as raw:
            raw.sendall(sent)
            time.sleep(0.05)


def soak(options: argparse.Namespace, base: pathlib.Path) -> dict[str, Any]:
    """Returns what happened."""
    import grpc
    from clients import Server

    texts, answers = texts_and_answers(options.export)
    publish(options.export, base, 1)
    end = time.monotonic() + options.seconds
    asked = [0]
    failed: list[str] = []
    wrong: list[str] = []
    lock = threading.Lock()
    with Server(
        str(base), "--enable_batching", "--enable_per_model_batching_parameters"
    ) as server:
        pid = server.pid
        end = time.monotonic() + options.seconds
        channels = [
            grpc.insecure_channel(
                f"127.0.0.1:{server.port}",
                [("grpc.use_local_subchannel_pool", 1)],
            )
            for _ in range(4)
        ]

        def ask_on(number: int) -> None:
            ask = (
                grpc_asker(channels[number % 4])
                if number % 2
                else rest_asker(server.rest_port)
            )
            chance = random.Random(number)
            while time.monotonic() < end:
                text = chance.choice(texts)
                try:
                    found = ask(text)
                except Exception as error:
                    with lock:
                        failed.append(repr(error)[:500])
                    ask = ask if number % 2 else rest_asker(server.rest_port)
                    continue
                difference = np.abs(np.array(found) - answers[text]).max()
                with lock:
                    asked[0] += 1
                    if difference > options.tolerance:
                        wrong.append(f"{text[:50]!r}: {difference}")

        def disturb() -> None:
            while time.monotonic() < end:
                send_garbage(server.rest_port, server.port)
                vanish(server.rest_port, texts[0])
                time.sleep(0.2)

        memory = []
        workers = [
            threading.Thread(target=ask_on, args=(number,))
            for number in range(options.clients)
        ]
        workers.append(threading.Thread(target=disturb))
        for worker in workers:
            worker.start()
        version = 1
        due = time.monotonic() + options.publish_seconds
        while time.monotonic() < end:
            time.sleep(0.5)
            memory.append(resident_mib(pid))
            if time.monotonic() > due:
                due += options.publish_seconds
                version += 1
                publish(options.export, base, version)
                print(
                    f"version {version}, {asked[0]} answers, "
                    f"{len(failed)} failures, {memory[-1]:.0f} MiB",
                    flush=True,
                )
        for worker in workers:
            worker.join()
    third = len(memory) // 3
    thirds = [memory[i * third : (i + 1) * third] for i in range(3)]
    # Two versions are loaded for a while at each change, and how long, and what
    # else is held just then, is chance. Between changes there is one: what is
    # always held is the twentieth part that is least.
    least = [statistics.quantiles(each, n=20)[0] for each in thirds]
    growth = least[2] - least[1]
    for line in [*failed[:5], *wrong[:5]]:
        print(line, file=sys.stderr)
    return {
        "seconds": options.seconds,
        "clients": options.clients,
        "answers": asked[0],
        "failed": len(failed),
        "wrong": len(wrong),
        "versions": version,
        "peak_mib": [round(max(each)) for each in thirds],
        "median_mib": [round(statistics.median(each)) for each in thirds],
        "least_mib": [round(each) for each in least],
        "growth_mib": round(growth),
    }


if __name__ == "__main__":
    main()
