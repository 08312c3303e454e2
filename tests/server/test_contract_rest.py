"""The REST API over a real socket: what is answered, word for word."""

import base64
import gzip
import http.client
import json
import socket

import numpy as np
import pytest

ROW = "Failed to process element: "


def signed(name, **body):
    return json.dumps({"signature_name": name, **body})


def error_of(response):
    assert response.headers["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


# --- Predictions


def test_rows_with_several_outputs_come_as_objects(post):
    response = post('{"instances": ["bad", "wonderful"]}')
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "predictions": [
            {
                "label": "neg",
                "score": 0.625,
                "probabilities": [0.625, 0.375],
                "class_names": ["neg", "pos"],
            },
            {
                "label": "pos",
                "score": 0.75,
                "probabilities": [0.25, 0.75],
                "class_names": ["neg", "pos"],
            },
        ]
    }


def test_columns_come_as_whole_tensors(post):
    response = post('{"inputs": {"text": ["bad", "wonderful"]}}')
    assert response.json() == {
        "outputs": {
            "label": ["neg", "pos"],
            "score": [0.625, 0.75],
            "probabilities": [[0.625, 0.375], [0.25, 0.75]],
            "class_names": [["neg", "pos"], ["neg", "pos"]],
        }
    }


def test_single_output_comes_bare_in_prettywriter_layout(post):
    rows = post(signed("half_plus_two", instances=[1, 2.0, 5]))
    assert rows.text == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    columns = post(signed("half_plus_two", inputs=[1, 2.0]))
    assert columns.text == (
        '{\n    "outputs": [\n        2.5,\n        3.0\n    ]\n}'
    )


@pytest.mark.parametrize(
    "instances",
    [
        [{"x": 1.0}, {"x": 3}],
        [1.0, 3],
    ],
)
def test_one_input_may_be_named_or_not(post, instances):
    response = post(signed("half_plus_two", instances=instances))
    assert response.json() == {"predictions": [2.5, 3.5]}


def test_two_inputs_are_matched_by_name(post):
    rows = post(
        signed("add", instances=[{"a": 1, "b": 2}, {"b": 4, "a": 3}])
    ).json()
    assert rows == {
        "predictions": [
            {"sum": 3.0, "product": 2.0},
            {"sum": 7.0, "product": 12.0},
        ]
    }
    columns = post(
        signed("add", inputs={"a": [1, 3], "b": [2, 4], "ignored": {"x": 1}})
    ).json()
    assert columns == {"outputs": {"sum": [3.0, 7.0], "product": [2.0, 12.0]}}


def test_columnar_scalars_stay_scalars(post):
    response = post(signed("add", inputs={"a": 1.5, "b": 2}))
    assert response.json() == {"outputs": {"sum": 3.5, "product": 3.0}}


def test_every_number_type_goes_through(post):
    row = {
        "float32": 0.1,
        "float64": 0.1,
        "int8": 300,  # wraps around as in C++
        "int16": -32768,
        "int32": -(2**31),
        "int64": -(2**63),
        "uint8": 255,
        "uint32": 2**32 - 1,
        "uint64": 2**64 - 1,
        "bool": True,
    }
    (answer,) = post(signed("numbers", instances=[row])).json()["predictions"]
    assert answer == {**row, "int8": 44}
    assert answer["bool"] is True


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("1e39", "Infinity"),
        ("-1e39", "-Infinity"),
        ("Infinity", "Infinity"),
        ("-Inf", "-Infinity"),
        ("NaN", "NaN"),
        ("1e-60", "2.0"),
        ("0.2", "2.1"),
        ("0.6666667", "2.33333325"),
        ("13999996", "7e+06"),
        ("13999995", "6999999.5"),
    ],
)
def test_floats_are_written_as_tensorflow_serving_writes_them(
    post, number, answer
):
    body = '{"signature_name": "half_plus_two", "instances": [%s]}' % number  # noqa: UP031
    assert post(body).text == (
        '{\n    "predictions": [%s\n    ]\n}' % answer  # noqa: UP031
    )


