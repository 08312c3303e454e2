"""What goes wrong between a client and a server costs no row and gives none."""

import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from kerassent.client import Client
from kerassent.errors import (
    DeadlineExceeded,
    Overloaded,
    ServingError,
    TextTooLong,
)
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.grpc_server import GrpcOptions
from kerassent.server.lifecycle import LifecycleOptions
from kerassent.server.model_config import ModelConfig
from kerassent.server.rest import RestOptions
from kerassent.server.running import ServerOptions, start
from kerassent.server.servable import ServableOptions

TEXTS = [f"text {number}" for number in range(3000)]

SERVER = """
import sys
from kerassent.server import serve
base_path, port, rest_api_port = sys.argv[1:]
with serve(
    base_path, port=int(port), rest_api_port=int(rest_api_port)
) as server:
    print(server.grpc_url, server.rest_url, flush=True)
    server.wait()
"""


def started(base_path, port=0, rest_api_port=0):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SERVER,
            base_path,
            str(port),
            str(rest_api_port),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().split()


def test_connections_that_are_reset_cost_no_row(proxy, expected_predictions):
    done = threading.Event()

    def break_them():
        while not done.wait(0.15):
            proxy.reset_all()

    breaking = threading.Thread(target=break_them)
    with Client(
        proxy.url, model_name="sentiment", max_batch_size=4, timeout=60
    ) as client:
        breaking.start()
        answers = []
        try:
            while proxy.num_broken < 8 and len(answers) < 20:
                answers.append(client.predict(TEXTS[:1000]))
        finally:
            done.set()
            breaking.join()
    expected = expected_predictions(TEXTS[:1000])
    assert all(answer == expected for answer in answers)
    assert proxy.num_broken >= 8


def test_server_that_is_killed_and_restarted_costs_no_row(
    base_path, expected_predictions
):
    process, urls = started(base_path)
    restarted = threading.Event()
    counts = dict.fromkeys(urls, 0)

    def stream(url):
        def texts():
            number = 0
            rest = 500
            while rest:
                yield f"text {number}"
                number += 1
                rest -= restarted.is_set()

        predictions = []
        with Client(
            url, model_name="sentiment", max_batch_size=8, timeout=120
        ) as client:
            for prediction in client.predict_each(texts()):
                predictions.append(prediction)
                counts[url] = len(predictions)
        return predictions

    try:
        with ThreadPoolExecutor() as pool:
            streams = [pool.submit(stream, url) for url in urls]
            while min(counts.values()) < 200:
                assert not any(future.done() for future in streams)
                time.sleep(0.01)
            process.kill()
            process.wait()
            process.stdout.close()
            at_kill = dict(counts)
            ports = [int(url.rpartition(":")[2]) for url in urls]
            process, _ = started(base_path, *ports)
            restarted.set()
            streamed = [future.result(timeout=120) for future in streams]
    finally:
        restarted.set()
        process.kill()
        process.wait()
        process.stdout.close()
    for url, predictions in zip(urls, streamed, strict=True):
        assert len(predictions) >= at_kill[url] + 400
        texts = [f"text {number}" for number in range(len(predictions))]
        assert predictions == expected_predictions(texts)


def test_slow_answers_keep_their_places(proxy, expected_predictions):
    spread = random.Random(0)
    proxy.delay = lambda: time.sleep(spread.uniform(0, 0.02))
    with Client(
        proxy.url, model_name="sentiment", max_batch_size=8, max_in_flight=8
    ) as client:
        assert client.predict(TEXTS[:400]) == expected_predictions(TEXTS[:400])


def test_answer_that_came_too_late_is_not_taken_for_the_next(
    proxy, expected_predictions
):
    with Client(proxy.url, model_name="sentiment", timeout=0.5) as client:
        assert client.predict(["a"]) == expected_predictions(["a"])
        for text in ("b", "c", "d"):
            proxy.delay = lambda: time.sleep(0.7)
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded, match="within `timeout=0.5`"):
                client.predict([text])
            assert 0.4 < time.monotonic() - began < 1.4
            proxy.delay = lambda: None
            time.sleep(0.8)
            assert client.predict(["e"]) == expected_predictions(["e"])


WRONG = {
    "a row is missing": lambda rows: rows[:-1],
    "a row is twice": lambda rows: [*rows, rows[-1]],
    "no row": lambda rows: [],
    "a row has less classes": lambda rows: [
        *rows[:-1],
        rows[-1] | {"probabilities": [1.0]},
    ],
    "a row has other classes": lambda rows: [
        *rows[:-1],
        rows[-1] | {"class_names": ["pös", "neg"]},
    ],
    "an output is missing": lambda rows: [
        {"label": row["label"]} for row in rows
    ],
}


def rows_of(hashing, texts):
    outputs = hashing.serve(tf.constant(texts, tf.string))
    arrays = {name: value.numpy() for name, value in outputs.items()}
    return [
        {
            "label": arrays["label"][row].decode(),
            "score": float(arrays["score"][row]),
            "probabilities": arrays["probabilities"][row].tolist(),
            "class_names": [
                name.decode() for name in arrays["class_names"][row]
            ],
        }
        for row in range(len(texts))
    ]


