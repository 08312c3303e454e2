"""The gRPC services over a real channel: what is answered, word for word."""

import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def model_service(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def make_request(signature_name="", *, output_filter=(), **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "zoo"
    request.model_spec.signature_name = signature_name
    request.output_filter.extend(output_filter)
    for alias, value in inputs.items():
        if not isinstance(value, TensorProto):
            value = tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(value)
    return request


def refusal(call, request, **kwargs):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30, **kwargs)
    return caught.value.code(), caught.value.details()


INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


# --- Predict


def test_predict_answers_with_typed_fields_and_the_resolved_spec(prediction):
    response = prediction.Predict(make_request(text=["bad", "wonderful"]))
    assert response.model_spec.name == "zoo"
    assert response.model_spec.version.value == 12
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {
        "label",
        "score",
        "probabilities",
        "class_names",
    }
    assert list(response.outputs["label"].string_val) == [b"neg", b"pos"]
    probabilities = response.outputs["probabilities"]
    assert probabilities.dtype == tf.float32.as_datatype_enum
    assert [d.size for d in probabilities.tensor_shape.dim] == [2, 2]
    assert list(probabilities.float_val) == [0.625, 0.375, 0.25, 0.75]
    assert not any(t.tensor_content for t in response.outputs.values())


def test_any_bytes_go_through(prediction):
    texts = [b"", b"\xff\xfe", b"a\0b\0", b"x" * 100_000]
    response = prediction.Predict(make_request("echo", text=texts))
    assert list(response.outputs["text"].string_val) == texts


def test_every_number_type_goes_through(prediction):
    values = {
        name: np.array([1, 0, 3]).astype(name)
        for name in (
            "float32 float64 int8 int16 int32 int64 uint8 uint32 uint64 bool"
        ).split()
    }
    response = prediction.Predict(make_request("numbers", **values))
    for name, value in values.items():
        answer = tf.make_ndarray(response.outputs[name])
        assert answer.dtype == name
        np.testing.assert_array_equal(answer, value)


def test_half_goes_through(prediction):
    request = make_request("half_in", h=np.float16([0.5, 1.5]))
    answer = prediction.Predict(request).outputs["y"]
    assert list(answer.float_val) == [0.5, 1.5]
    request = make_request("half_out", x=np.float32([0.5, -1.5]))
    answer = prediction.Predict(request).outputs["y"]
    assert list(tf.make_ndarray(answer)) == [0.5, -1.5]


def test_scalars_and_empty_batches_keep_their_shape(prediction):
    request = make_request("scalar_out", x=np.float32([1, 2]))
    answer = prediction.Predict(request).outputs["y"]
    assert answer.HasField("tensor_shape")
    assert not answer.tensor_shape.dim
    assert list(answer.float_val) == [3.0]
    empty = TensorProto(dtype=tf.string.as_datatype_enum)
    empty.tensor_shape.dim.add(size=0)
    answer = prediction.Predict(make_request(text=empty)).outputs
    assert [d.size for d in answer["probabilities"].tensor_shape.dim] == [0, 2]


def test_version_may_be_pinned(prediction):
    request = make_request(text=["bad"])
    request.model_spec.version.value = 12
    assert prediction.Predict(request).model_spec.version.value == 12


@pytest.mark.parametrize(
    "filtered", [["score"], ["label", "score"], ["score", "label"]]
)
def test_output_filter_chooses(prediction, filtered):
    request = make_request(text=["bad"], output_filter=filtered)
    assert set(prediction.Predict(request).outputs) == set(filtered)


def test_calls_run_side_by_side(prediction):
    requests = [make_request("half_plus_two", x=[float(i)]) for i in range(64)]
    futures = [prediction.Predict.future(request) for request in requests]
    answers = [f.result(timeout=30).outputs["y"].float_val[0] for f in futures]
    assert answers == [0.5 * i + 2 for i in range(64)]


def spec(**fields):
    request = make_request(text=["a"])
    request.model_spec.Clear()
    for name, value in fields.items():
        if name == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, name, value)
    return request


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        pytest.param(
            predict_pb2.PredictRequest(),
            INVALID,
            "Missing ModelSpec",
            id="no model_spec",
        ),
        pytest.param(
            spec(signature_name="x"),
            INVALID,
            "ModelSpec has no name specified.",
            id="no name",
        ),
        pytest.param(
            spec(name="other"),
            NOT_FOUND,
            "Servable not found for request: Latest(other)",
            id="unknown model",
        ),
        pytest.param(
            spec(name="zoo", version=5),
            NOT_FOUND,
            "Servable not found for request: Specific(zoo, 5)",
            id="unknown version",
        ),
        pytest.param(
            spec(name="zoo", version_label="stable"),
            INVALID,
            "Unrecognized servable version label: stable",
            id="unknown label",
        ),
        pytest.param(
            make_request("nope", text=["a"]),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nope" not found.',
            id="unknown signature",
        ),
        pytest.param(
            make_request(),
            INVALID,
            "input size does not match signature: 0!=1 len({}) != "
            "len({text}). Sent extra: {}. Missing but required: {text}.",
            id="no inputs",
        ),
        pytest.param(
            make_request(b=["a"], a=["a"]),
            INVALID,
            "input size does not match signature: 2!=1 len({a,b}) != "
            "len({text}). Sent extra: {a,b}. Missing but required: {text}.",
            id="too many inputs",
        ),
        pytest.param(
            make_request("add", a=[1.0]),
            INVALID,
            "input size does not match signature: 1!=2 len({a}) != "
            "len({a,b}). Sent extra: {}. Missing but required: {b}.",
            id="too few inputs",
        ),
        pytest.param(
            make_request(txt=["a"]),
            INVALID,
            "Signature input alias: text(feed name: serving_default_text:0) "
            "not found in request and no default value provided. Inputs "
            "expected to be in the request {txt}, or default input alias "
            "set: ",
            id="wrong alias",
        ),
        pytest.param(
            make_request(text=[1.5]),
            INVALID,
            "Expects arg[0] to be string but float is provided",
            id="wrong dtype",
        ),
        pytest.param(
            make_request(text=["a"], output_filter=["z"]),
            INVALID,
            "output tensor alias not found in signature: z Outputs expected "
            "to be in the set {class_names,label,probabilities,score}.",
            id="unknown output",
        ),
        pytest.param(
            make_request(text=["a"], output_filter=["label", "label"]),
            INVALID,
            "duplicate output tensor alias: label",
            id="repeated output",
        ),
        pytest.param(
            make_request(text=TensorProto()),
            INVALID,
            "tensor parsing error: text",
            id="no tensor",
        ),
    ],
)
def test_predict_is_refused(prediction, request_, code, details):
    assert refusal(prediction.Predict, request_) == (code, details)