def test_base64_is_bytes_in_rows_and_columns(post):
    data = bytes(range(256))
    encoded = {"b64": base64.b64encode(data).decode()}
    for body in (
        {"instances": [encoded]},
        {"instances": [{"text": encoded}]},
        {"inputs": [encoded]},
        {"inputs": {"text": [encoded]}},
    ):
        answer = post(signed("echo_bytes", **body)).content
        assert base64.b64encode(data) in answer


def test_base64_padding_is_optional(post):
    response = post(signed("echo", instances=[{"b64": "YQ"}, {"b64": "YWI="}]))
    assert response.json() == {"predictions": ["a", "ab"]}


def test_output_named_bytes_comes_as_base64(post):
    response = post(signed("echo_bytes", instances=["aé"]))
    assert response.json() == {
        "predictions": [{"text_bytes": {"b64": "YcOp"}, "text": "aé"}]
    }


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"\xed\xa0\x80", "é😀".encode(), b"\x7f/"]
)
def test_strings_pass_as_the_bytes_they_are(post, raw):
    body = b'{"signature_name": "echo", "instances": ["%b"]}' % raw
    assert b'["%b"\n' % raw in post(body).content


def test_escapes_are_read_and_written(post):
    text = 'a"\\/\b\f\n\r\t\x00\x1fé😀'
    answer = post(signed("echo", instances=[text]))
    assert answer.json() == {"predictions": [text]}
    assert rb"\u0000\u001F" in answer.content


def test_signature_name_may_be_empty(post):
    response = post('{"signature_name": "", "instances": ["bad"]}')
    assert response.json()["predictions"][0]["label"] == "neg"


def test_what_follows_the_object_and_unknown_keys_are_ignored(post):
    deep = "[" * 20_000 + "]" * 20_000
    body = f'\ufeff {{"extra": {deep}, "instances": ["bad"]}} trailing ]['
    response = post(body.encode())
    assert response.json()["predictions"][0]["label"] == "neg"


def test_first_of_two_equal_keys_wins(post):
    response = post('{"instances": ["bad"], "instances": ["a", "b"]}')
    assert len(response.json()["predictions"]) == 1


def test_empty_inner_lists_keep_their_shape(post):
    response = post(signed("matrix", inputs=[]))
    assert response.status_code == 200
    assert response.json() == {"outputs": []}


def test_version_in_the_url_is_exact(post):
    assert post('{"instances": ["a"]}', path="/versions/12:predict").ok
    assert post('{"instances": ["a"]}', path="/VERSIONS/0012:predict").ok


def test_many_rows_are_answered(post):
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    response = post(signed("half_plus_two", instances=values.tolist()))
    np.testing.assert_array_equal(
        np.array(response.json()["predictions"], np.float32),
        np.float32(0.5) * values + np.float32(2),
    )


# --- Errors of a predict request


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            "", "JSON Parse error: The document is empty", id="empty body"
        ),
        pytest.param(
            " ",
            "JSON Parse error: The document is empty. at offset: 1",
            id="blank body",
        ),
        pytest.param(
            "x", "JSON Parse error: Invalid value. at offset: 0", id="bad JSON"
        ),
        pytest.param(
            "[1, 2]",
            "JSON Value: [\n    1,\n    2\n] Is not object",
            id="top level is a list",
        ),
        pytest.param(
            '"foo"',
            'JSON Value: "foo" Is not object',
            id="top level is a string",
        ),
        pytest.param(
            '{"signature_name": 5, "instances": []}',
            'JSON Value: {\n    "signature_name": 5,\n    "instances": []\n} '
            "not formatted correctly. 'signature_name' key must be a string "
            "value.",
            id="signature_name is no string",
        ),
        pytest.param(
            '{"signature_name": "nope", "instances": [1]}',
            'Serving signature name: "nope" not found in signature def',
            id="unknown signature",
        ),
        pytest.param(
            signed("no_input", instances=[1]),
            "Failed to get input map for signature: no_input",
            id="signature without inputs",
        ),
        pytest.param(
            '{"instances": ["a"], "inputs": ["a"]}',
            'JSON Value: {\n    "instances": [\n        "a"\n    ],\n    '
            '"inputs": [\n        "a"\n    ]\n} Not formatted correctly '
            "expecting only one of 'inputs' or 'instances' keys to exist ",
            id="both keys",
        ),
        pytest.param(
            "{}", "Missing 'inputs' or 'instances' key", id="neither key"
        ),
        pytest.param(
            '{"instances": "a"}',
            'JSON Value: {\n    "instances": "a"\n} Expecting \'instances\' to '
            "be an list/array",
            id="instances is no list",
        ),
        pytest.param(
            '{"instances": []}',
            "JSON Value: {\n    \"instances\": []\n} No values in 'instances' "
            "array",
            id="instances is empty",
        ),
    ],
)
def test_request_as_a_whole_is_refused(post, body, message):
    assert error_of(post(body)) == (400, message)


