"""`serve` and `Server`: start, ports, stop."""

import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest
import requests

from kerassent.errors import ServingError
from kerassent.server import serve
from kerassent.server.listening import listen


def test_names_default_to_the_base_path(server):
    assert server.model_name == "zoo"
    assert server.version == 12
    assert server.grpc_url.startswith("grpc://127.0.0.1:")
    assert server.rest_url.startswith("http://127.0.0.1:")


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return port


def test_stop_closes_both_ports_and_wait_returns(model_base_path):
    server = serve(
        str(model_base_path), model_name="other", port=0, rest_api_port=0
    )
    assert server.model_name == "other"
    status = requests.get(f"{server.rest_url}/v1/models/other", timeout=30)
    assert status.status_code == 200
    assert server.wait(0.01) is False
    waiting = threading.Thread(target=server.wait)
    waiting.start()
    server.stop()
    server.stop()
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert server.wait() is True
    for url in (server.grpc_url, server.rest_url):
        host, port = url.split("://")[1].split(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5).close()


def test_stopped_port_can_be_taken_again(model_base_path, free_port):
    for _ in range(2):
        with serve(
            model_base_path, port=free_port, rest_api_port=None
        ) as again:
            assert again.grpc_url == f"grpc://127.0.0.1:{free_port}"
            assert again.rest_url == ""


def wait_for_ever(stub, **kwargs):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    request.model_spec.signature_name = "wait_for_ever"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    return stub.Predict.future(request, **kwargs)


def post_wait_for_ever(server, posted):
    """Starts a thread that appends the answer to `posted`."""
    body = '{"signature_name": "wait_for_ever", "instances": [1]}'
    url = f"{server.rest_url}/v1/models/zoo:predict"
    posting = threading.Thread(
        target=lambda: posted.append(requests.post(url, body, timeout=30))
    )
    posting.start()
    return posting


@pytest.fixture
def own_server(model_base_path):
    with serve(model_base_path, port=0, rest_api_port=0) as server:
        yield server


@pytest.fixture
def stub(own_server):
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    address = own_server.grpc_url.removeprefix("grpc://")
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def test_request_under_way_is_answered_before_the_stop(model_base_path):
    server = serve(
        model_base_path, port=0, rest_api_port=0, rest_api_timeout_ms=600
    )
    posted = []
    posting = post_wait_for_ever(server, posted)
    time.sleep(0.2)
    server.stop()
    posting.join(timeout=10)
    assert posted[0].status_code == 504


def test_stop_cancels_what_never_ends(own_server, stub):
    call = wait_for_ever(stub)
    posted = []
    posting = post_wait_for_ever(own_server, posted)
    time.sleep(0.3)
    start = time.monotonic()
    own_server.stop(grace=0.2)
    assert time.monotonic() - start < 4
    assert call.code() in (
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNAVAILABLE,
    )
    posting.join(timeout=10)
    assert posted[0].status_code == 499


@pytest.mark.parametrize("host", ["::1", "localhost", "0.0.0.0"])  # noqa: S104
def test_other_hosts_can_be_bound(model_base_path, host):
    try:
        listen(host, 0, "port").close()
    except ServingError:
        pytest.skip(f"no {host} here")
    with serve(model_base_path, host=host, port=0, rest_api_port=0) as server:
        url = f"{server.rest_url}/v1/models/zoo"
        assert requests.get(url, timeout=30).status_code == 200
        address = server.grpc_url.removeprefix("grpc://")
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)


@pytest.mark.parametrize("argument", ["port", "rest_api_port"])
def test_port_in_use_is_named(model_base_path, taken_port, argument):
    ports = {"port": 0, "rest_api_port": 0, argument: taken_port}
    message = (
        f"Port {taken_port} on 127.0.0.1 is in use. Stop the server that "
        f"listens there, or pass another `{argument}`"
    )
    with pytest.raises(ServingError, match=message):
        serve(model_base_path, **ports)


def test_same_port_twice_is_refused(model_base_path):
    with pytest.raises(ValueError, match="are both 8500"):
        serve(model_base_path, port=8500, rest_api_port=8500)


def test_port_out_of_range_is_refused(model_base_path):
    with pytest.raises(ValueError, match="`rest_api_port` is 70000"):
        serve(model_base_path, port=0, rest_api_port=70000)


def test_host_of_another_machine_is_refused(model_base_path):
    with pytest.raises(ServingError, match="`port` 0 on '192.0.2.1' cannot"):
        serve(model_base_path, host="192.0.2.1", port=0, rest_api_port=0)
    with pytest.raises(ServingError, match="`host` is 'no host', which is no"):
        serve(model_base_path, host="no host", port=0, rest_api_port=0)


def test_path_without_a_model_is_refused(tmp_path):
    with pytest.raises(ServingError, match="There is no directory"):
        serve(tmp_path / "nope", port=0, rest_api_port=0)


def test_version_that_is_no_saved_model_is_refused(tmp_path):
    (tmp_path / "5").mkdir()
    with pytest.raises(ServingError, match="Model 'm' cannot be loaded from"):
        serve(tmp_path, model_name="m", port=0, rest_api_port=0)
    (tmp_path / "5" / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(ServingError, match="Model 'm' cannot be loaded from"):
        serve(tmp_path, model_name="m", port=0, rest_api_port=0)


def test_import_is_light(python_path):
    code = (
        "import sys, kerassent.server\n"
        "heavy = 'tensorflow', 'grpc', 'uvicorn', 'starlette', 'numpy'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=python_path,
    )
    assert done.stdout == "[]\n"
