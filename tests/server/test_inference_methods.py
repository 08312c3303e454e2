"""What Classify and Regress make of a model's outputs, and what they refuse."""

import numpy as np
import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from kerassent.server.classification import CLASSIFY
from kerassent.server.regression import REGRESS
from kerassent.server.status import StatusError


def signature(inputs, outputs):
    made = SignatureDef()
    for alias in inputs:
        made.inputs[alias].name = f"{alias}:0"
    for alias in outputs:
        made.outputs[alias].name = f"{alias}:0"
    return made


def strings(*rows):
    return np.array(rows, object)


def test_tensors_are_found_by_their_aliases():
    both = signature(["inputs"], ["scores", "classes"])
    assert CLASSIFY.tensors(both) == (
        "inputs:0",
        {"classes": "classes:0", "scores": "scores:0"},
    )
    one = signature(["inputs"], ["outputs"])
    assert REGRESS.tensors(one) == ("inputs:0", {"outputs": "outputs:0"})


@pytest.mark.parametrize(
    ("method", "made", "message"),
    [
        (
            CLASSIFY,
            signature(["a", "inputs"], ["scores"]),
            "INVALID_ARGUMENT: Expected one input Tensor.",
        ),
        (
            CLASSIFY,
            signature(["inputs"], ["classes", "scores", "more"]),
            "INVALID_ARGUMENT: Expected one or two output Tensors, found 3",
        ),
        (
            CLASSIFY,
            signature(["x"], ["scores"]),
            "FAILED_PRECONDITION: No classification inputs found in "
            "SignatureDef: ",
        ),
        (
            CLASSIFY,
            signature(["inputs"], ["y"]),
            "FAILED_PRECONDITION: Expected classification signature outputs "
            'to contain at least one of "classes" or "scores". Signature '
            "was: ",
        ),
        (
            REGRESS,
            signature([], ["outputs"]),
            "INVALID_ARGUMENT: Expected one input Tensor.",
        ),
        (
            REGRESS,
            signature(["inputs"], ["outputs", "more"]),
            "INVALID_ARGUMENT: Expected one output Tensor.",
        ),
        (
            REGRESS,
            signature(["x"], ["outputs"]),
            "FAILED_PRECONDITION: No regression inputs found in SignatureDef: ",
        ),
        (
            REGRESS,
            signature(["inputs"], ["y"]),
            "FAILED_PRECONDITION: No regression outputs found in "
            "SignatureDef: ",
        ),
    ],
)
def test_signature_of_another_kind_is_refused(method, made, message):
    with pytest.raises(StatusError) as caught:
        method.tensors(made)
    assert str(caught.value).startswith(message)


def test_scores_alone_will_do():
    result = CLASSIFY.result({"scores": np.float32([[0.25, 0.75]])}, 1)
    (row,) = result.classifications
    assert [(c.label, c.score) for c in row.classes] == [
        ("", 0.25),
        ("", 0.75),
    ]


def test_label_that_is_no_utf8_is_replaced():
    result = CLASSIFY.result({"classes": strings([b"a\xff"])}, 1)
    assert result.classifications[0].classes[0].label == "a\ufffd"


def test_one_column_is_a_vector():
    result = REGRESS.result({"outputs": np.float32([[1], [2]])}, 2)
    assert [r.value for r in result.regressions] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("method", "arrays", "message"),
    [
        (
            CLASSIFY,
            {"classes": strings(b"a", b"b")},
            "Expected Tensor shape: [batch_size num_classes] but got [2]",
        ),
        (
            CLASSIFY,
            {"classes": np.float32([[1], [2]])},
            "Expected classes Tensor of DT_STRING. Got: DT_FLOAT",
        ),
        (
            CLASSIFY,
            {"classes": strings([b"a"])},
            "Expected classes output batch size of 2. Got: 1",
        ),
        (
            CLASSIFY,
            {"scores": np.float64([[1], [2]])},
            "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
        ),
        (
            CLASSIFY,
            {"scores": np.float32([[1], [2], [3]])},
            "Expected scores output batch size of 2. Got: 3",
        ),
        (
            CLASSIFY,
            {
                "classes": strings([b"a"], [b"b"]),
                "scores": np.float32([[1, 2], [3, 4]]),
            },
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
        (
            REGRESS,
            {"outputs": np.float32([[1, 2], [3, 4]])},
            "Expected output Tensor shape to be either [batch_size] or "
            "[batch_size, 1] but got [2,2]",
        ),
        (
            REGRESS,
            {"outputs": np.float32([1])},
            "Input batch size did not match output batch size: 2 vs. 1",
        ),
        (
            REGRESS,
            {"outputs": np.float64([1, 2])},
            "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
        ),
    ],
)
def test_outputs_that_are_no_answer_are_refused(method, arrays, message):
    with pytest.raises(StatusError) as caught:
        method.result(arrays, 2)
    assert str(caught.value) == f"INVALID_ARGUMENT: {message}"