def test_echoed_json_is_cut(post):
    long = json.dumps({"instances": "a" * 1000})
    status, message = error_of(post(long))
    assert status == 400
    assert message == (
        'JSON Value: {\n    "instances": "'
        + "a" * 236
        + " Expecting 'instances' to be an list/array"
    )


INVALID = "Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
    ("signature", "instances", "message"),
    [
        pytest.param(
            "echo",
            ["a", 1.5],
            f"{ROW}1 of 'instances' list. {INVALID}JSON Value: 1.5 Type: "
            "Number is not of expected type: string",
            id="wrong dtype",
        ),
        pytest.param(
            "echo",
            [{"text": None}],
            f"{ROW}0 key: text of 'instances' list. {INVALID}JSON Value: null "
            "Type: Null is not of expected type: string",
            id="wrong dtype, named",
        ),
        pytest.param(
            "half_plus_two",
            [True],
            f"{ROW}0 of 'instances' list. {INVALID}JSON Value: true Type: True "
            "is not of expected type: float",
            id="bool for float",
        ),
        pytest.param(
            "half_plus_two",
            [{"b64": "YQ=="}],
            f"{ROW}0 of 'instances' list. {INVALID}JSON Value: "
            '{\n    "b64": "YQ=="\n} Type: Object is not of expected type: '
            "float",
            id="base64 for float",
        ),
        pytest.param(
            "echo",
            [{"text": "a", "foo": "b"}],
            f"{ROW}0 key: foo of 'instances' list. {INVALID}JSON object: does "
            "not have named input: foo",
            id="unknown key",
        ),
        pytest.param(
            "add",
            [{"a": 1, "b": 2}, {"a": 1}],
            f"{ROW}1 of 'instances' list. JSON object: "
            '{\n    "a": 1\n} keys must be equal to: a,b',
            id="missing key",
        ),
        pytest.param(
            "add",
            [1, 2],
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map",
            id="plain list for several inputs",
        ),
        pytest.param(
            "echo",
            [{"text": "a"}, ["b"]],
            "Expecting object but got list at item 1 of input list",
            id="list among objects",
        ),
        pytest.param(
            "echo",
            ["a", {"text": "b"}],
            "Expecting value/list but got object at item 1 of input list",
            id="object among values",
        ),
        pytest.param(
            "matrix",
            [[1, 2], [3]],
            f"{ROW}1 of 'instances' list. {INVALID}Expecting tensor size: 2 "
            "but got: 1",
            id="unequal sizes",
        ),
        pytest.param(
            "matrix",
            [[1, 2], [[3, 4]]],
            f"{ROW}1 of 'instances' list. {INVALID}Expecting shape [2] but "
            "got: [1,2]",
            id="unequal shapes",
        ),
        pytest.param(
            "matrix",
            [[[1, 2, 3], [4, 5]]],
            f"{ROW}0 of 'instances' list. {INVALID}Encountered list at "
            "unexpected size: 2 at level: 1 expected size: 3",
            id="uneven nesting: size",
        ),
        pytest.param(
            "matrix",
            [[1, [2]]],
            f"{ROW}0 of 'instances' list. {INVALID}Encountered list at "
            "unexpected level: 1 expected < 1",
            id="uneven nesting: list",
        ),
        pytest.param(
            "matrix",
            [[[1], 1]],
            f"{ROW}0 of 'instances' list. {INVALID}JSON Value: 1 found at "
            "incorrect level: 2 in the JSON DOM. Expected at level: 2",
            id="uneven nesting: value",
        ),
        pytest.param(
            "echo",
            [{"b64": "a-b_"}],
            f"{ROW}0 of 'instances' list. {INVALID}Unable to base64 decode",
            id="bad base64",
        ),
        pytest.param(
            "echo",
            [[{"b64": 1}]],
            f"{ROW}0 of 'instances' list. {INVALID}JSON Value: "
            '{\n    "b64": 1\n} not formatted correctly for base64 data',
            id="object that is no base64",
        ),
        pytest.param(
            "half_in",
            [1.5],
            f"{ROW}0 of 'instances' list. Error: UNIMPLEMENTED: Conversion of "
            "JSON Value: 1.5 to type: half",
            id="dtype without JSON",
        ),
    ],
)
def test_row_is_refused(post, signature, instances, message):
    response = post(signed(signature, instances=instances))
    assert error_of(response) == (400, message)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int32", 2.0),
        ("int32", 2**31),
        ("int8", -(2**31) - 1),
        ("int64", 2**63),
        ("uint32", -1),
        ("uint64", -1),
        ("bool", 1),
        ("int16", False),
    ],
)
def test_number_of_another_type_is_refused(post, dtype, value):
    row = dict.fromkeys(
        ("float32 float64 int8 int16 int32 int64 uint8 uint32 uint64").split(),
        1,
    )
    row |= {"bool": True, dtype: value}
    status, message = error_of(post(signed("numbers", inputs=row)))
    kind = "False" if value is False else "Number"
    assert status == 400
    assert message == (
        f"JSON Value: {json.dumps(value)} Type: {kind} is not of expected "
        f"type: {dtype}"
    )


