"""Servers that are not there, not in time, or not what they should be."""

import json
import socket
import struct
import threading
import time

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from kerassent.client import Client
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerUnavailable,
    ServingError,
)

SCHEMES = pytest.mark.parametrize("scheme", ["grpc", "http"])
QUEUE_FULL = (
    "The batch scheduling queue to which this task was submitted is full"
)
NO_OP = "Op type not registered 'Odd>Op' in binary running on host."


def client_of(scheme, port, **arguments):
    return Client(
        f"{scheme}://127.0.0.1:{port}",
        model_name="sentiment",
        **{"retry": False} | arguments,
    )


@SCHEMES
@pytest.mark.parametrize("ask", ["predict", "status", "metadata"])
def test_nothing_answers_at_a_closed_port(scheme, ask, closed_port):
    protocol = {"grpc": "gRPC", "http": "REST"}[scheme]
    with client_of(scheme, closed_port) as client:
        request = getattr(client, ask)
        with pytest.raises(ServerUnavailable) as caught:
            request(["a"]) if ask == "predict" else request()
    assert str(caught.value) == (
        f"Nothing answers at 127.0.0.1:{closed_port} ({protocol}). Start one "
        "with `kerassent serve models/sentiment`, or check `--url`."
    )
    assert caught.value.model_name == "sentiment"
    assert caught.value.url == f"{scheme}://127.0.0.1:{closed_port}"
    assert caught.value.__cause__ is not None


@SCHEMES
def test_nothing_answers_at_a_host_that_is_not_there(scheme):
    with (
        Client(f"{scheme}://nowhere.invalid", model_name="m") as client,
        pytest.raises(ServerUnavailable, match="Nothing answers at nowhere"),
    ):
        client.status()


def test_proxy_that_is_not_there_is_named(closed_port, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("NO_PROXY", "")
    with (
        Client("http://model.invalid", model_name="m") as client,
        pytest.raises(
            ServerUnavailable, match="proxy on the way to model.*HTTP_PROXY"
        ),
    ):
        client.status()


@SCHEMES
def test_silent_server_exceeds_the_deadline(scheme, raw_server):
    port = raw_server(lambda connection: None)
    with client_of(scheme, port, timeout=0.3) as client:
        start = time.monotonic()
        with pytest.raises(
            DeadlineExceeded,
            match=f"127.0.0.1:{port} .* no answer within `timeout=0.3`",
        ):
            client.predict(["a"])
        assert 0.2 < time.monotonic() - start < 3


@SCHEMES
def test_slow_model_exceeds_the_deadline(scheme, grpc_server, raw_server):
    released = threading.Event()
    if scheme == "grpc":
        port = grpc_server(predict=lambda *_: released.wait(10))
    else:
        # The timeout strikes amid the answer.
        port = raw_server(
            lambda connection: connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"
            )
        )
    with (
        client_of(scheme, port, timeout=0.3) as client,
        pytest.raises(DeadlineExceeded, match="Raise `timeout`, or send few"),
    ):
        client.predict(["a"])
    released.set()


def reset(connection):
    linger = struct.pack("ii", 1, 0)
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def hang_up(connection):
    connection.recv(65536)
    connection.close()


def hang_up_midway(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    connection.close()


def hang_up_amid_a_chunk(connection):
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"
    )
    connection.close()


def hang_up_between_chunks(connection):
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    )
    connection.close()


@pytest.mark.parametrize(
    ("scheme", "handle"),
    [
        ("grpc", reset),
        ("grpc", hang_up),
        ("http", reset),
        ("http", hang_up),
        ("http", hang_up_midway),
        ("http", hang_up_amid_a_chunk),
        ("http", hang_up_between_chunks),
    ],
)
def test_lost_connection_is_told_from_none(scheme, handle, raw_server):
    port = raw_server(handle)
    with (
        client_of(scheme, port) as client,
        pytest.raises(
            ServerUnavailable, match=f"connection to .*{port} .* was lost"
        ),
    ):
        client.predict(["a"])


def test_web_server_is_not_taken_for_a_server_without_the_model(http_server):
    page = b"<html>no such page</html>"
    with (
        client_of("http", http_server(404, page).port) as client,
        pytest.raises(
            ServingError,
            match="not answer as TensorFlow Serving does: 404 .*no such page",
        ) as caught,
    ):
        client.predict(["a"])
    assert type(caught.value) is ServingError


