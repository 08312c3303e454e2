import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerassent.server.json_response import (
    write_columns,
    write_error,
    write_rows,
    write_string,
)
from kerassent.server.status import StatusError


def strings(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(["float32", "float64", "int64", "bool"]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
def test_numbers_come_back_exactly_and_with_their_shape(array):
    (rows,) = json.loads(write_rows({"y": array})).values()
    (columns,) = json.loads(write_columns({"y": array})).values()
    if len(array):
        back = np.array(rows, array.dtype)
        np.testing.assert_array_equal(back.reshape(array.shape), array)
    else:
        assert rows == []
    assert rows == columns or np.isnan(array.astype("f8")).any()
    assert columns == array.tolist() or array.dtype.kind == "f"


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_string_keeps_its_bytes(value):
    back = json.loads(write_string(value).decode("utf-8", "surrogateescape"))
    assert back.encode("utf-8", "surrogateescape") == value


def test_rows_have_tensorflow_servings_layout():
    outputs = {
        "p": np.float32([[0.25, 0.75], [1, 0]]),
        "s": strings([b"a", b"b"]),
    }
    assert write_rows(outputs).decode() == (
        '{\n    "predictions": [\n'
        '        {\n            "p": [0.25, 0.75],\n            "s": "a"\n'
        "        },\n"
        '        {\n            "p": [1.0, 0.0],\n            "s": "b"\n'
        "        }\n    ]\n}"
    )
    del outputs["s"]
    assert write_rows(outputs).decode() == (
        '{\n    "predictions": [[0.25, 0.75], [1.0, 0.0]\n    ]\n}'
    )


def test_columns_have_tensorflow_servings_layout():
    array = np.float32([[1, 2]])
    assert write_columns({"p": array}).decode() == (
        '{\n    "outputs": [\n        [\n            1.0,\n            2.0\n'
        "        ]\n    ]\n}"
    )
    both = {"p": array[0], "q": np.int32(3)}
    assert write_columns({k: np.asarray(v) for k, v in both.items()}) == (
        b'{\n    "outputs": {\n        "p": [\n            1.0,\n'
        b'            2.0\n        ],\n        "q": 3\n    }\n}'
    )


def test_zero_batch_is_an_empty_list():
    empty = np.zeros((0, 2), np.float32)
    assert write_rows({"y": empty}) == b'{\n    "predictions": []\n}'
    assert json.loads(write_rows({"y": empty, "z": empty[:, 0]})) == {
        "predictions": []
    }
    assert json.loads(write_rows({"y": empty.T, "z": np.zeros(2)})) == {
        "predictions": [{"y": [], "z": 0.0}, {"y": [], "z": 0.0}]
    }


def test_zero_batch_beside_another_is_refused():
    with pytest.raises(StatusError) as caught:
        write_rows({"y": np.zeros((0, 2)), "z": np.zeros(3)})
    assert caught.value.message == (
        "Tensor name: z has inconsistent batch size: 3 expecting: 0"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (9e6, "9e+06"),
        (3e-5, "3e-05"),
        (16777216, "16777216.0"),
        (0.1234567, "0.123456702"),
        (np.nan, "NaN"),
        (-np.inf, "-Infinity"),
    ],
)
def test_float_is_written_as_absl_writes_it(value, text):
    body = write_columns({"y": np.array(value, np.float32)})
    assert body.decode() == '{\n    "outputs": %s\n}' % text  # noqa: UP031


def test_double_has_up_to_seventeen_digits():
    body = write_columns({"y": np.float64([0.1, 1 / 3])})
    assert b"0.1," in body
    assert b"0.33333333333333331" in body


def test_only_strings_are_base64_by_their_name():
    body = write_rows({"s_bytes": strings([b"\xff"]), "n_bytes": np.ones(1)})
    assert json.loads(body) == {
        "predictions": [{"s_bytes": {"b64": "/w=="}, "n_bytes": 1.0}]
    }


@pytest.mark.parametrize(
    ("dtype", "name"),
    [("float16", "half"), ("complex64", "complex64"), ("uint16", "uint16")],
)
def test_type_without_json_is_refused(dtype, name):
    with pytest.raises(StatusError) as caught:
        write_columns({"y": np.ones(1, dtype)})
    assert caught.value.message == (
        f"Failed to write JSON value for tensor type: {name}"
    )


def test_error_is_an_object_with_one_key():
    assert write_error('a "b"\n') == b'{\n    "error": "a \\"b\\"\\n"\n}'
