"""Classify, Regress and MultiInference over both protocols."""

import json

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def example(**features):
    made = tf.train.Example()
    for name, value in features.items():
        feature = made.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return made


def examples(*items, context=None):
    made = input_pb2.Input()
    if context is None:
        made.example_list.examples.extend(items)
    else:
        made.example_list_with_context.examples.extend(items)
        made.example_list_with_context.context.CopyFrom(context)
    return made


def request(kind, signature_name, input_, name="zoo"):
    made = kind(input=input_)
    made.model_spec.name = name
    made.model_spec.signature_name = signature_name
    return made


def classification(signature_name, *items, **kwargs):
    return request(
        classification_pb2.ClassificationRequest,
        signature_name,
        examples(*items, **kwargs),
    )


def regression(signature_name, *items, **kwargs):
    return request(
        regression_pb2.RegressionRequest,
        signature_name,
        examples(*items, **kwargs),
    )


def refusal(call, message):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=30)
    return caught.value.code(), caught.value.details()


# --- gRPC


def test_classify_gives_classes_and_scores(stub):
    response = stub.Classify(
        classification("classify", example(x=0.25), example(x=1.0))
    )
    assert response.model_spec.name == "zoo"
    assert response.model_spec.signature_name == "classify"
    assert response.model_spec.version.value == 12
    assert [
        [(item.label, item.score) for item in row.classes]
        for row in response.result.classifications
    ] == [[("neg", 0.75), ("pos", 0.25)], [("neg", 0.0), ("pos", 1.0)]]


def test_classes_without_scores_will_do(stub):
    response = stub.Classify(classification("classes_only", example(x=0.25)))
    (row,) = response.result.classifications
    assert [(item.label, item.score) for item in row.classes] == [
        ("neg", 0.0),
        ("pos", 0.0),
    ]


def test_regress_gives_a_number_each(stub):
    response = stub.Regress(
        regression("regress", example(x=0.25), example(n=3), example())
    )
    assert [item.value for item in response.result.regressions] == [0.5, 6, 0]


def test_context_is_in_every_example(stub):
    response = stub.Regress(
        regression(
            "regress",
            example(x=0.25),
            example(n=3),
            context=example(text=b"ab"),
        )
    )
    assert [item.value for item in response.result.regressions] == [4.5, 10]


def test_context_without_examples_is_empty(stub):
    message = classification("classify", context=example(x=0.5))
    assert refusal(stub.Classify, message) == (INVALID, "Input is empty.")


@pytest.mark.parametrize(
    ("message", "details"),
    [
        pytest.param(
            classification("classify"), "Input is empty.", id="no examples"
        ),
        pytest.param(
            classification("nope", example()),
            "No signature was found with the name: nope",
            id="unknown signature",
        ),
        pytest.param(
            classification("add", example()),
            "Expected one input Tensor.",
            id="several inputs",
        ),
        pytest.param(
            classification("flat_scores", example()),
            "Expected Tensor shape: [batch_size num_classes] but got [1]",
            id="flat scores",
        ),
    ],
)
def test_classify_is_refused(stub, message, details):
    assert refusal(stub.Classify, message) == (INVALID, details)


def test_classify_needs_its_own_input_and_outputs(stub):
    code, details = refusal(
        stub.Classify, classification("half_plus_two", example())
    )
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert details.startswith("No classification inputs found in SignatureDef")
    code, details = refusal(stub.Classify, classification("regress", example()))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert details.startswith(
        "Expected classification signature outputs to contain at least one of "
        '"classes" or "scores". Signature was: '
    )


@pytest.mark.parametrize(
    ("message", "details"),
    [
        pytest.param(
            regression("regress"), "Input is empty.", id="no examples"
        ),
        pytest.param(
            regression("classify", example()),
            "Expected one output Tensor.",
            id="two outputs",
        ),
        pytest.param(
            regression("wide_regress", example()),
            "Expected output Tensor shape to be either [batch_size] or "
            "[batch_size, 1] but got [1,2]",
            id="wide output",
        ),
    ],
)
def test_regress_is_refused(stub, message, details):
    assert refusal(stub.Regress, message) == (INVALID, details)


def test_example_that_is_none_is_refused_by_the_graph(stub):
    message = classification("classify", example(n=1))
    feature = message.input.example_list.examples[0].features.feature["x"]
    feature.bytes_list.value.append(b"no number")
    code, details = refusal(stub.Classify, message)
    assert code == INVALID
    assert "Data types don't match" in details


@pytest.fixture(scope="module")
def graph_base_path(tmp_path_factory):
    """A model of TensorFlow 1, whose signatures share one input."""
    base = tmp_path_factory.mktemp("models") / "graph"
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        serialized = v1.placeholder(tf.string, [None], "examples")
        x = v1.parse_example(
            serialized, {"x": tf.io.FixedLenFeature([], tf.float32, 0.0)}
        )["x"]
        utils = v1.saved_model.signature_def_utils
        builder = v1.saved_model.Builder(str(base / "7"))
        scores = tf.stack([1 - x, x], axis=1)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": utils.regression_signature_def(
                    serialized, x + 1
                ),
                "classes": utils.classification_signature_def(
                    serialized, None, scores
                ),
            },
        )
        builder.save()
    return base


