"""Clients that misbehave get an error or are dropped; others notice nothing."""

import gzip
import socket
import time
from contextlib import ExitStack

import grpc
import pytest
import requests
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kerassent.server import request_bodies
from kerassent.server.http_server import HttpServer, ImpatientProtocol
from kerassent.server.listening import listen
from kerassent.server.rest import RestOptions


def error_of(response):
    return response.status_code, response.json()["error"]


class Hasty(ImpatientProtocol):
    head_seconds = 0.3
    pause_seconds = 0.3
    max_connections = 5


async def answer(scope, receive, send):
    """Reads all, answers with as many bytes as the path says."""
    while (await receive()).get("more_body"):
        pass
    size = int(scope["path"].strip("/") or 2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * size})


@pytest.fixture
def hasty():
    """The port of a server that waits for 0.3 seconds and five clients."""
    server = HttpServer(
        answer, [listen("127.0.0.1", 0, "port")], grace=1.0, protocol=Hasty
    )
    yield server.port
    server.begin_stop()
    server.join()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def seconds_until_closed(raw):
    start = time.monotonic()
    try:
        while raw.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - start


def is_answered(port):
    return requests.get(f"http://127.0.0.1:{port}/", timeout=10).text == "xx"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
    ],
)
def test_client_that_stops_sending_is_dropped(hasty, sent):
    with connect(hasty) as raw:
        raw.sendall(sent)
        assert is_answered(hasty)
        assert 0.1 < seconds_until_closed(raw) < 5


def test_head_that_trickles_is_dropped(hasty):
    with connect(hasty) as raw:
        start = time.monotonic()
        with pytest.raises(OSError, match="reset|Broken pipe"):
            while time.monotonic() - start < 5:
                raw.sendall(b"G")
                time.sleep(0.02)
        assert time.monotonic() - start < 2


def test_body_that_flows_slowly_is_read(hasty):
    with connect(hasty) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(0.1)
            raw.sendall(b"a")
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")


def test_client_that_does_not_read_is_dropped(hasty):
    with connect(hasty) as raw:
        raw.sendall(b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.recv(1, socket.MSG_PEEK)
        time.sleep(1.0)
        assert is_answered(hasty)
        received = 0
        try:
            while chunk := raw.recv(2**20):
                received += len(chunk)
        except ConnectionResetError:
            pass
        assert received < 50_000_000


def test_connection_may_rest_between_requests(hasty):
    with connect(hasty) as raw:
        for _ in range(2):
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n0\r\n\r\n"):
                answer += raw.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(0.6)


def test_one_connection_too_many_costs_the_slowest_its_own(hasty):
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(hasty)) for _ in range(5)]
        time.sleep(0.05)
        assert is_answered(hasty)
        assert seconds_until_closed(crowd[0]) < 0.2


def test_flood_of_headers_is_refused(server, post):
    host, port = server.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"GET /v1/models/zoo HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises((ConnectionError, AssertionError)):
            for _ in range(2000):
                raw.sendall(b"X-Header: " + b"a" * 1000 + b"\r\n")
            assert not raw.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert post('{"instances": ["bad"]}').ok


def test_garbage_is_refused(server, post):
    host, port = server.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00" * 100 + b"\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert post('{"instances": ["bad"]}').ok


