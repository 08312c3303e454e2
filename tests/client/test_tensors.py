import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from tensorflow.core.framework import tensor_pb2

from kerassent.client import _tensors

SHAPES = st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@given(st.lists(st.binary(max_size=20)))
def test_strings_are_what_tensorflow_reads(values):
    tensor = tensor_pb2.TensorProto()
    _tensors.set_strings(tensor, values)
    assert tf.make_ndarray(tensor).tolist() == values
    assert tf.make_ndarray(tensor).shape == (len(values),)


@given(st_numpy.arrays(np.float32, SHAPES))
def test_floats_are_read_bit_by_bit_from_either_form(array):
    content = tf.make_tensor_proto(array)
    typed = tensor_pb2.TensorProto(dtype=_tensors.DT_FLOAT)
    typed.tensor_shape.CopyFrom(content.tensor_shape)
    typed.float_val.extend(array.ravel().tolist())
    for tensor in (content, typed):
        read = _tensors.to_array(tensor)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.float64, [0.1, -1e300]),
        (np.float16, [0.1, -2.0]),
        (np.int8, [-128, 127]),
        (np.uint8, [0, 255]),
        (np.int16, [-(2**15), 2**15 - 1]),
        (np.int32, [-(2**31), 2**31 - 1]),
        (np.int64, [-(2**63), 2**63 - 1]),
        (np.uint32, [0, 2**32 - 1]),
        (np.uint64, [0, 2**64 - 1]),
        (np.bool_, [True, False]),
    ],
)
def test_numbers_of_other_types_are_read_from_either_form(dtype, values):
    array = np.array(values, dtype)
    typed = tf.make_tensor_proto(array)
    content = tensor_pb2.TensorProto(
        dtype=typed.dtype, tensor_content=array.tobytes()
    )
    content.tensor_shape.CopyFrom(typed.tensor_shape)
    # Few values go in fields of their type, with or without TensorFlow's help.
    as_fields = tensor_pb2.TensorProto()
    as_fields.CopyFrom(typed)
    for tensor in (as_fields, content):
        read = _tensors.to_array(tensor)
        assert read.dtype == dtype
        assert read.tolist() == array.tolist()


def test_strings_are_read_in_their_shape():
    tensor = tf.make_tensor_proto([["a", "é"], ["c", "d"]])
    assert _tensors.to_array(tensor).tolist() == [["a", "é"], ["c", "d"]]


def string_tensor(shape, values):
    tensor = tensor_pb2.TensorProto(dtype=_tensors.DT_STRING)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.string_val.extend(values)
    return tensor


def float_tensor(shape, values=(), content=b""):
    tensor = tensor_pb2.TensorProto(
        dtype=_tensors.DT_FLOAT, float_val=values, tensor_content=content
    )
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def test_missing_values_repeat_the_last_one():
    floats = _tensors.to_array(float_tensor([2, 2], [1.0, 0.5]))
    assert floats.tolist() == [[1.0, 0.5], [0.5, 0.5]]
    strings = _tensors.to_array(string_tensor([3], [b"a", b"b"]))
    assert strings.tolist() == ["a", "b", "b"]


def test_no_values_at_all_are_zeros_or_empty_strings():
    assert _tensors.to_array(float_tensor([2])).tolist() == [0.0, 0.0]
    assert _tensors.to_array(string_tensor([2], [])).tolist() == ["", ""]


def test_tensor_content_is_little_endian():
    tensor = float_tensor([1], content=b"\x00\x00\x80\x3f")
    assert _tensors.to_array(tensor).tolist() == [1.0]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (float_tensor([1], [1.0, 2.0]), "2 values where 1 fit"),
        (float_tensor([2], content=bytes(4)), r"4 bytes for shape \(2,\)"),
        (float_tensor([-1], [1.0]), "shape is not fully known"),
        (tf.make_tensor_proto([1j]), "dtype is number 18 of types.proto"),
        (string_tensor([1], [b"\xff"]), "can't decode byte 0xff"),
    ],
)
def test_what_does_not_fit_is_refused(tensor, message):
    with pytest.raises(ValueError, match=message):
        _tensors.to_array(tensor)