@pytest.mark.parametrize(
    ("signature", "inputs", "status", "message"),
    [
        pytest.param(
            "echo",
            [1.5],
            400,
            "JSON Value: 1.5 Type: Number is not of expected type: string",
            id="wrong dtype",
        ),
        pytest.param(
            "add",
            {"b": 1},
            400,
            "Missing named input: a in 'inputs' object.",
            id="missing key",
        ),
        pytest.param(
            "add",
            [1, 2],
            400,
            "inputs is a plain value/list, but expecting an object as "
            "multiple input tensors required as per tensorinfo_map",
            id="plain list for several inputs",
        ),
        pytest.param(
            "echo",
            {"b64": "?"},
            400,
            "Unable to base64 decode",
            id="bad base64",
        ),
        pytest.param(
            "half_in",
            [1.5],
            501,
            "Conversion of JSON Value: 1.5 to type: half",
            id="dtype without JSON",
        ),
    ],
)
def test_column_is_refused(post, signature, inputs, status, message):
    response = post(signed(signature, inputs=inputs))
    assert error_of(response) == (status, message)


def test_graph_refuses_in_its_own_words(post):
    response = post(signed("matrix", inputs={"m": "x"}))
    assert error_of(response)[0] == 400
    status, message = error_of(
        post(signed("add", inputs={"a": [1, 2], "b": [1, 2, 3]}))
    )
    assert status == 400
    assert "Incompatible shapes: [2] vs. [3]" in message


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        pytest.param(
            "scalar_out",
            "Tensor name: y has no shape information ",
            id="no batch axis",
        ),
        pytest.param(
            "unequal_out",
            "Tensor name: y has inconsistent batch size: 1 expecting: 3",
            id="unequal batch",
        ),
        pytest.param(
            "half_out",
            "Failed to write JSON value for tensor type: half",
            id="dtype without JSON",
        ),
    ],
)
def test_output_that_rows_cannot_hold_is_refused(post, signature, message):
    response = post(signed(signature, instances=[1, 2, 3]))
    assert error_of(response) == (400, message)


