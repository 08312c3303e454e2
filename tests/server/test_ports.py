"""How ports are opened: TLS, a unix socket, services, CORS, metrics."""

import shutil
import subprocess
import time

import grpc
import pytest
import requests
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from starlette.responses import Response
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kerassent.client import Client
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.grpc_server import GrpcOptions, TlsOptions
from kerassent.server.model_config import ModelConfig, VersionPolicy
from kerassent.server.rest import PROMETHEUS_PATH, RestOptions
from kerassent.server.servable import ServableOptions


def predict(channel, **kwargs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["bad"]))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = stub.Predict(request, timeout=10, **kwargs)
    return answer.outputs["label"].string_val[0]


def address(server):
    return server.grpc_url.removeprefix("grpc://")


# --- TLS


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Contents of PEM files: an authority, a server's and a client's pair."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("pem")

    def openssl(*arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True
        )

    openssl(
        *"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority "
        "-keyout ca.key -out ca.crt".split()
    )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(
            *f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key "
            f"-out {name}.csr".split()
        )
        openssl(
            *f"x509 -req -days 2 -in {name}.csr -CA ca.crt -CAkey ca.key "
            f"-CAcreateserial -extfile names -out {name}.crt".split()
        )
    return {file.name: file.read_text() for file in folder.iterdir()}


def secure_channel(server, pem, *, client=False):
    credentials = grpc.ssl_channel_credentials(
        pem["ca.crt"].encode(),
        pem["client.key"].encode() if client else None,
        pem["client.crt"].encode() if client else None,
    )
    return grpc.secure_channel(address(server), credentials)


def test_tls(start_server, pem):
    tls = TlsOptions(pem["server.key"], pem["server.crt"])
    server = start_server(grpc=GrpcOptions(tls=tls))
    with secure_channel(server, pem) as channel:
        assert predict(channel) == b"neg"
    with (
        grpc.insecure_channel(address(server)) as channel,
        pytest.raises(grpc.RpcError),
    ):
        predict(channel)
    # As in TensorFlow Serving, REST has none.
    assert requests.get(f"{server.rest_url}/v1/models/zoo", timeout=10).ok


def test_mutual_tls(start_server, pem):
    tls = TlsOptions(
        pem["server.key"],
        pem["server.crt"],
        custom_ca=pem["ca.crt"],
        client_verify=True,
    )
    server = start_server(grpc=GrpcOptions(tls=tls))
    with secure_channel(server, pem, client=True) as channel:
        assert predict(channel) == b"neg"
    with (
        secure_channel(server, pem) as channel,
        pytest.raises(grpc.RpcError),
    ):
        predict(channel)


def test_key_is_not_printed(pem):
    assert "PRIVATE" not in repr(TlsOptions(pem["server.key"], "cert"))


# --- gRPC


def test_unix_socket_is_opened_beside_the_port(start_server, tmp_path):
    path = tmp_path / "socket"
    server = start_server(
        grpc=GrpcOptions(socket_path=str(path)), rest_api_port=None
    )
    for target in (f"unix:{path}", address(server)):
        with grpc.insecure_channel(target) as channel:
            assert predict(channel) == b"neg"
    server.stop()
    assert not path.exists()


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b", "a b", "é"])
def test_unix_socket_may_have_any_name(start_server, tmp_path, name):
    path = tmp_path / name
    start_server(grpc=GrpcOptions(socket_path=str(path)), rest_api_port=None)
    assert path.is_socket()
    assert list(tmp_path.iterdir()) == [path]
    with Client(f"unix://{path}", model_name="zoo") as client:
        assert client.status()


def test_channel_arguments_reach_grpc(start_server):
    arguments = (("grpc.max_receive_message_length", 100),)
    server = start_server(grpc=GrpcOptions(channel_arguments=arguments))
    with grpc.insecure_channel(address(server)) as channel:
        assert predict(channel) == b"neg"
        with pytest.raises(grpc.RpcError, match="larger than max"):
            predict_of_a_long_name(channel)


def predict_of_a_long_name(channel):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo" * 100
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    stub.Predict(request, timeout=10)