def tensors_of(rows):
    response = predict_pb2.PredictResponse()
    for name in rows[0] if rows else ():
        values = [row.get(name) for row in rows]
        if name == "probabilities":
            # Flat values, and the shape of the first row, as a model with a
            # bug may write them.
            shape = (len(rows), len(values[0]))
            flat = [value for row in values for value in row]
            tensor = response.outputs[name]
            tensor.dtype = tf.float32.as_datatype_enum
            tensor.float_val.extend(flat[: shape[0] * shape[1] - 1])
            for size in (shape[0], shape[1] + (len(flat) % 2)):
                tensor.tensor_shape.dim.add(size=size)
            if len(flat) % 2 == 0:
                tensor.float_val.append(flat[-1])
        else:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
    return response


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_wrong_answer_among_right_ones_gives_no_wrong_row(
    scheme, wrong, hashing, expected_predictions, grpc_server, http_server
):
    def rows(texts):
        right = rows_of(hashing, texts)
        return WRONG[wrong](right) if b"text 21" in texts else right

    def over_grpc(request, context):
        return tensors_of(rows(list(request.inputs["text"].string_val)))

    def over_rest(body):
        texts = [row["text"].encode() for row in json.loads(body)["instances"]]
        return json.dumps({"predictions": rows(texts)}).encode()

    if scheme == "grpc":
        port = grpc_server(predict=over_grpc)
    else:
        port = http_server(200, over_rest).port
    seen = []
    with Client(
        f"{scheme}://127.0.0.1:{port}", model_name="m", max_batch_size=4
    ) as client:
        with pytest.raises(ServingError) as caught:
            for prediction in client.predict_each(TEXTS[:60]):
                seen.append(prediction)
        assert type(caught.value) is ServingError
        assert seen == expected_predictions(TEXTS[:20])
        for ask in (client.predict, client.predict_proba, client.outputs):
            if ask != client.outputs or wrong in ("no row", "a row is missing"):
                with pytest.raises(ServingError):
                    ask(TEXTS[:60])


@pytest.fixture(scope="module")
def narrow(base_path, tmp_path_factory):
    """A real server that takes 8 texts and 4 kB, and queues one batch."""
    socket_path = tmp_path_factory.mktemp("socket") / "model.sock"
    options = ServerOptions(
        [ModelConfig("sentiment", str(base_path))],
        port=0,
        rest_api_port=0,
        grpc=GrpcOptions(
            socket_path=str(socket_path),
            channel_arguments=(("grpc.max_receive_message_length", 4096),),
        ),
        rest=RestOptions(max_body_bytes=4096),
        lifecycle=LifecycleOptions(max_load_retries=0),
        servables=ServableOptions(
            batching=BatchingParameters(
                max_batch_size=8,
                batch_timeout_micros=10_000,
                max_enqueued_batches=1,
                num_batch_threads=1,
            )
        ),
    )
    with start(options) as server:
        yield {
            "grpc": server.grpc_url,
            "rest": server.rest_url,
            "unix": f"unix://{socket_path}",
        }


NARROW = pytest.mark.parametrize("protocol", ["grpc", "rest", "unix"])


@NARROW
def test_requests_that_are_too_large_are_halved(
    protocol, narrow, expected_predictions
):
    texts = [f"{number} " + "x" * (number * 7 % 1500) for number in range(150)]
    with Client(
        narrow[protocol], model_name="sentiment", max_in_flight=1
    ) as client:
        assert client.predict(texts) == expected_predictions(texts)
        assert client._requests.limits.max_texts == 8
        assert client._requests.limits.max_bytes < 4096
        with pytest.raises(
            TextTooLong,
            match="takes no text so long; send a shorter one. The text has "
            "5000 bytes.",
        ):
            client.predict(["ok", "x" * 5000])


@NARROW
def test_overloaded_server_is_asked_again(
    protocol, narrow, expected_predictions
):
    texts = TEXTS[:300]
    arguments = {
        "model_name": "sentiment",
        "max_batch_size": 5,
        "max_in_flight": 12,
    }
    with (
        Client(narrow[protocol], retry=False, **arguments) as client,
        pytest.raises(Overloaded, match="queue.* is full"),
    ):
        client.predict(texts)
    with Client(narrow[protocol], **arguments) as client:
        assert client.predict(texts) == expected_predictions(texts)


def test_pause_that_the_server_asks_for_is_kept(http_server):
    times = []

    def refuse(body):
        times.append(time.monotonic())
        return b"busy"

    server = http_server(429, refuse, headers=[("Retry-After", "1")])
    with (
        Client(
            f"http://127.0.0.1:{server.port}", model_name="m", timeout=1.5
        ) as client,
        pytest.raises(Overloaded, match="Tried 2 times within 1.5 seconds"),
    ):
        client.predict(["a"])
    assert len(times) == 2
    assert times[1] - times[0] >= 1
