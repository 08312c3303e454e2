import threading
import time

import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
)

from kerassent.client import Client
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ServerUnavailable,
)

LOADING, AVAILABLE, END = 20, 30, 50


def status_of(state, message=""):
    response = get_model_status_pb2.GetModelStatusResponse()
    entry = response.model_version_status.add(version=2, state=state)
    if message:
        entry.status.error_code = 2
        entry.status.error_message = message
    return response


def test_wait_ends_when_a_version_is_available(grpc_server):
    states = iter([LOADING, LOADING, AVAILABLE])
    port = grpc_server(status=lambda *_: status_of(next(states)))
    with Client(f"grpc://127.0.0.1:{port}", model_name="m") as client:
        client.wait_until_ready(timeout=10)
    assert next(states, None) is None


def test_wait_sees_a_server_that_comes_up_late(closed_port, http_server):
    port = closed_port
    body = b'{"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}'
    timer = threading.Timer(0.5, lambda: http_server(200, body, port=port))
    with Client(f"http://127.0.0.1:{port}", model_name="m") as client:
        timer.start()
        client.wait_until_ready(timeout=20)
    timer.join()


def test_wait_that_is_too_short_says_what_state_it_saw(grpc_server):
    port = grpc_server(status=lambda *_: status_of(END, "no weights"))
    with (
        Client(f"grpc://127.0.0.1:{port}", model_name="m") as client,
        pytest.raises(
            DeadlineExceeded,
            match="'m' at .* was not AVAILABLE within 0.3 seconds: "
            r"version 2 is END \(UNKNOWN: no weights\)\. Wait longer",
        ) as caught,
    ):
        client.wait_until_ready(timeout=0.3)
    assert caught.value.model_name == "m"


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_wait_ends_with_the_last_error(scheme, closed_port):
    url = f"{scheme}://127.0.0.1:{closed_port}"
    with Client(url, model_name="m") as client:
        start = time.monotonic()
        with pytest.raises(ServerUnavailable, match="Nothing answers at"):
            client.wait_until_ready(timeout=0.5)
        assert 0.2 < time.monotonic() - start < 3


def test_wait_for_a_label_ends_when_the_label_is_there(grpc_server):
    calls = []

    def metadata(request, context):
        import grpc

        calls.append(request.model_spec.version_label)
        if len(calls) < 2:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such label")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].SetInParent()
        return response

    port = grpc_server(
        status=lambda *_: status_of(AVAILABLE), metadata=metadata
    )
    with Client(
        f"grpc://127.0.0.1:{port}", model_name="m", version_label="best"
    ) as client:
        with pytest.raises(InvalidRequest, match="no such label"):
            client.wait_until_ready(timeout=0)
        client.wait_until_ready(timeout=10)
    assert calls == ["best", "best"]


def test_wait_of_less_than_nothing_is_refused():
    with (
        Client("http://localhost", model_name="m") as client,
        pytest.raises(ValueError, match="0 or more seconds. Received: -1"),
    ):
        client.wait_until_ready(timeout=-1)


def test_wait_of_something_else_is_refused():
    with (
        Client("http://localhost", model_name="m") as client,
        pytest.raises(TypeError, match="number of seconds. Received: '5' of"),
    ):
        client.wait_until_ready(timeout="5")
