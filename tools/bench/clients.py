"""A server in a process of its own, and threads here that ask it."""

import http.client
import itertools
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

# 16 tokens with [CLS] and [SEP]; a number makes each another text.
SHORT = "A wonderful film {} , and I would gladly see it once again !"
NUM_ONE = 100
START_SECONDS = 120

_numbers = itertools.count(1)


class Served:
    """A server in a process of its own, up from `with` on.

    Args:
        command: What starts it.
        rest_port: Where it listens.
        ask: From itself to what asks one text.
        environment: What else it finds in its environment.
    """

    def __init__(
        self,
        command: list[str],
        rest_port: int,
        ask: Callable[[Any], Any],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.rest_port = rest_port
        self._ask = ask
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env={"TF_CPP_MIN_LOG_LEVEL": "3"}
            | os.environ
            | (environment or {}),
        )
        self.pid = self._process.pid
        self.start_seconds = 0.0  # until it answers

    def __enter__(self) -> Self:
        while True:
            self.start_seconds = time.monotonic() - self._started
            try:
                self._ask(self)("warm")
            except OSError:
                ended = self._process.poll() is not None
                if self.start_seconds > START_SECONDS or ended:
                    raise
                time.sleep(0.2)
            else:
                self.start_seconds = time.monotonic() - self._started
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def peak_gib(self) -> float | None:
        """Returns its largest resident size, where the system tells it."""
        status = pathlib.Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return None
        [line] = [
            line
            for line in status.read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return round(int(line.split()[1]) / 2**20, 2)


class Server(Served):
    """A `kerassent-model-server`.

    Args:
        model: The base path.
        flags: What else it is told.
    """

    def __init__(self, model: str, *flags: str) -> None:
        self.port, rest_port = free_port(), free_port()
        command = [
            *(sys.executable, "-c"),
            "import sys; from kerassent.server.flags import main; "
            "sys.exit(main())",
            f"--port={self.port}",
            f"--rest_api_port={rest_port}",
            "--model_name=m",
            f"--model_base_path={os.path.abspath(model)}",
            *flags,
        ]
        super().__init__(command, rest_port, rest_asker)


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def rest_asker(server: Served) -> Any:
    """Returns what asks one text over a connection that stays open."""
    return http_asker(
        server, "/v1/models/m:predict", lambda text: {"instances": [text]}
    )


def http_asker(server: Served, path: str, body_of: Any) -> Any:
    """Returns what posts one text as JSON over a connection that stays open.

    Args:
        server: Whom it asks.
        path: Where to.
        body_of: From a text to what is posted.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    headers = {"Content-Type": "application/json"}

    def posted(body: str) -> http.client.HTTPResponse:
        connection.request("POST", path, body, headers)
        return connection.getresponse()

    def ask(text: str) -> bytes:
        body = json.dumps(body_of(text))
        try:
            response = posted(body)
        except ConnectionError:  # closed while nobody asked: opened anew
            connection.close()
            response = posted(body)
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"{path} answers {response.status}: {answer!r}")
        return answer

    return ask


def grpc_asker(channel: Any) -> Any:
    """Returns what asks one text; the answer is not parsed."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    tensor = request.inputs["text"]
    tensor.dtype = tf.string.as_datatype_enum
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(b"")

    def ask(text: str) -> bytes:
        tensor.string_val[0] = text.encode()
        answer: bytes = call(request.SerializeToString())
        return answer

    return ask


def next_short() -> str:
    """Returns a text of 16 tokens; no two are alike."""
    return SHORT.format(next(_numbers))


class Load(NamedTuple):
    """What a server did under a closed loop of clients.

    Args:
        rate: Texts a second, as seen.
        rate_alone: The same, with the clients' processor time taken off.
        seconds: Each answer's.
    """

    rate: float
    rate_alone: float
    seconds: list[float]


def load(
    askers: list[Any],
    seconds: float,
    next_text: Callable[[], str] = next_short,
) -> Load:
    """Lets each asker ask again as soon as it is answered.

    Args:
        askers: One a client.
        seconds: How long.
        next_text: What to ask.
    """
    taken: list[float] = []
    failures: list[BaseException] = []
    end = time.perf_counter() + seconds

    def work(ask: Any) -> None:
        try:
            while (asked := time.perf_counter()) < end:
                ask(next_text())
                taken.append(time.perf_counter() - asked)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ask,)) for ask in askers]
    start, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    cpu = time.process_time() - cpu
    if failures:
        raise SystemExit(f"A client failed: {failures[0]!r}")
    cores = len(os.sched_getaffinity(0))
    return Load(
        len(taken) / elapsed, len(taken) / (elapsed - cpu / cores), taken
    )


def one_by_one(ask: Any) -> float:
    """Returns the median of seconds for a text."""
    taken = []
    for _ in range(NUM_ONE):
        text = next_short()
        start = time.perf_counter()
        ask(text)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