def test_redirect_is_not_followed(http_server):
    server = http_server(302, b"", headers=[("Location", "/elsewhere")])
    with (
        client_of("http", server.port) as client,
        pytest.raises(ServingError, match="302 Found, not JSON"),
    ):
        client.predict(["a"])
    assert len(server.requests) == 1


def test_cookies_are_not_kept(http_server):
    body = json.dumps({"predictions": [ROW]}).encode()
    server = http_server(200, body, headers=[("Set-Cookie", "a=b; Path=/")])
    with client_of("http", server.port) as client:
        client.predict(["a"])
        client.predict(["a"])
    assert "Cookie" not in server.requests[1].headers


def test_grpc_server_of_another_kind_is_told_apart(grpc_server):
    with (
        client_of("grpc", grpc_server()) as client,
        pytest.raises(ServingError, match="does: UNIMPLEMENTED") as caught,
    ):
        client.predict(["a"])
    assert type(caught.value) is ServingError


@pytest.mark.parametrize(
    ("status", "text", "error_class", "message"),
    [
        (400, "bad", InvalidRequest, "answered 400 Bad Request: 'bad'"),
        (401, "who?", ServingError, "answered 401 Unauthorized: 'who\\?'"),
        (404, "Servable not found", ModelNotFound, "not found'. `Client.st"),
        (404, NO_OP, ServingError, "needs the op 'Odd>Op'"),
        (429, "timeout in queue", Overloaded, "Try again later"),
        (500, "boom", ServingError, "500 Internal Server Error: 'boom'"),
        (503, QUEUE_FULL, Overloaded, "Try again later"),
        (503, "labels", ServerUnavailable, "Service Unavailable: 'labels'"),
        (504, "too slow", DeadlineExceeded, "504 Gateway Timeout: 'too slow'"),
    ],
)
def test_rest_error_has_its_class(
    status, text, error_class, message, http_server
):
    server = http_server(status, json.dumps({"error": text}).encode())
    with (
        client_of("http", server.port) as client,
        pytest.raises(error_class, match=message) as caught,
    ):
        client.predict(["a"])
    assert type(caught.value) is error_class


def test_gateway_error_needs_no_json(http_server):
    with (
        client_of("http", http_server(502, b"<h1>Bad</h1>").port) as client,
        pytest.raises(ServerUnavailable, match="502 Bad Gateway: '<h1>Bad"),
    ):
        client.predict(["a"])


@pytest.mark.parametrize(
    ("code", "text", "error_class", "message"),
    [
        ("INVALID_ARGUMENT", "bad", InvalidRequest, "INVALID_ARGUMENT: 'bad'"),
        ("FAILED_PRECONDITION", "no", InvalidRequest, "FAILED_PRECONDITION"),
        ("OUT_OF_RANGE", "no", InvalidRequest, "OUT_OF_RANGE: 'no'"),
        ("UNAUTHENTICATED", "who?", ServingError, "UNAUTHENTICATED"),
        ("NOT_FOUND", "Servable", ModelNotFound, "'Servable'. `Client.status"),
        ("NOT_FOUND", NO_OP, ServingError, "needs the op 'Odd>Op'"),
        ("RESOURCE_EXHAUSTED", "queue", Overloaded, "Try again later"),
        ("UNAVAILABLE", QUEUE_FULL, Overloaded, "Try again later"),
        ("UNAVAILABLE", "labels", ServerUnavailable, "UNAVAILABLE: 'labels'"),
        ("DEADLINE_EXCEEDED", "slow", DeadlineExceeded, "`timeout=30`"),
        ("INTERNAL", "boom", ServingError, "INTERNAL: 'boom'"),
    ],
)
def test_grpc_error_has_its_class(
    code, text, error_class, message, grpc_server
):
    def predict(request, context):
        context.abort(grpc.StatusCode[code], text)

    with (
        client_of("grpc", grpc_server(predict=predict)) as client,
        pytest.raises(error_class, match=message) as caught,
    ):
        client.predict(["a"])
    assert type(caught.value) is error_class


