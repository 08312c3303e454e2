"""How often a server is asked: again where that may help, else once."""

import json
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from kerassent.client import Client
from kerassent.errors import ServerUnavailable, ServingError
from tests.client.conftest import Proxy

ROW = {
    "label": "pos",
    "score": 0.75,
    "probabilities": [0.25, 0.75],
    "class_names": ["neg", "pos"],
}


@pytest.fixture(params=["grpc", "http"])
def server(request, grpc_server, http_server):
    """A server that notes what it is asked, and first calls `before(number)`.

    What that returns is the status: gRPC's name, or HTTP's number.
    """
    asked = []
    found = type("Server", (), {"before": staticmethod(lambda number: None)})
    found.asked, found.scheme = asked, request.param

    def noted(texts):
        asked.append(texts)
        return found.before(len(asked))

    if request.param == "grpc":

        def predict(request, context):
            status = noted(list(request.inputs["text"].string_val))
            if status:
                context.abort(grpc.StatusCode[status], "as told")
            response = predict_pb2.PredictResponse()
            for name, value in ROW.items():
                kind = (
                    tf.float32 if name in ("score", "probabilities") else None
                )
                response.outputs[name].CopyFrom(
                    tf.make_tensor_proto([value], dtype=kind)
                )
            return response

        found.port = grpc_server(predict=predict)
    else:

        def answer(body):
            rows = json.loads(body)["instances"]
            http.status = noted([row["text"].encode() for row in rows]) or 200
            if http.status == 200:
                return json.dumps({"predictions": [ROW]}).encode()
            return json.dumps({"error": "as told"}).encode()

        http = http_server(200, answer)
        found.port = http.port
    return found


@pytest.fixture
def resetting(server):
    """A proxy before it, which breaks the connection of the first requests.

    The server has the whole request when that happens, and has not answered.
    """
    proxy = Proxy(server.port)
    proxy.url = f"{server.scheme}://127.0.0.1:{proxy.port}"
    proxy.resets = 0

    def reset(number):
        if number <= proxy.resets:
            broken = proxy.num_broken
            proxy.reset_all()
            end = time.monotonic() + 5
            while proxy.num_broken == broken and time.monotonic() < end:
                time.sleep(0.005)

    server.before = reset
    yield proxy
    proxy.close()


def test_request_whose_connection_is_reset_is_made_again(server, resetting):
    resetting.resets = 2
    with Client(resetting.url, model_name="m") as client:
        (prediction,) = client.predict(["a"])
    assert prediction.label == "pos"
    assert server.asked == [[b"a"]] * 3


def test_reset_is_told_at_once_where_nothing_is_to_be_tried_again(
    server, resetting
):
    resetting.resets = 9
    with (
        Client(resetting.url, model_name="m", retry=False) as client,
        pytest.raises(ServerUnavailable, match="was lost before the answer"),
    ):
        client.predict(["a"])
    time.sleep(0.5)  # No library below does it, either.
    assert server.asked == [[b"a"]]


def test_after_the_deadline_nothing_is_asked_any_more(server, resetting):
    resetting.resets = 99
    with Client(resetting.url, model_name="m", timeout=1) as client:
        with pytest.raises(ServingError) as caught:
            client.predict(["a"])
        count = len(server.asked)
        assert 2 <= count <= 5
        assert f"Tried {count} times within 1 seconds" in str(caught.value)
        time.sleep(1.5)
    assert len(server.asked) == count


def test_closed_client_asks_no_more(server, resetting):
    resetting.resets = 99
    client = Client(resetting.url, model_name="m", timeout=30)
    reset = server.before

    def close_and_reset(number):
        client.close()
        reset(number)

    server.before = close_and_reset
    began = time.monotonic()
    with pytest.raises(ServerUnavailable, match="was lost before the answer"):
        client.predict(["a"])
    assert time.monotonic() - began < 5
    time.sleep(0.5)
    assert len(server.asked) == 1


NO_HELP = [
    *(("grpc", code) for code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")),
    *(("grpc", code) for code in ("NOT_FOUND", "INTERNAL", "UNAUTHENTICATED")),
    *(("grpc", code) for code in ("PERMISSION_DENIED", "DEADLINE_EXCEEDED")),
    *(("http", code) for code in (400, 401, 403, 404, 500, 504)),
]
MAY_HELP = [
    *(("grpc", code) for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")),
    *(("http", code) for code in (429, 502, 503)),
]


@pytest.mark.parametrize(
    ("server", "status"), NO_HELP, indirect=["server"], ids=str
)
def test_what_asking_again_cannot_help_is_asked_once(server, status):
    server.before = lambda number: status
    with (
        Client(
            f"{server.scheme}://127.0.0.1:{server.port}",
            model_name="m",
            timeout=5,
        ) as client,
        pytest.raises(ServingError, match="as told|no answer within"),
    ):
        client.predict(["a"])
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("server", "status"), MAY_HELP, indirect=["server"], ids=str
)
def test_what_is_temporary_is_asked_until_it_is_over(server, status):
    server.before = lambda number: status if number < 3 else None
    with Client(
        f"{server.scheme}://127.0.0.1:{server.port}", model_name="m"
    ) as client:
        assert client.predict(["a"])[0].label == "pos"
    assert server.asked == [[b"a"]] * 3
