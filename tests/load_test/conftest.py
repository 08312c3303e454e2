"""A server of TensorFlow Serving's protocols that takes a known time."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kerassent.load_test import Connections

ROW = {
    "label": "pos",
    "score": 0.75,
    "probabilities": [0.25, 0.75],
    "class_names": ["neg", "pos"],
}


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """Who gave up waiting is no news."""


class TimedServer:
    """Answers when `serve` returns, with what it returns if it is a status.

    Set `serve` to a function of the request's number, from 0 on. A status is
    the name of gRPC's code, or the number of HTTP's.
    """

    def __init__(self):
        self.serve = lambda number: None
        self.texts = []
        self._lock = threading.Lock()
        self._grpc = grpc.server(ThreadPoolExecutor(300))
        service = prediction_service_pb2_grpc.PredictionServiceServicer()
        service.Predict = self._predict
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            service, self._grpc
        )
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._http = _HttpServer(("127.0.0.1", 0), self._handler())
        threading.Thread(
            target=self._http.serve_forever, args=[0.02], daemon=True
        ).start()
        self.urls = {
            "grpc": f"grpc://127.0.0.1:{port}",
            "rest": f"http://127.0.0.1:{self._http.server_port}",
        }

    @property
    def num_requests(self):
        return len(self.texts)

    def close(self):
        self._grpc.stop(0).wait()
        self._http.shutdown()
        self._http.server_close()

    def _status(self, texts):
        with self._lock:
            number = len(self.texts)
            self.texts.append(texts)
        return self.serve(number)

    def _predict(self, request, context):
        texts = list(request.inputs["text"].string_val)
        status = self._status(texts)
        if status:
            context.abort(grpc.StatusCode[status], "as told")
        response = predict_pb2.PredictResponse()
        for name, value in ROW.items():
            tensor = response.outputs[name]
            values = value if isinstance(value, list) else [value]
            tensor.tensor_shape.dim.add(size=len(texts))
            if isinstance(value, list):
                tensor.tensor_shape.dim.add(size=2)
            if isinstance(values[0], float):
                tensor.dtype = 1
                tensor.float_val.extend(values * len(texts))
            else:
                tensor.dtype = 7
                tensor.string_val.extend(
                    v.encode() for v in values * len(texts)
                )
        return response

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(
                    self.rfile.read(int(self.headers["Content-Length"]))
                )
                texts = [row["text"].encode() for row in body["instances"]]
                status = server._status(texts)
                answer = {"predictions": [ROW] * len(texts)}
                if status:
                    answer = {"error": "as told"}
                data = json.dumps(answer).encode()
                self.send_response(status or 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        return Handler


@pytest.fixture
def timed():
    server = TimedServer()
    yield server
    server.close()


@pytest.fixture(params=["grpc", "rest"])
def protocol(request):
    return request.param


@pytest.fixture
def connections(timed, protocol):
    """Clients of it, over one of the protocols."""
    with Connections(
        timed.urls[protocol], model_name="sentiment", timeout=5.0
    ) as opened:
        yield opened


class Disturbance:
    """How much longer than asked for this process sleeps at most."""

    def __enter__(self):
        self.worst = 0.0
        self._stop = False
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop = True
        self._thread.join()

    def _watch(self):
        while not self._stop:
            before = time.perf_counter()
            time.sleep(0.005)
            late = time.perf_counter() - before - 0.005
            self.worst = max(self.worst, late)


@pytest.fixture
def undisturbed():
    """Repeats a measurement until nobody else took the processors away."""

    def repeat(measure, *, tolerated=0.025):
        for _ in range(4):
            with Disturbance() as disturbance:
                found = measure()
            if disturbance.worst <= tolerated:
                return found
        pytest.skip("This machine is too busy to measure times")

    return repeat


class OneAtATime:
    """Serves one request after the other.

    Args:
        seconds: How long each takes.
        stall: How long the one takes that is the first after `stall_after`
            seconds, if any.
    """

    def __init__(self, seconds, *, stall=0.0, stall_after=0.0):
        self._seconds, self._stall = seconds, stall
        self._turn = threading.Lock()
        self._stall_at = time.perf_counter() + stall_after

    def __call__(self, number):
        with self._turn:
            seconds = self._seconds
            if self._stall and time.perf_counter() >= self._stall_at:
                seconds, self._stall = self._stall, 0.0
            time.sleep(seconds)


@pytest.fixture
def one_at_a_time():
    return OneAtATime
