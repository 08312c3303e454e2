"""Real servers: ours with a tiny model, and odd ones that misbehave."""

import json
import select
import socket
import ssl
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from kerassent.contract import Prediction, encode_texts
from kerassent.server import serve

NUM_BUCKETS = 1 << 20


TEXTS = [tf.TensorSpec([None], tf.string, name="text")]


# What a server says of one text over REST.
ROW = {
    "label": "pos",
    "score": 0.75,
    "probabilities": [0.25, 0.75],
    "class_names": ["neg", "pos"],
}
ANSWER = json.dumps({"predictions": [ROW]}).encode()


def hashed(text):
    """Of each text a number from 0 to 1 that tells it from any other."""
    bucket = tf.strings.to_hash_bucket_fast(text, NUM_BUCKETS)
    return tf.cast(bucket, tf.float32) / NUM_BUCKETS


class Hashing(tf.Module):
    """A model whose answers tell any two texts apart, in several ways."""

    @tf.function(input_signature=TEXTS)
    def serve(self, text):
        probabilities = self.probabilities(text)["shares"]
        class_names = tf.constant(["neg", "pös"])
        return {
            "label": tf.gather(class_names, tf.argmax(probabilities, axis=1)),
            "score": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
            "class_names": tf.repeat(
                class_names[tf.newaxis], tf.shape(text)[0], axis=0
            ),
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name="inputs")]
    )
    def classify(self, inputs):
        feature = tf.io.FixedLenFeature([], tf.string)
        text = tf.io.parse_example(inputs, {"text": feature})["text"]
        outputs = self.serve(text)
        return {
            "classes": outputs["class_names"],
            "scores": outputs["probabilities"],
        }

    @tf.function(input_signature=TEXTS)
    def explain(self, text):
        """Words are what spaces divide."""
        words = tf.strings.split(text, " ")
        lengths = tf.strings.length(words).to_tensor(-2)
        ends = tf.cumsum(lengths + 1, axis=1) - 1
        is_word = lengths >= 0
        outputs = self.serve(text)
        padded = words.to_tensor("")
        return {
            "label": outputs["label"],
            "score": outputs["score"],
            "words": padded,
            "starts": tf.where(is_word, ends - lengths, -1),
            "ends": tf.where(is_word, ends, -1),
            "attributions": tf.where(is_word, hashed(padded), 0.0),
            "completeness_error": hashed(text),
        }

    @tf.function(input_signature=TEXTS)
    def probabilities(self, text):
        """What a model that is not ours may give: one output, no names."""
        positive = hashed(text)
        return {"shares": tf.stack([1 - positive, positive], axis=1)}

    @tf.function(input_signature=TEXTS)
    def other(self, text):
        """No probabilities at all."""
        positive = hashed(text)
        return {
            "logits": tf.stack([-positive, positive], axis=1),
            "length": tf.strings.length(text),
            "upper": tf.strings.upper(text),
            "is_empty": tf.equal(text, ""),
        }


def save(module, path):
    tf.saved_model.save(
        module,
        str(path),
        signatures={
            "serving_default": module.serve,
            "classify": module.classify,
            "explain": module.explain,
            "shares": module.probabilities,
            "other": module.other,
        },
    )


@pytest.fixture(scope="session")
def hashing():
    return Hashing()