def test_nesting_is_read_to_any_depth_and_refused(post):
    deep = "[" * 100_000 + "]" * 100_000
    response = post('{"signature_name": "echo", "inputs": %s}' % deep)  # noqa: UP031
    assert error_of(response) == (400, "tensor parsing error: text")
    status, message = error_of(post('{"instances": ' + "[" * 100_000))
    assert (status, message) == (
        400,
        "JSON Parse error: Invalid value. at offset: 100014",
    )


# --- URLs, status, metadata


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/foo"),
        ("GET", "/v1/foo"),
        ("GET", "/v1/"),
        ("POST", "/v1/models/zoo"),
        ("POST", "/v1/models/zoo:PREDICT"),
        ("POST", "/v1/models/zoo:predict?x=1"),
        ("POST", "/v1/models/zoo/versions/a:predict"),
        ("GET", "/v1/models/zoo:predict"),
        ("PUT", "/v1/models/zoo"),
        ("DELETE", "/v1/models/zoo"),
        ("PATCH", "/V1/models/zoo:predict"),
    ],
)
def test_url_of_another_shape_is_malformed(session, server, method, path):
    response = session.request(method, server.rest_url + path, timeout=30)
    assert error_of(response) == (400, f"Malformed request: {method} {path}")


def test_head_has_no_body(session, url):
    response = session.head(url, timeout=30)
    assert response.status_code == 400
    assert response.content == b""


def test_other_path_is_not_found_as_html(session, server):
    response = session.get(server.rest_url + "/v2/models", timeout=30)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
    assert "<TITLE>404 Not Found</TITLE>" in response.text


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        pytest.param(
            "other:predict",
            404,
            "Servable not found for request: Latest(other)",
            id="model",
        ),
        pytest.param(
            "zoo/versions/5:predict",
            404,
            "Servable not found for request: Specific(zoo, 5)",
            id="version",
        ),
        pytest.param(
            "zoo/labels/stable%20one:predict",
            400,
            "Unrecognized servable version label: stable one",
            id="label",
        ),
        pytest.param(
            "zoo/versions/99999999999999999999:predict",
            400,
            "Failed to convert version: 99999999999999999999 to numeric.",
            id="version beyond int64",
        ),
    ],
)
def test_unknown_model_is_refused(session, server, path, status, message):
    url = f"{server.rest_url}/v1/models/{path}"
    response = session.post(url, data='{"instances": ["a"]}', timeout=30)
    assert error_of(response) == (status, message)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        pytest.param(
            "other:predict",
            "x",
            400,
            "JSON Parse error: Invalid value. at offset: 0",
            id="JSON before the model",
        ),
        pytest.param(
            "other:predict",
            '{"signature_name": 5}',
            400,
            'JSON Value: {\n    "signature_name": 5\n} not formatted '
            "correctly. 'signature_name' key must be a string value.",
            id="type of signature_name before the model",
        ),
        pytest.param(
            "other:predict",
            '{"signature_name": "nope"}',
            404,
            "Servable not found for request: Latest(other)",
            id="model before the signature",
        ),
        pytest.param(
            "zoo:predict",
            '{"signature_name": "nope"}',
            400,
            'Serving signature name: "nope" not found in signature def',
            id="signature before the instances",
        ),
        pytest.param(
            "other:classify",
            "{}",
            400,
            "JSON Value: {} When method is classify, key 'examples' is "
            "expected and was not found",
            id="examples before the model",
        ),
        pytest.param(
            "other:regress",
            '{"examples": [{}]}',
            404,
            "Servable not found for request: Latest(other)",
            id="regress of an unknown model",
        ),
    ],
)
def test_checks_come_in_order(session, server, path, body, status, message):
    url = f"{server.rest_url}/v1/models/{path}"
    response = session.post(url, data=body, timeout=30)
    assert error_of(response) == (status, message)