def test_predict_runs_signatures_of_examples_too(prediction):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(0.25)
    inputs = [example.SerializeToString()] * 2
    outputs = prediction.Predict(make_request("regress", inputs=inputs)).outputs
    assert list(outputs["outputs"].float_val) == [0.5, 0.5]
    outputs = prediction.Predict(
        make_request("classify", inputs=inputs)
    ).outputs
    assert list(outputs["scores"].float_val) == [0.75, 0.25] * 2
    assert list(outputs["classes"].string_val) == [b"neg", b"pos"] * 2


def test_graph_refuses_in_its_own_words(prediction):
    code, details = refusal(
        prediction.Predict, make_request("add", a=[1.0, 2.0], b=[1.0] * 3)
    )
    assert code == INVALID
    assert "Incompatible shapes: [2] vs. [3]" in details


def test_long_message_is_cut(prediction):
    code, details = refusal(
        prediction.Predict, make_request("long_error", x=[1.0])
    )
    assert code == INVALID
    assert details.endswith("eee...TRUNCATED")
    assert len(details) == 1024 + len("...TRUNCATED")


def test_deadline_ends_the_run(prediction):
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(make_request("wait_for_ever", x=[1.0]), timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.25 < time.monotonic() - start < 5


def test_message_beyond_grpcs_default_limit_is_read(prediction):
    texts = [b"x" * 2**20] * 6
    response = prediction.Predict(
        make_request("serving_default", text=texts), timeout=30
    )
    assert list(response.outputs["label"].string_val) == [b"pos"] * 6


# --- Metadata, status, health


def test_metadata_has_every_signature(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        metadata_field=["signature_def"]
    )
    request.model_spec.name = "zoo"
    response = prediction.GetModelMetadata(request)
    assert response.model_spec.name == "zoo"
    assert response.model_spec.version.value == 12
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert default.inputs["text"].name == "serving_default_text:0"
    assert "__saved_model_init_op" in signatures.signature_def


@pytest.mark.parametrize(
    ("name", "fields", "code", "details"),
    [
        pytest.param(
            None,
            ["signature_def"],
            INVALID,
            "Missing ModelSpec",
            id="no model_spec",
        ),
        pytest.param(
            "",
            ["signature_def"],
            INVALID,
            "ModelSpec has no name specified.",
            id="no name",
        ),
        pytest.param(
            "zoo",
            [],
            INVALID,
            "GetModelMetadataRequest must specify at least one metadata_field",
            id="no field",
        ),
        pytest.param(
            "zoo",
            ["signature_def", "x"],
            INVALID,
            "Metadata field x is not supported",
            id="unknown field",
        ),
        pytest.param(
            "other",
            ["signature_def"],
            NOT_FOUND,
            "Servable not found for request: Latest(other)",
            id="unknown model",
        ),
    ],
)
def test_metadata_is_refused(prediction, name, fields, code, details):
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        metadata_field=fields
    )
    if name is not None:
        request.model_spec.SetInParent()
        request.model_spec.name = name
    assert refusal(prediction.GetModelMetadata, request) == (code, details)


@pytest.mark.parametrize(
    "choice", [{}, {"version_label": "ignored"}, {"version": {"value": 12}}]
)
def test_status_lists_the_version(model_service, choice):
    request = get_model_status_pb2.GetModelStatusRequest(
        model_spec={"name": "zoo", **choice}
    )
    (status,) = model_service.GetModelStatus(request).model_version_status
    assert status.version == 12
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert status.status.error_code == 0


@pytest.mark.parametrize(
    ("name", "version", "code", "details"),
    [
        pytest.param(
            None, None, INVALID, "Missing ModelSpec", id="no model_spec"
        ),
        pytest.param(
            "",
            None,
            INVALID,
            "ModelSpec has no name specified.",
            id="no name",
        ),
        pytest.param(
            "other",
            None,
            NOT_FOUND,
            "Could not find any versions of model other",
            id="unknown model",
        ),
        pytest.param(
            "zoo",
            5,
            NOT_FOUND,
            "Could not find version 5 of model zoo",
            id="unknown version",
        ),
    ],
)
def test_status_is_refused(model_service, name, version, code, details):
    request = get_model_status_pb2.GetModelStatusRequest()
    if name is not None:
        request.model_spec.SetInParent()
        request.model_spec.name = name
    if version:
        request.model_spec.version.value = version
    assert refusal(model_service.GetModelStatus, request) == (code, details)


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_health_is_serving(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert stub.Check(request).status == 1


def test_health_of_another_service_is_not_found(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="other")
    assert refusal(stub.Check, request)[0] == NOT_FOUND