@pytest.fixture(scope="session")
def base_path(hashing, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sentiment"
    save(hashing, path / "3")
    return path


@pytest.fixture(scope="session")
def served(base_path):
    with serve(
        base_path, model_name="sentiment", port=0, rest_api_port=0
    ) as server:
        yield server


@pytest.fixture(scope="session")
def expected_predictions(hashing):
    """A function that says what a server of that model must answer."""

    def predictions(texts):
        outputs = hashing.serve(tf.constant(encode_texts(texts), tf.string))
        return [
            Prediction(
                label.decode(),
                float(score),
                {"neg": float(neg), "pös": float(pos)},
            )
            for label, score, (neg, pos) in zip(
                outputs["label"].numpy(),
                outputs["score"].numpy(),
                outputs["probabilities"].numpy(),
                strict=True,
            )
        ]

    return predictions


@pytest.fixture(params=["grpc", "rest"])
def url(request, served):
    return served.grpc_url if request.param == "grpc" else served.rest_url


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def raw_server():
    """Starts a server that hands each connection to a function."""
    with ExitStack() as stack:

        def start(handle):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def accept():
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    stack.callback(connection.close)
                    handle(connection)

            threading.Thread(target=accept, daemon=True).start()
            # Wakes `accept` where closing the socket alone would not.
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            return server.getsockname()[1]

        yield start


class ManyAtOnce(ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture
def http_server():
    """Starts an HTTP server that gives one answer and keeps the requests.

    The answer is bytes, or a function of the request's body, which may set
    the status of this answer and those that follow.
    """
    servers = []

    def start(status, body, *, port=0, headers=(), ssl_context=None):
        answer = SimpleNamespace(status=status, body=body, requests=[])

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                size = int(self.headers.get("Content-Length", 0))
                answer.requests.append(
                    SimpleNamespace(
                        path=self.path,
                        headers=self.headers,
                        body=self.rfile.read(size),
                    )
                )
                body = answer.body
                if callable(body):
                    body = body(answer.requests[-1].body)
                self.send_response(answer.status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        server = ManyAtOnce(("127.0.0.1", port), Handler)
        if ssl_context:
            server.socket = ssl_context.wrap_socket(
                server.socket, server_side=True
            )
        # A short poll, since `shutdown` waits for it.
        threading.Thread(
            target=server.serve_forever, args=[0.02], daemon=True
        ).start()
        servers.append(server)
        answer.port = server.server_port
        return answer

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def grpc_server():
    """Starts a gRPC server that answers with the given functions."""
    servers = []

    def start(
        *,
        predict=None,
        status=None,
        metadata=None,
        credentials=None,
        address="127.0.0.1:0",
    ):
        predictions = prediction_service_pb2_grpc.PredictionServiceServicer()
        models = model_service_pb2_grpc.ModelServiceServicer()
        if predict:
            predictions.Predict = predict
        if metadata:
            predictions.GetModelMetadata = metadata
        if status:
            models.GetModelStatus = status
        server = grpc.server(ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            predictions, server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            models, server
        )
        if credentials:
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
        server.start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    """Paths of a self-signed certificate for 127.0.0.1 and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 2 -subj /CN=kerassent "
        "-addext subjectAltName=IP:127.0.0.1"
    ).split()
    try:
        subprocess.run(
            [*command, "-keyout", key, "-out", cert],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return cert, key


@pytest.fixture
def mutual_tls(pem):
    """What servers need that show that certificate and ask for it, too."""
    cert, key = pem
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cert)
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), cert.read_bytes())],
        cert.read_bytes(),
        require_client_auth=True,
    )
    return {"https": context, "grpcs": credentials}


class Proxy:
    """Passes bytes between clients and a server, and breaks connections.

    Args:
        port: The server's port.

    Attributes:
        port: The proxy's own.
        delay: A function that is called before each piece is passed on.
        num_broken: How many connections it has reset.
    """

    def __init__(self, port):
        self._server_port = port
        self._generation = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.delay = lambda: None
        self.num_broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def reset_all(self):
        """Breaks all connections, as a machine does that goes down."""
        self._generation += 1

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset_all()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            threading.Thread(
                target=self._pass_on,
                args=(client, server, self._generation),
                daemon=True,
            ).start()

    def _pass_on(self, client, server, generation):
        other = {client: server, server: client}
        with client, server:
            while generation == self._generation:
                for source in select.select(other, [], [], 0.005)[0]:
                    piece = source.recv(65536)
                    if not piece:
                        return
                    self.delay()
                    if generation != self._generation:
                        break
                    other[source].sendall(piece)
            self.num_broken += 1
            for end in other:
                linger = struct.pack("ii", 1, 0)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@pytest.fixture
def proxy(url):
    """A proxy before the real server, over either protocol, and its URL."""
    made = Proxy(int(url.rpartition(":")[2]))
    made.url = f"{url.partition(':')[0]}://127.0.0.1:{made.port}"
    yield made
    made.close()