@pytest.fixture(scope="module")
def graph_stub(graph_base_path):
    from kerassent.server import serve

    with (
        serve(graph_base_path, port=0, rest_api_port=None) as server,
        grpc.insecure_channel(
            server.grpc_url.removeprefix("grpc://")
        ) as channel,
    ):
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def tasks(*specs):
    message = inference_pb2.MultiInferenceRequest(
        input=examples(example(x=0.25))
    )
    for name, signature_name, method_name in specs:
        task = message.tasks.add(method_name=method_name)
        task.model_spec.name = name
        task.model_spec.signature_name = signature_name
    return message


def test_multi_inference_answers_all_tasks(graph_stub):
    response = graph_stub.MultiInference(
        tasks(("graph", "", REGRESS), ("graph", "classes", CLASSIFY))
    )
    first, second = response.results
    assert first.model_spec.signature_name == "serving_default"
    assert first.model_spec.version.value == 7
    assert first.regression_result.regressions[0].value == 1.25
    (row,) = second.classification_result.classifications
    assert [item.score for item in row.classes] == [0.75, 0.25]


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        pytest.param(
            tasks(),
            INVALID,
            "Inference request did not specify any tasks.",
            id="no tasks",
        ),
        pytest.param(
            tasks(("graph", "", REGRESS), ("other", "classes", CLASSIFY)),
            INVALID,
            "All ModelSpecs in a MultiInferenceRequest must access the same "
            "model name.",
            id="two models",
        ),
        pytest.param(
            tasks(("graph", "", REGRESS), ("", "classes", CLASSIFY)),
            INVALID,
            "Found ModelSpec with an empty model name.",
            id="no name",
        ),
        pytest.param(
            tasks(
                ("graph", "", REGRESS), ("graph", "serving_default", REGRESS)
            ),
            INVALID,
            "Duplicate evaluation of signature: serving_default",
            id="same signature twice",
        ),
        pytest.param(
            tasks(("graph", "nope", REGRESS)),
            INVALID,
            "Requested signature not found in model graph: nope",
            id="unknown signature",
        ),
        pytest.param(
            tasks(("graph", "", "tensorflow/serving/predict")),
            grpc.StatusCode.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
            id="unknown method",
        ),
    ],
)
def test_multi_inference_is_refused(graph_stub, message, code, details):
    assert refusal(graph_stub.MultiInference, message) == (code, details)


def test_multi_inference_needs_one_input(stub):
    message = tasks(("zoo", "classify", CLASSIFY), ("zoo", "regress", REGRESS))
    assert refusal(stub.MultiInference, message) == (
        INVALID,
        "Input tensor must be the same for all Signatures.",
    )


# --- REST


def body(signature_name, **members):
    return json.dumps({"signature_name": signature_name, **members})


def test_rest_classify(post):
    response = post(
        body("classify", examples=[{"x": 0.25}, {"n": 1}]), path=":classify"
    )
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "results": [
            [["neg", 0.75], ["pos", 0.25]],
            [["neg", 0.0], ["pos", 1.0]],
        ]
    }


def test_rest_regress_with_context_and_every_kind_of_value(post):
    response = post(
        body(
            "regress",
            context={"text": {"b64": "YWI="}},
            examples=[{"x": [0.25]}, {"n": True}, {"n": [-2], "other": "é"}],
        ),
        path=":regress",
    )
    assert response.json() == {"results": [4.5, 6.0, 0.0]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "", "JSON Parse error: The document is empty", id="empty body"
        ),
        pytest.param(
            '{"instances": [1]}',
            'JSON Value: {\n    "instances": [\n        1\n    ]\n} When '
            "method is classify, key 'examples' is expected and was not found",
            id="no examples",
        ),
        pytest.param(
            '{"examples": 1}',
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value "
            "to be an list/array",
            id="examples is no list",
        ),
        pytest.param(
            '{"examples": []}',
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an "
            "empty array",
            id="examples is empty",
        ),
        pytest.param(
            '{"examples": [3]}',
            "Example must be JSON object but got JSON Number",
            id="example is no object",
        ),
        pytest.param(
            '{"examples": [{"x": [1, 2.5]}]}',
            "Unexpected element type in feature: x expecting type: int64",
            id="mixed kinds",
        ),
        pytest.param(
            '{"examples": [{"x": null}]}',
            "Feature: x has element with unexpected JSON type: Null",
            id="null",
        ),
        pytest.param(
            '{"examples": [{"x": [[1]]}]}',
            "Feature: x has element with unexpected JSON type: Array",
            id="nested list",
        ),
        pytest.param(
            '{"examples": [{"x": {"a": 1}}]}',
            "Feature: x has element with unexpected JSON type: Object",
            id="object",
        ),
        pytest.param(
            '{"examples": [{"x": 18446744073709551615}]}',
            "Feature: x has uint64 element. Only int64 is supported.",
            id="uint64",
        ),
        pytest.param(
            '{"examples": [{"x": {"b64": "*"}}]}',
            "Unable to base64 decode",
            id="bad base64",
        ),
        pytest.param(
            '{"signature_name": "nope", "examples": [{}]}',
            "No signature was found with the name: nope",
            id="unknown signature",
        ),
    ],
)
@pytest.mark.parametrize("method", ["classify", "regress"])
def test_rest_request_is_refused(post, method, text, message):
    response = post(text, path=f":{method}")
    assert (response.status_code, response.json()["error"]) == (400, message)


def test_rest_regress_of_numbers_json_has_no_word_for(post):
    response = post(
        '{"signature_name": "regress", "examples": [{"x": NaN}, {"x": 1e300},'
        ' {"x": -Infinity}]}',
        path=":regress",
    )
    assert b"NaN, Infinity, -Infinity" in response.content