def test_health_is_answered_only_if_wanted(start_server):
    server = start_server(grpc=GrpcOptions(health=False), rest_api_port=None)
    with grpc.insecure_channel(address(server)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_services_are_listed(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
    names = [s.name for s in answer.list_services_response.service]
    assert set(names) == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    }


# --- Status of several versions


def test_status_lists_all_versions_newest_first(start_server, model_base_path):
    every = ModelConfig("zoo", str(model_base_path), VersionPolicy("all"))
    server = start_server(configs=[every])
    url = f"{server.rest_url}/v1/models/zoo"
    deadline = time.monotonic() + 20
    while True:  # 3 is an empty directory: it fails at once.
        status = requests.get(url, timeout=10).json()["model_version_status"]
        if status[-1]["state"] == "END":
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [(s["version"], s["state"]) for s in status] == [
        ("12", "AVAILABLE"),
        ("3", "END"),
    ]
    assert status[1]["status"]["error_code"] == "NOT_FOUND"
    assert status[1]["status"]["error_message"].startswith(
        "Specified file path does not appear to contain a SavedModel bundle "
        "(should have a file called `saved_model.pb`)"
    )
    with grpc.insecure_channel(address(server)) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "zoo"
        answer = stub.GetModelStatus(request, timeout=10).model_version_status
        assert [(s.version, s.state) for s in answer] == [(12, 30), (3, 50)]
        assert answer[1].status.error_code == 5
    only = requests.get(f"{url}/versions/3", timeout=10).json()
    assert only == {"model_version_status": status[1:]}


# --- HandleReloadConfigRequest


def reload_config(stub, *models, **kwargs):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, base_path in models:
        request.config.model_config_list.config.add(
            name=name, base_path=str(base_path), model_platform="tensorflow"
        )
    return stub.HandleReloadConfigRequest(request, timeout=30, **kwargs)


def test_models_are_replaced_by_a_reload(start_server, model_base_path):
    server = start_server()
    with grpc.insecure_channel(address(server)) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        answer = reload_config(stub, ("other", model_base_path))
        assert answer.HasField("status")
        assert answer.status.error_code == 0
        with pytest.raises(grpc.RpcError, match=r"Latest\(zoo\)"):
            predict(channel)
        status = requests.get(f"{server.rest_url}/v1/models/other", timeout=10)
        assert status.json()["model_version_status"][0]["state"] == "AVAILABLE"


@pytest.mark.parametrize(
    ("models", "details"),
    [
        (
            [("m", "/a"), ("m", "/b")],
            "Illegal to list model m multiple times in config list",
        ),
        (
            [("m", "a")],
            "Expected model m to have an absolute path or URI; got "
            "base_path()=a",
        ),
    ],
)
def test_reload_is_refused(channel, models, details):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        reload_config(stub, *models)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == details
    assert predict(channel) == b"neg"


def test_reload_takes_a_list_only(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.HandleReloadConfigRequest(
            model_management_pb2.ReloadConfigRequest(), timeout=10
        )
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Only ModelConfigList is currently supported" in (
        caught.value.details()
    )


def test_reload_that_waits_ends_with_its_deadline(
    start_server, model_base_path, tmp_path
):
    server = start_server(rest_api_port=None)
    with grpc.insecure_channel(address(server)) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = model_management_pb2.ReloadConfigRequest()
        for name, path in (("zoo", model_base_path), ("none", tmp_path)):
            request.config.model_config_list.config.add(
                name=name, base_path=str(path), model_platform="tensorflow"
            )
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(request, timeout=0.5)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert predict(channel) == b"neg"
        # The next one does not wait for the one before.
        del request.config.model_config_list.config[1]
        stub.HandleReloadConfigRequest(request, timeout=20)


# --- HTTP


def test_no_cors_without_the_flag(session, url):
    response = session.get(url, timeout=10)
    assert not [h for h in response.headers if "Access-Control" in h]


def test_cors(start_server, session):
    server = start_server(rest=RestOptions(cors=True))
    url = f"{server.rest_url}/v1/models/zoo"
    for response in (
        session.get(url, timeout=10),
        session.get(url + "x", timeout=10),
        session.options(url, headers={"Origin": "https://a.b"}, timeout=10),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == "POST, GET"
        assert response.headers["Access-Control-Allow-Headers"] == (
            "Content-Type"
        )


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://a", 200), ("https://a", 200), ("a", 400), (None, 400)],
)
def test_options_needs_an_origin(session, url, origin, status):
    response = session.options(url, headers={"Origin": origin}, timeout=10)
    assert (response.status_code, response.content) == (status, b"")


def test_no_metrics_without_the_flag(session, server):
    response = session.get(server.rest_url + PROMETHEUS_PATH, timeout=10)
    assert response.status_code == 404


def test_metrics_count_requests_of_both_protocols(start_server, session):
    server = start_server(rest=RestOptions(prometheus_path=PROMETHEUS_PATH))
    url = f"{server.rest_url}/v1/models/zoo:predict"
    for body in ('{"instances": ["a"]}', '{"instances": ["b"]}', "x"):
        session.post(url, body, timeout=10)
    with grpc.insecure_channel(address(server)) as channel:
        predict(channel)
    page = session.get(server.rest_url + PROMETHEUS_PATH, timeout=10)
    assert page.headers["Content-Type"].startswith("text/plain")
    lines = page.text.splitlines()
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    count = ':tensorflow:serving:request_count{model_name="zoo",status='
    assert f'{count}"OK"}} 3' in lines
    assert f'{count}"INVALID_ARGUMENT"}} 1' in lines
    latency = ":tensorflow:serving:request_latency"
    assert f"# TYPE {latency} histogram" in lines
    for entrypoint, number in (("REST", 2), ("GRPC", 1)):
        labels = f'model_name="zoo",API="Predict",entrypoint="{entrypoint}"'
        assert f"{latency}_count{{{labels}}} {number}" in lines
        assert f'{latency}_bucket{{{labels},le="+Inf"}} {number}' in lines
        assert f'{latency}_bucket{{{labels},le="10"}} 0' in lines
    runtime = 'model_name="zoo",API="Predict",runtime="TF1"'
    assert f":tensorflow:serving:runtime_latency_count{{{runtime}}} 3" in lines


def test_metrics_count_batches(start_server, session):
    parameters = BatchingParameters(max_batch_size=4)
    server = start_server(
        rest=RestOptions(prometheus_path="/metrics"),
        servables=ServableOptions(batching=parameters),
    )
    session.post(
        f"{server.rest_url}/v1/models/zoo:predict",
        '{"instances": ["a", "b", "c"]}',
        timeout=10,
    )
    page = session.get(f"{server.rest_url}/metrics", timeout=10).text
    start = ":tensorflow:serving:batching_session"
    for line in (
        f"{start}:input_batch_size_sum{{}} 3",
        f"{start}:processed_batch_size_sum{{}} 3",
        f'{start}:padding_size_sum{{execution_batch_size="3"}} 0',
        f'{start}:queuing_latency_count{{thread_pool_name=""}} 1',
        f"{start}:wrapped_run_count{{}} 1",
    ):
        assert line in page.splitlines()


def test_label_of_a_metric_is_escaped(start_server, session):
    server = start_server(rest=RestOptions(prometheus_path="/metrics"))
    url = f'{server.rest_url}/v1/models/%22\\%0A"x'
    session.post(f"{url}:predict", '{"instances": [1]}', timeout=10)
    page = session.get(f"{server.rest_url}/metrics", timeout=10).text
    assert (
        ':tensorflow:serving:request_count{model_name="\\"\\\\\\n\\"x",'
        'status="NOT_FOUND"} 1' in page.splitlines()
    )


def test_metrics_take_no_query(start_server, session):
    server = start_server(rest=RestOptions(prometheus_path="/metrics"))
    response = session.get(f"{server.rest_url}/metrics?x=1", timeout=10)
    assert response.status_code == 400
    assert response.text == (
        "Unexpected path: /metrics?x=1. Should be /metrics"
    )


def test_page_is_found_outside_the_api_only(start_server, session):
    def page(request):
        return Response(f"for {request.method}", media_type="text/html")

    server = start_server(
        rest=RestOptions(pages={"/": page, "/v1/models": page, "/a": page})
    )
    for path in ("/", "/a", "/a?query"):
        response = session.get(server.rest_url + path, timeout=10)
        assert (response.status_code, response.text) == (200, "for GET")
        assert response.headers["Content-Type"].startswith("text/html")
    response = session.get(f"{server.rest_url}/v1/models", timeout=10)
    assert response.json() == {"error": "Missing model name in request."}
    for method, path in (("POST", "/"), ("GET", "/b"), ("GET", "/a/b")):
        response = session.request(method, server.rest_url + path, timeout=10)
        assert response.status_code == 404


def test_localhost_is_both_families(start_server):
    server = start_server()
    port = server.rest_url.rsplit(":", 1)[1]
    for host in ("127.0.0.1", "[::1]"):
        try:
            response = requests.get(
                f"http://{host}:{port}/v1/models/zoo", timeout=10
            )
        except requests.ConnectionError:
            assert host == "[::1]"
            pytest.skip("no IPv6 here")
        assert response.ok