def test_bomb_of_gzip_is_an_empty_document(post):
    bomb = gzip.compress(b" " * (request_bodies.MAX_INFLATED_BYTES + 1))
    assert len(bomb) < 200_000
    response = post(bomb, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert response.json()["error"] == (
        "JSON Parse error: The document is empty"
    )


def test_bodies_share_a_budget(start_server):
    server = start_server(
        rest=RestOptions(max_body_bytes=1000, max_bodies_bytes=1500)
    )
    host, port = server.rest_url.removeprefix("http://").split(":")
    url = f"{server.rest_url}/v1/models/zoo:predict"
    fits = '{"instances": ["bad"]}'.ljust(1000)
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/models/zoo:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 900\r\n\r\n" + b"{" * 800
        )
        deadline = time.monotonic() + 10
        while (refused := requests.post(url, fits, timeout=10)).ok:
            assert time.monotonic() < deadline
        assert refused.status_code == 503
        assert refused.json()["error"] == (
            "The requests under way hold 800 bytes of the 1500 that this "
            "server keeps for them. Try again."
        )
    deadline = time.monotonic() + 10
    while not requests.post(url, fits, timeout=10).ok:
        assert time.monotonic() < deadline


def test_inflated_bodies_are_in_the_budget(start_server):
    server = start_server(rest=RestOptions(max_bodies_bytes=5000))
    response = requests.post(
        f"{server.rest_url}/v1/models/zoo:predict",
        gzip.compress(b" " * 6000),
        headers={"Content-Encoding": "gzip"},
        timeout=10,
    )
    assert response.status_code == 503


def test_deep_nesting_is_read_and_refused(post):
    deep = '{"instances": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert post(deep).status_code == 400
    assert post('{"instances": ["bad"]}').ok


@pytest.mark.parametrize(
    ("dtype", "dims"),
    [
        (7, [100_000_000]),
        (1, [2**31]),
        (1, [2**62, 2**62]),
        (1, [20_000, 20_000]),
    ],
)
def test_tensor_that_lies_about_its_shape_is_refused(channel, dtype, dims):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    if dtype == 1:
        request.model_spec.signature_name = "half_plus_two"
    tensor = TensorProto(dtype=dtype)
    for size in dims:
        tensor.tensor_shape.dim.add(size=size)
    request.inputs["text" if dtype == 7 else "x"].CopyFrom(tensor)
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request, timeout=30)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith("tensor parsing error: ")
    assert time.monotonic() - start < 5


def test_message_beyond_the_limit_is_refused(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    tensor = TensorProto(dtype=7, string_val=[b"x" * (256 * 2**20)])
    tensor.tensor_shape.dim.add(size=1)
    request.inputs["text"].CopyFrom(tensor)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request, timeout=60)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_last_value_is_still_repeated(channel):
    """As C++ TensorFlow reads a shape with too few values."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    request.model_spec.signature_name = "half_plus_two"
    tensor = TensorProto(dtype=1, float_val=[2.0, 4.0])
    tensor.tensor_shape.dim.add(size=1000)
    request.inputs["x"].CopyFrom(tensor)
    answer = stub.Predict(request, timeout=30).outputs["y"].float_val
    assert list(answer) == [3.0] + [4.0] * 999


# --- Bodies


def test_gzip_is_inflated_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(request_bodies, "MAX_INFLATED_BYTES", 1000)
    assert request_bodies.inflate(gzip.compress(b"a" * 1000)) == b"a" * 1000
    assert request_bodies.inflate(gzip.compress(b"a" * 1001)) == b""


def test_declared_body_beyond_the_limit_is_refused_unread(server):
    host, port = server.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/models/zoo:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 67108865\r\n\r\n"
        )
        answer = b""
        while not answer.endswith(b"}"):
            answer += raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"larger than the 67108864 bytes that this server reads" in answer


@pytest.fixture
def small_server(start_server):
    """A server that reads 1000 bytes, 1500 in all, and waits 300 ms."""
    options = RestOptions(
        timeout_ms=300, max_body_bytes=1000, max_bodies_bytes=1500
    )
    server = start_server(rest=options)
    return f"{server.rest_url}/v1/models/zoo:predict"


def test_body_beyond_the_limit_is_refused(session, small_server):
    fits = '{"instances": ["bad"]}'.ljust(1000)
    assert session.post(small_server, data=fits, timeout=30).ok
    for body in (fits + " ", iter([fits.encode(), b" "])):
        response = session.post(small_server, data=body, timeout=30)
        assert error_of(response) == (
            413,
            "The request body is larger than the 1000 bytes that this server "
            "reads. Send fewer instances in a request.",
        )


def test_timeout_is_504(session, small_server):
    start = time.monotonic()
    response = session.post(
        small_server,
        data='{"signature_name": "wait_for_ever", "instances": [1]}',
        timeout=30,
    )
    assert error_of(response) == (
        504,
        "Timed out waiting for notification",
    )
    assert 0.25 < time.monotonic() - start < 5
