"""The JSON codec beside a second reading of TensorFlow Serving's rules.

The second one is plain and slow, reads with Python's `json`, and knows nothing
of the first: a value is a tensor if all lists of a level are equally long.
"""

import base64
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerassent.server.json_response import write_columns, write_rows
from kerassent.server.json_tensor import read_tensors
from kerassent.server.rapid_json import parse_json
from kerassent.server.status import StatusError

RANGES = {
    "int8": (-(2**31), 2**31 - 1),
    "int16": (-(2**31), 2**31 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint8": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
DTYPES = ["string", "float32", "float64", "bool", *RANGES]


class Refused(Exception):
    pass


def leaf(value, dtype):
    """One element as the rules have it."""
    if dtype == "string":
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and list(value) == ["b64"]:
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (TypeError, ValueError):
                raise Refused from None
    elif dtype == "bool":
        if value is True or value is False:
            return value
    elif value is True or value is False:
        raise Refused
    elif dtype in RANGES:
        low, high = RANGES[dtype]
        if isinstance(value, int) and low <= value <= high:
            return value
    elif isinstance(value, int | float):
        return value
    raise Refused


def tensor(value, dtype):
    """Returns shape and elements, in order."""
    if not isinstance(value, list):
        return (), [leaf(value, dtype)]
    parts = [tensor(item, dtype) for item in value]
    if len({shape for shape, _ in parts}) > 1:
        raise Refused
    inner = parts[0][0] if parts else ()
    return (len(value), *inner), [x for _, items in parts for x in items]


def second_reading(request, dtypes):
    """Returns shape and elements of each input, or raises `Refused`."""
    if "instances" not in request:
        values = request["inputs"]
        named = isinstance(values, dict) and list(values) != ["b64"]
        if not named:
            if len(dtypes) > 1:
                raise Refused
            values = {next(iter(dtypes)): values}
        if not dtypes.keys() <= values.keys():
            raise Refused
        return {name: tensor(values[name], dtypes[name]) for name in dtypes}
    rows = request["instances"]
    named = {isinstance(r, dict) and list(r) != ["b64"] for r in rows}
    if not rows or len(named) > 1:
        raise Refused
    if not named.pop():
        if len(dtypes) > 1:
            raise Refused
        rows = [{next(iter(dtypes)): row} for row in rows]
    if any(row.keys() != dtypes.keys() for row in rows):
        raise Refused
    return {
        name: tensor([row[name] for row in rows], dtype)
        for name, dtype in dtypes.items()
    }


scalars = st.one_of(
    st.text(max_size=5),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.integers(-200, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.binary(max_size=5).map(
        lambda raw: {"b64": base64.b64encode(raw).decode()}
    ),
    st.just({"b64": "*"}),
    st.just({"b64": 1}),
)


def leaves(dtype):
    if dtype == "string":
        return st.one_of(st.text(max_size=5), scalars)
    if dtype == "bool":
        return st.booleans()
    if dtype in RANGES:
        return st.integers(*RANGES[dtype])
    return st.floats(allow_nan=False, allow_infinity=False) | st.integers(
        -(2**70), 2**70
    )


@st.composite
def tensors(draw, dtype):
    """A tensor that is well formed, mostly."""
    shape = draw(st.lists(st.integers(1, 3), max_size=3))
    elements = leaves(dtype) if draw(st.integers(0, 5)) else scalars

    def build(sizes):
        if not sizes:
            return draw(elements)
        items = [build(sizes[1:]) for _ in range(sizes[0])]
        if not draw(st.integers(0, 40)):
            items.append(draw(scalars))
        return items

    return build(shape)


@st.composite
def requests_(draw):
    names = draw(st.sampled_from([["x"], ["a", "b"]]))
    dtypes = {name: draw(st.sampled_from(DTYPES)) for name in names}

    def named():
        made = {name: draw(tensors(dtype)) for name, dtype in dtypes.items()}
        if not draw(st.integers(0, 20)):
            made["other"] = 1
        if not draw(st.integers(0, 20)):
            made.pop(names[0])
        return made

    plain = len(names) == 1 and draw(st.booleans())
    one = (lambda: draw(tensors(dtypes[names[0]]))) if plain else named
    if draw(st.booleans()):
        return {"inputs": one()}, dtypes
    first = one()
    rows = [first] * draw(st.integers(1, 3))
    if not draw(st.integers(0, 3)):
        rows.append(one())
    return {"instances": rows}, dtypes


def infos(dtypes):
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

    return {
        name: TensorInfo(dtype=tf.as_dtype(dtype).as_datatype_enum)
        for name, dtype in dtypes.items()
    }


def as_array(shape, elements, dtype):
    if dtype == "string":
        array = np.empty(len(elements), object)
        array[:] = elements
        return array.reshape(shape)
    if dtype.startswith("float"):
        with np.errstate(over="ignore"):
            return np.array(elements, "f8").astype(dtype).reshape(shape)
    bits = 8 * np.dtype(dtype).itemsize if dtype != "bool" else 64
    wrapped = [int(e) % 2**bits for e in elements]
    return np.array(wrapped, f"u{bits // 8}").astype(dtype).reshape(shape)


@settings(max_examples=500, deadline=None)
@given(requests_())
def test_requests_are_read_as_the_rules_say(case):
    request, dtypes = case
    body = json.dumps(request).encode()
    try:
        expected = second_reading(json.loads(body), dtypes)
    except Refused:
        expected = None
    try:
        arrays, in_rows = read_tensors(parse_json(body), infos(dtypes), "")
    except StatusError:
        assert expected is None
        return
    assert expected is not None
    assert in_rows == ("instances" in request)
    assert arrays.keys() == dtypes.keys()
    for name, (shape, elements) in expected.items():
        array = arrays[name]
        wanted = as_array(shape, elements, dtypes[name])
        assert array.shape == wanted.shape
        assert array.dtype == wanted.dtype
        np.testing.assert_array_equal(array, wanted)


def test_signature_without_inputs_is_default_unless_named():
    for name, shown in (("", "DEFAULT"), ("x", "x")):
        with pytest.raises(StatusError) as caught:
            read_tensors({"instances": [1]}, {}, name)
        assert caught.value.message == (
            f"Failed to get input map for signature: {shown}"
        )


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = (2, *draw(st.lists(st.integers(0, 3), max_size=2)))
    count = math.prod(shape)
    if dtype == "string":
        elements = draw(st.lists(st.text(), min_size=count, max_size=count))
        return as_array(shape, [e.encode() for e in elements], dtype)
    if dtype.startswith("float"):
        width = 32 if dtype == "float32" else 64
        number = st.floats(width=width, allow_nan=False, allow_infinity=False)
    elif dtype == "bool":
        number = st.booleans()
    else:
        info = np.iinfo(dtype)
        number = st.integers(int(info.min), int(info.max))
    elements = draw(st.lists(number, min_size=count, max_size=count))
    return np.array(elements, dtype).reshape(shape)


def plain(array):
    if array.dtype == object:
        decoded = [item.decode() for item in array.ravel()]
        flat = np.empty(len(decoded), object)
        flat[:] = decoded
        return flat.reshape(array.shape).tolist()
    return array.tolist()


@settings(max_examples=300, deadline=None)
@given(st.lists(arrays(), min_size=1, max_size=3))
def test_answers_read_back_are_what_was_written(outputs):
    named = {f"out_{i}": array for i, array in enumerate(outputs)}
    rows = json.loads(write_rows(named))["predictions"]
    columns = json.loads(write_columns(named))["outputs"]
    if len(named) == 1:
        rows = [{"out_0": row} for row in rows]
        columns = {"out_0": columns}
    for name, array in named.items():
        for found in ([row[name] for row in rows], columns[name]):
            if array.dtype.kind == "f":
                # Shortest digits that read back as the same number.
                np.testing.assert_array_equal(
                    np.array(found, array.dtype).reshape(array.shape), array
                )
            else:
                assert found == plain(array)


@pytest.mark.parametrize("raw", [b"", b"\0", b"\xff\xfe", bytes(range(256))])
def test_bytes_survive_base64(raw):
    array = np.empty(1, object)
    array[0] = raw
    (found,) = json.loads(write_rows({"x_bytes": array}))["predictions"]
    assert base64.b64decode(found["b64"]) == raw
    body = json.dumps({"instances": [found]}).encode()
    read, _ = read_tensors(parse_json(body), infos({"x": "string"}), "")
    assert read["x"].tolist() == [raw]
