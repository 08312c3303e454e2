import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerassent.client import Client, ModelVersionStatus
from kerassent.errors import (
    InvalidRequest,
    ModelNotFound,
    ServerUnavailable,
    ServingError,
)
from kerassent.server import serve

NASTY = ["", "a\x00b", "\x00", "😀 é", "\ud800", "\udc80x", b"\xff\xfe", b"ok"]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=())), st.binary(max_size=40)
)
AVAILABLE = ModelVersionStatus(3, "AVAILABLE", "OK", "")


def test_predictions_are_the_models_own_for_any_text(url, expected_predictions):
    with Client(url, model_name="sentiment") as client:
        assert client.predict(NASTY) == expected_predictions(NASTY)


def test_both_protocols_agree_on_any_text(served, expected_predictions):
    with (
        Client(served.grpc_url, model_name="sentiment") as over_grpc,
        Client(served.rest_url, model_name="sentiment") as over_rest,
    ):

        @settings(max_examples=25, deadline=None)
        @given(st.lists(TEXT, min_size=1, max_size=5))
        def check(texts):
            expected = expected_predictions(texts)
            assert over_grpc.predict(texts) == expected
            assert over_rest.predict(texts) == expected

        check()


def test_more_texts_than_a_request_takes_keep_their_order(
    url, hashing, expected_predictions
):
    texts = [str(number) for number in range(1030)]
    with Client(url, model_name="sentiment") as client:
        assert client.predict(texts) == expected_predictions(texts)
        probabilities = client.predict_proba(texts)
    assert probabilities.shape == (1030, 2)
    np.testing.assert_array_equal(
        probabilities, hashing.serve(tf.constant(texts))["probabilities"]
    )


def test_probabilities_are_float32_in_the_order_of_class_names(
    url, expected_predictions
):
    with Client(url, model_name="sentiment") as client:
        assert client.class_names == ("neg", "pös")
        probabilities = client.predict_proba(["good", "bad"])
    assert probabilities.dtype == np.float32
    expected = expected_predictions(["good", "bad"])
    assert probabilities.tolist() == [
        [row.probabilities["neg"], row.probabilities["pös"]] for row in expected
    ]


def test_probabilities_of_no_texts_keep_the_number_of_classes(url):
    with Client(url, model_name="sentiment") as client:
        assert client.predict_proba([]).shape == (0, 2)
        assert client.predict_proba([]).dtype == np.float32


def test_no_texts_make_no_request(closed_port):
    with Client(f"http://127.0.0.1:{closed_port}", model_name="m") as client:
        assert client.predict([]) == []


def test_one_text_is_refused_before_any_request(closed_port):
    with Client(f"http://127.0.0.1:{closed_port}", model_name="m") as client:
        with pytest.raises(TypeError, match=r"Pass `\['good'\]`\?"):
            client.predict("good")
        with pytest.raises(TypeError, match=r"Pass `\['good'\]`\?"):
            client.predict_proba("good")


def test_status_names_version_and_state(url):
    with Client(url, model_name="sentiment") as client:
        assert client.status() == [AVAILABLE]
    with Client(url, model_name="sentiment", version=3) as client:
        assert client.status() == [AVAILABLE]


def test_metadata_is_the_same_over_both_protocols(served):
    with Client(served.grpc_url, model_name="sentiment") as client:
        over_grpc = client.metadata()
    with Client(served.rest_url, model_name="sentiment") as client:
        assert client.metadata() == over_grpc
    assert over_grpc["model_spec"]["name"] == "sentiment"
    assert over_grpc["model_spec"]["version"] == "3"
    signatures = over_grpc["metadata"]["signature_def"]["signature_def"]
    text = signatures["serving_default"]["inputs"]["text"]
    assert text["dtype"] == "DT_STRING"
    assert text["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


def test_version_is_asked_for(url, expected_predictions):
    with Client(url, model_name="sentiment", version=3) as client:
        assert client.predict(["a"]) == expected_predictions(["a"])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda client: client.predict(["a"]), r"Specific\(sentiment, 7\)"),
        (Client.metadata, r"Specific\(sentiment, 7\)"),
        (Client.status, "Could not find version 7 of model sentiment"),
    ],
)
def test_missing_version_is_named_with_what_to_do(url, ask, said):
    with Client(url, model_name="sentiment", version=7) as client:
        with pytest.raises(
            ModelNotFound,
            match=rf"the model 'sentiment', version 7, .*{said}.*"
            r"`Client.status\(\)`, without `version`",
        ) as caught:
            ask(client)
    assert caught.value.model_name == "sentiment"
    assert caught.value.url == url


def test_missing_model_is_named_with_what_to_do(url):
    with Client(url, model_name="sentimental") as client:
        with pytest.raises(
            ModelNotFound,
            match=r"'sentimental', .*Latest\(sentimental\).*`--model-name`",
        ):
            client.predict(["a"])
        with pytest.raises(ModelNotFound, match="'sentimental', "):
            client.status()