@pytest.mark.parametrize(
    "path", ["", "/versions/12", "/labels/ignored", "/METADATA"]
)
def test_status_lists_the_version(session, url, path):
    response = session.get(url + path, timeout=30)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "model_version_status": [
            {
                "version": "12",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_model_name_is_percent_decoded(session, server):
    url = f"{server.rest_url}/V1/MODELS/z%6Fo"
    assert session.get(url, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        pytest.param("", 400, "Missing model name in request.", id="no name"),
        pytest.param(
            "/other",
            404,
            "Could not find any versions of model other",
            id="model",
        ),
        pytest.param(
            "/zoo?x=1",
            404,
            "Could not find any versions of model zoo?x=1",
            id="query",
        ),
        pytest.param(
            "/zoo/versions/5",
            404,
            "Could not find version 5 of model zoo",
            id="version",
        ),
        pytest.param(
            "/other/metadata",
            404,
            "Servable not found for request: Latest(other)",
            id="metadata of no model",
        ),
        pytest.param(
            "/zoo/labels/x/metadata",
            400,
            "Unrecognized servable version label: x",
            id="metadata of a label",
        ),
    ],
)
def test_get_is_refused(session, server, path, status, message):
    response = session.get(f"{server.rest_url}/v1/models{path}", timeout=30)
    assert error_of(response) == (status, message)


@pytest.mark.parametrize("path", ["", "/versions/12"])
def test_metadata_has_every_signature(session, url, path):
    metadata = session.get(f"{url}{path}/metadata", timeout=30).json()
    assert metadata["model_spec"] == {
        "name": "zoo",
        "signature_name": "",
        "version": "12",
    }
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert "__saved_model_init_op" in signatures
    assert signatures["half_plus_two"] == {
        "inputs": {
            "x": {
                "name": "half_plus_two_x:0",
                "dtype": "DT_FLOAT",
                "tensor_shape": {
                    "dim": [{"size": "-1", "name": ""}],
                    "unknown_rank": False,
                },
            }
        },
        "outputs": {
            "y": {
                "name": signatures["half_plus_two"]["outputs"]["y"]["name"],
                "dtype": "DT_FLOAT",
                "tensor_shape": {
                    "dim": [{"size": "-1", "name": ""}],
                    "unknown_rank": False,
                },
            }
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


# --- Bodies


def test_gzip_body_is_inflated_and_the_answer_is_not(post):
    body = gzip.compress(b'{"instances": ["bad"]}')
    response = post(body, headers={"Content-Encoding": "gzip"})
    assert response.json()["predictions"][0]["label"] == "neg"
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b'{"instances": ["bad"]}')[:-9]],
)
def test_broken_gzip_is_an_empty_document(post, body):
    response = post(body, headers={"Content-Encoding": "gzip"})
    assert error_of(response) == (
        400,
        "JSON Parse error: The document is empty",
    )


def test_large_gzip_body_is_inflated(post):
    text = "é" * 3_000_000
    body = gzip.compress(signed("echo", instances=[text]).encode())
    response = post(body, headers={"Content-Encoding": "gzip"})
    assert response.json() == {"predictions": [text]}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded"]
)
def test_content_type_of_a_request_is_not_looked_at(post, content_type):
    response = post(
        '{"instances": ["bad"]}', headers={"Content-Type": content_type}
    )
    assert response.json()["predictions"][0]["label"] == "neg"


def test_connection_is_kept_after_an_error(server):
    address = server.rest_url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.connect()
    opened = connection.sock
    for path, status in (("/v1/foo", 400), ("/", 404), ("/v1/models/zoo", 200)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is opened
    connection.close()


def test_chunked_body_is_read(post):
    response = post(iter([b'{"instances"', b': ["bad"]}']))
    assert response.json()["predictions"][0]["label"] == "neg"


def test_connection_that_ends_within_a_body_harms_nothing(server, post):
    host, port = server.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/models/zoo:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    assert post('{"instances": ["bad"]}').ok
