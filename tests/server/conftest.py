"""One server for all tests: a tiny model with a signature for each case."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import types

import pytest

MODEL = "zoo"
VERSION = 12


def build_zoo(path):
    """Writes a SavedModel with many small signatures."""
    import tensorflow as tf

    text = tf.TensorSpec([None], tf.string, name="text")
    x = tf.TensorSpec([None], tf.float32, name="x")

    examples = tf.TensorSpec([None], tf.string, name="inputs")

    def read_examples(serialized):
        """The feature `x`, or as many bytes as the feature `text` has."""
        features = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([], tf.float32, 0.0),
                "n": tf.io.FixedLenFeature([], tf.int64, 0),
                "text": tf.io.FixedLenFeature([], tf.string, ""),
            },
        )
        length = tf.strings.length(features["text"])
        return (
            features["x"]
            + tf.cast(features["n"], tf.float32)
            + tf.cast(length, tf.float32)
        )

    class Zoo(tf.Module):
        def __init__(self):
            super().__init__()
            self.half = tf.Variable(0.5)
            self.names = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant([0, 1], tf.int64), ["neg", "pos"]
                ),
                "",
            )

        @tf.function(input_signature=[text])
        def sentiment(self, text):
            """The wire's four outputs; longer than three bytes is good."""
            good = tf.strings.length(text) > 3
            score = tf.where(good, 0.75, 0.625)
            other = 1.0 - score
            names = tf.constant(["neg", "pos"])
            return {
                "label": self.names.lookup(tf.cast(good, tf.int64)),
                "score": score,
                "probabilities": tf.where(
                    good[:, None],
                    tf.stack([other, score], axis=1),
                    tf.stack([score, other], axis=1),
                ),
                "class_names": tf.tile(names[None], [tf.size(text), 1]),
            }

        @tf.function(input_signature=[text])
        def echo(self, text):
            return {"text": tf.identity(text)}

        @tf.function(input_signature=[text])
        def echo_bytes(self, text):
            return {"text_bytes": tf.identity(text), "text": tf.identity(text)}

        @tf.function(input_signature=[x])
        def half_plus_two(self, x):
            return {"y": self.half * x + 2.0}

        @tf.function(
            input_signature=[
                tf.TensorSpec(None, tf.float32, name="a"),
                tf.TensorSpec(None, tf.float32, name="b"),
            ]
        )
        def add(self, a, b):
            return {"sum": a + b, "product": a * b}

        @tf.function(
            input_signature=[tf.TensorSpec([None, 2], tf.float32, "m")]
        )
        def matrix(self, m):
            return {"m": tf.identity(m)}

        @tf.function(
            input_signature=[
                tf.TensorSpec(None, dtype, name=dtype.name)
                for dtype in NUMBERS(tf)
            ]
        )
        def numbers(self, *values):
            return {
                dtype.name: tf.identity(value)
                for dtype, value in zip(NUMBERS(tf), values, strict=True)
            }

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float16, "h")])
        def half_in(self, h):
            return {"y": tf.cast(h, tf.float32)}

        @tf.function(input_signature=[x])
        def half_out(self, x):
            return {"y": tf.cast(x, tf.float16)}

        @tf.function(input_signature=[examples])
        def classify(self, inputs):
            x = read_examples(inputs)
            return {
                "classes": tf.repeat([["neg", "pos"]], tf.size(x), axis=0),
                "scores": tf.stack([1 - x, x], axis=1),
            }

        @tf.function(input_signature=[examples])
        def classes_only(self, inputs):
            return {"classes": self.classify(inputs)["classes"]}

        @tf.function(input_signature=[examples])
        def flat_scores(self, inputs):
            return {"scores": read_examples(inputs)}

        @tf.function(input_signature=[examples])
        def regress(self, inputs):
            return {"outputs": 2 * read_examples(inputs)}

        @tf.function(input_signature=[examples])
        def wide_regress(self, inputs):
            x = read_examples(inputs)
            return {"outputs": tf.stack([x, x], axis=1)}

        @tf.function(input_signature=[x])
        def scalar_out(self, x):
            return {"y": tf.reduce_sum(x)}

        @tf.function(input_signature=[x])
        def unequal_out(self, x):
            return {"a": tf.identity(x), "y": x[:1]}

        @tf.function(input_signature=[])
        def no_input(self):
            return {"y": tf.constant([1.0])}

        @tf.function(input_signature=[x])
        def wait_for_ever(self, x):
            queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32])
            (never,) = tf.raw_ops.QueueDequeueV2(
                handle=queue, component_types=[tf.float32]
            )
            return {"y": x + never}

        @tf.function(input_signature=[x])
        def long_error(self, x):
            check = tf.debugging.Assert(False, ["e" * 2000], summarize=1)
            with tf.control_dependencies([check]):
                return {"y": tf.identity(x)}

    zoo = Zoo()
    signatures = {
        name: getattr(zoo, name)
        for name in (
            "echo echo_bytes half_plus_two add matrix numbers half_in "
            "half_out scalar_out unequal_out no_input wait_for_ever long_error "
            "classify classes_only flat_scores regress wide_regress"
        ).split()
    }
    tf.saved_model.save(
        zoo,
        str(path),
        signatures={"serving_default": zoo.sentiment, **signatures},
    )


