import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework.tensor_pb2 import TensorProto

from kerassent.server.tensors import decode_tensor, encode_tensor

DTYPES = (
    "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
    "uint64 bool complex64 complex128"
).split()


def proto(dtype, shape, **fields):
    made = TensorProto(dtype=dtype.as_datatype_enum, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)
        )
    )
)
def test_numbers_come_back_as_they_went(array):
    encoded = encode_tensor(array)
    assert not encoded.tensor_content
    for reader in (decode_tensor, tf.make_ndarray):
        back = reader(encoded)
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back, array)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(object, hnp.array_shapes(max_dims=2), elements=st.binary()))
def test_bytes_come_back_as_they_went(array):
    back = decode_tensor(encode_tensor(array))
    assert back.dtype == object
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_bfloat16_comes_back_as_it_went():
    array = np.array([0.5, -2.0], tf.bfloat16.as_numpy_dtype)
    encoded = encode_tensor(array)
    assert len(encoded.half_val) == 2
    np.testing.assert_array_equal(decode_tensor(encoded), array)


def test_tensor_content_is_read():
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    packed = tf.make_tensor_proto(array)
    assert packed.tensor_content
    np.testing.assert_array_equal(decode_tensor(packed), array)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [0.0, 0.0, 0.0]),
        ([1.5], [1.5, 1.5, 1.5]),
        ([1.5, 2.5], [1.5, 2.5, 2.5]),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]),
    ],
)
def test_last_value_is_repeated_and_too_many_are_cut(values, expected):
    made = proto(tf.float32, [3], float_val=values)
    assert decode_tensor(made).tolist() == expected
    strings = [b"%g" % value for value in values]
    made = proto(tf.string, [3], string_val=strings)
    assert decode_tensor(made).tolist() == [
        b"%g" % value if values else b"" for value in expected
    ]


@pytest.mark.parametrize(
    "broken",
    [
        TensorProto(),
        TensorProto(dtype=99),
        proto(tf.float32, [-1], float_val=[1.0]),
        proto(tf.float32, [1] * 255, float_val=[1.0]),
        proto(tf.float32, [2], tensor_content=b"abc"),
        proto(tf.string, [1], tensor_content=b"abc"),
        proto(tf.float32, [2**32, 2**32], float_val=[1.0]),
        proto(tf.string, [2**40], string_val=[b"a"]),
        proto(tf.float32, [2**40]),
    ],
)
def test_what_cpp_cannot_parse_is_refused(broken):
    with pytest.raises(ValueError):  # noqa: PT011
        decode_tensor(broken)


def test_unknown_rank_is_refused():
    made = TensorProto(dtype=tf.float32.as_datatype_enum)
    made.tensor_shape.unknown_rank = True
    with pytest.raises(ValueError, match="unknown rank"):
        decode_tensor(made)