ROW = {
    "label": "pos",
    "score": 0.75,
    "probabilities": [0.25, 0.75],
    "class_names": ["neg", "pos"],
}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"predictions": [0.5, 0.5]}, "no metadata in"),
        (
            {"predictions": [0.5, 0.5], "metadata": {}},
            "rows have no names, and its metadata no signature",
        ),
        (
            {"predictions": [{"logits": 1.0}] * 2},
            r"outputs are 'logits' float32 \(2,\); expected",
        ),
        ({"predictions": []}, "not 2 'predictions' in"),
        ({"predictions": [ROW]}, "not 2 'predictions' in"),
        ({"predictions": [ROW] * 3}, "not 2 'predictions' in"),
        ({"predictions": "ab"}, "not 2 'predictions' in"),
        ({"outputs": {}}, "not 2 'predictions' in"),
        ([], "not 2 'predictions' in"),
        (
            {"predictions": [ROW, ROW | {"label": 1}]},
            "'label': strings and other values in",
        ),
        (
            {"predictions": [ROW | {"score": None}] * 2},
            "'score': neither strings nor numbers",
        ),
        ({"predictions": [ROW, {}]}, "output 'label': 'label'"),
        (
            {"predictions": [ROW, ROW | {"probabilities": [1.0]}]},
            "output 'probabilities': ",
        ),
    ],
)
def test_rest_answer_of_another_model_is_refused(answer, message, http_server):
    server = http_server(200, json.dumps(answer).encode())
    with (
        client_of("http", server.port) as client,
        pytest.raises(ServingError, match=message) as caught,
    ):
        client.predict(["a", "b"])
    assert type(caught.value) is ServingError


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rest_answer_with_another_number_of_rows_is_refused(count, http_server):
    explained = ROW | {
        "words": ["a"],
        "starts": [0],
        "ends": [1],
        "attributions": [0.5],
        "completeness_error": 0.0,
    }
    answer = {
        "predictions": [explained] * count,
        "results": [[["pos", 0.75], ["neg", 0.25]]] * count,
    }
    server = http_server(200, json.dumps(answer).encode())
    with client_of("http", server.port) as client:
        for ask in ("predict", "predict_proba", "outputs", "explain"):
            with pytest.raises(ServingError, match="not 2 'predictions' in"):
                getattr(client, ask)(["a", "b"])
        with pytest.raises(ServingError, match=f"classified {count} texts of"):
            client.classify(["a", "b"])


def test_rest_answer_may_hold_bare_nan(http_server):
    body = json.dumps({"predictions": [ROW | {"score": float("nan")}]})
    with client_of("http", http_server(200, body.encode()).port) as client:
        (prediction,) = client.predict(["a"])
    assert prediction.score != prediction.score


def test_rest_floats_are_the_models_float32(http_server):
    body = json.dumps({"predictions": [ROW | {"score": 0.1}]})
    with client_of("http", http_server(200, body.encode()).port) as client:
        (prediction,) = client.predict(["a"])
    assert prediction.score == 0.10000000149011612


def test_rest_status_and_metadata_of_another_kind_are_refused(http_server):
    with client_of("http", http_server(200, b'["a"]').port) as client:
        with pytest.raises(ServingError, match="no model status in"):
            client.status()
        with pytest.raises(ServingError, match="no metadata in"):
            client.metadata()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["logits"], "output 'logits': its dtype is number 0"),
        ([], "gives no probabilities. Its outputs are none"),
        (
            ["label", "score", "probabilities", "class_names"],
            "output '[a-z_]+': its dtype is number 0",
        ),
    ],
)
def test_grpc_answer_of_another_model_is_refused(names, message, grpc_server):
    def predict(request, context):
        response = predict_pb2.PredictResponse()
        for name in names:
            response.outputs[name].SetInParent()
        return response

    with (
        client_of("grpc", grpc_server(predict=predict)) as client,
        pytest.raises(ServingError, match=message),
    ):
        client.predict(["a"])


def test_grpc_answer_may_be_larger_than_four_mebibytes(grpc_server):
    large = "a" * (5 << 20)

    def status(request, context):
        response = get_model_status_pb2.GetModelStatusResponse()
        entry = response.model_version_status.add(version=1, state=50)
        entry.status.error_message = large
        return response

    with client_of("grpc", grpc_server(status=status)) as client:
        assert client.status()[0].error_message == large


def test_classes_that_change_are_noticed(http_server):
    server = http_server(200, json.dumps({"predictions": [ROW]}).encode())
    with client_of("http", server.port) as client:
        assert client.class_names == ("neg", "pos")
        server.body = server.body.replace(b"neg", b"bad")
        with pytest.raises(
            ServingError,
            match="changed its classes from 'neg', 'pos' to 'bad', 'pos'",
        ):
            client.predict_proba(["a"])
        # A Prediction names its classes itself.
        (prediction,) = client.predict(["a"])
    assert prediction.probabilities == {"bad": 0.25, "pos": 0.75}
    assert len(server.requests) == 3