def test_unknown_label_is_an_invalid_request(url):
    with (
        Client(url, model_name="sentiment", version_label="best") as client,
        pytest.raises(ServingError, match="label 'best', .*answered") as caught,
    ):
        client.predict(["a"])
    assert isinstance(caught.value, InvalidRequest)


def test_many_threads_may_share_a_client(url, expected_predictions):
    texts = [[f"{row} {column}" for column in range(3)] for row in range(40)]
    with (
        Client(url, model_name="sentiment") as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(client.predict, texts))
    assert answers == [expected_predictions(row) for row in texts]


def test_server_that_comes_back_is_found_again(base_path):
    with serve(base_path, port=0, rest_api_port=0) as server:
        clients = [
            Client(url, model_name="sentiment", retry=False)
            for url in (server.grpc_url, server.rest_url)
        ]
        before = [client.predict(["a"]) for client in clients]
    for client in clients:
        with pytest.raises(ServerUnavailable, match="Nothing answers|lost"):
            client.predict(["a"])
    ports = [int(client.url.rpartition(":")[2]) for client in clients]
    with serve(base_path, port=ports[0], rest_api_port=ports[1]):
        for client in clients:
            client.wait_until_ready(timeout=10)
        assert [client.predict(["a"]) for client in clients] == before
        for client in clients:
            client.close()


def test_ready_server_is_not_waited_for(url):
    with Client(url, model_name="sentiment") as client:
        client.wait_until_ready(timeout=0)


def test_closed_client_says_so(url):
    client = Client(url, model_name="sentiment")
    client.close()
    client.close()
    for request in (client.status, client.metadata, client.wait_until_ready):
        with pytest.raises(RuntimeError, match="is closed. Make a new one"):
            request()
    with pytest.raises(RuntimeError, match="is closed. Make a new one"):
        client.predict(["a"])


def test_repr_shows_what_is_asked_and_no_secret():
    client = Client(
        "http://localhost/",
        model_name="m",
        version=2,
        headers={"Authorization": "secret"},
    )
    expected = "Client('http://localhost:8501', model_name='m', version=2)"
    assert repr(client) == expected
    assert (client.url, client.model_name) == ("http://localhost:8501", "m")
    labelled = Client("http://h", model_name="m", version_label="best")
    assert "version_label='best'" in repr(labelled)


def test_rest_request_is_rows_with_base64_only_where_needed(http_server):
    row = {
        "label": "pos",
        "score": 0.75,
        "probabilities": [0.25, 0.75],
        "class_names": ["neg", "pos"],
    }
    server = http_server(200, json.dumps({"predictions": [row, row]}).encode())
    with Client(
        f"http://127.0.0.1:{server.port}/prefix/",
        model_name="a/b",
        version=4,
        headers={"Authorization": "Bearer t"},
    ) as client:
        client.predict(["é\x00", b"\xff"])
    (request,) = server.requests
    assert request.path == "/prefix/v1/models/a%2Fb/versions/4:predict"
    assert request.headers["Authorization"] == "Bearer t"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {
        "signature_name": "serving_default",
        "instances": [{"text": "é\x00"}, {"text": {"b64": "/w=="}}],
    }


def test_netrc_does_not_replace_the_callers_authorization(
    http_server, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = http_server(200, b'{"model_version_status": []}')
    with Client(
        f"http://127.0.0.1:{server.port}",
        model_name="m",
        headers={"Authorization": "Bearer t"},
    ) as client:
        assert client.status() == []
    assert server.requests[0].headers["Authorization"] == "Bearer t"


def test_grpc_request_carries_lower_case_metadata(grpc_server):
    received = {}

    def status(request, context):
        from tensorflow_serving.apis import get_model_status_pb2

        received.update(context.invocation_metadata())
        received["label"] = request.model_spec.version_label
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=1, state=30)
        return response

    with Client(
        f"grpc://127.0.0.1:{grpc_server(status=status)}",
        model_name="m",
        version_label="best",
        headers={"Authorization": "Bearer t"},
    ) as client:
        statuses = client.status()
    assert received["authorization"] == "Bearer t"
    assert received["label"] == "best"
    assert statuses == [ModelVersionStatus(1, "AVAILABLE", "OK", "")]


def test_url_with_the_wrong_port_is_explained(served):
    over_http = served.grpc_url.replace("grpc://", "http://")
    with (
        Client(over_http, model_name="m") as client,
        pytest.raises(ServingError, match="does not speak HTTP.*`grpc://"),
    ):
        client.predict(["a"])
    over_grpc = served.rest_url.replace("http://", "grpc://")
    with (
        Client(over_grpc, model_name="m") as client,
        pytest.raises(ServingError, match="does not speak gRPC.*`http://"),
    ):
        client.predict(["a"])