def NUMBERS(tf):  # noqa: N802
    return (
        tf.float32,
        tf.float64,
        tf.int8,
        tf.int16,
        tf.int32,
        tf.int64,
        tf.uint8,
        tf.uint32,
        tf.uint64,
        tf.bool,
    )


@pytest.fixture(scope="session")
def model_base_path(tmp_path_factory):
    """A base path with version 12, its copy as 3, and other things."""
    base = tmp_path_factory.mktemp("models") / MODEL
    build_zoo(base / str(VERSION))
    (base / "00003").mkdir()
    (base / "notes").mkdir()
    return base


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def run_binary(binary, base_path):
    """The real server in a process, as far as the tests need it."""
    import requests

    port, rest_port = free_port(), free_port()
    command = [
        binary,
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        f"--model_name={MODEL}",
        f"--model_base_path={base_path}",
        "--enable_grpc_healthcheck_service=true",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        server = types.SimpleNamespace(
            grpc_url=f"grpc://127.0.0.1:{port}",
            rest_url=f"http://127.0.0.1:{rest_port}",
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(requests.ConnectionError):
                    requests.get(f"{server.rest_url}/v1/models/zoo", timeout=5)
                    break
                assert process.poll() is None, "the real server ended"
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield server
        finally:
            process.kill()


# What the contract tests are run against.
ENGINES = ["embedded"]
if shutil.which("tensorflow_model_server"):
    ENGINES.append("tensorflow_model_server")


@pytest.fixture(scope="session")
def embedded_server(model_base_path):
    from kerassent.server import serve

    with serve(model_base_path, port=0, rest_api_port=0) as running:
        yield running


@pytest.fixture(scope="session")
def real_server(model_base_path):
    binary = shutil.which("tensorflow_model_server")
    with run_binary(binary, model_base_path) as running:
        yield running


def pytest_generate_tests(metafunc):
    """Runs contract tests against every engine, the others against ours."""
    if "engine" in metafunc.fixturenames:
        is_contract = "test_contract_" in metafunc.module.__name__
        metafunc.parametrize(
            "engine", ENGINES if is_contract else ["embedded"], scope="session"
        )


@pytest.fixture(scope="session")
def server(engine, request):
    """A server of the zoo: the embedded one, or the real one."""
    name = "embedded_server" if engine == "embedded" else "real_server"
    return request.getfixturevalue(name)


@pytest.fixture
def start_server(model_base_path):
    """A function that starts a server of the zoo with other options."""
    from kerassent.server.grpc_server import GrpcOptions
    from kerassent.server.lifecycle import LifecycleOptions
    from kerassent.server.model_config import ModelConfig
    from kerassent.server.rest import RestOptions
    from kerassent.server.running import ServerOptions, start
    from kerassent.server.servable import ServableOptions

    with contextlib.ExitStack() as stack:

        def start_one(**options):
            defaults = {
                "configs": [ModelConfig(MODEL, str(model_base_path))],
                "port": 0,
                "rest_api_port": 0,
                "grpc": GrpcOptions(),
                "rest": RestOptions(),
                "lifecycle": LifecycleOptions(
                    poll_seconds=0.05, max_load_retries=0
                ),
                "servables": ServableOptions(),
            }
            return stack.enter_context(
                start(ServerOptions(**defaults | options))
            )

        yield start_one


@pytest.fixture(scope="session")
def session():
    import requests

    with requests.Session() as opened:
        yield opened


@pytest.fixture
def url(server):
    """The model's REST address."""
    return f"{server.rest_url}/v1/models/{MODEL}"


@pytest.fixture
def post(session, url):
    """A function that posts a body to `:predict`."""

    def post(body, *, path=":predict", **kwargs):
        return session.post(url + path, data=body, timeout=30, **kwargs)

    return post


@pytest.fixture(scope="session")
def channel(server):
    import grpc

    address = server.grpc_url.removeprefix("grpc://")
    with grpc.insecure_channel(address) as opened:
        yield opened


@pytest.fixture
def python_path():
    """The environment for a subprocess that imports kerassent."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return {**os.environ, "PYTHONPATH": root}
