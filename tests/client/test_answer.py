import numpy as np
import pytest

from kerassent.client._address import parse_url
from kerassent.client._answer import check_output_names, checked_answer
from kerassent.client._target import Target
from kerassent.contract import Prediction
from kerassent.errors import ServingError

TARGET = Target(parse_url("grpc://localhost"), "sentiment", version=3)


def outputs(**changes):
    arrays = {
        "label": np.array(["pos", "neg"], object),
        "score": np.array([0.75, 0.5], np.float32),
        "probabilities": np.array([[0.25, 0.75], [0.5, 0.5]], np.float32),
        "class_names": np.array([["neg", "pos"]] * 2, object),
    }
    return arrays | changes


def test_answer_becomes_predictions_in_order():
    answer = checked_answer(outputs(), num_texts=2, target=TARGET)
    assert answer.class_names == ("neg", "pos")
    assert answer.predictions() == [
        Prediction("pos", 0.75, {"neg": 0.25, "pos": 0.75}),
        Prediction("neg", 0.5, {"neg": 0.5, "pos": 0.5}),
    ]
    assert type(answer.predictions()[0].score) is float


@pytest.mark.parametrize(
    "changes",
    [
        {"label": np.array(["pos"], object)},
        {"score": np.zeros((2, 1), np.float32)},
        {"probabilities": np.zeros(2, np.float32)},
        {"probabilities": np.float32(1)},
        {"probabilities": np.zeros((2, 3), np.float32)},
        {"class_names": np.array(["neg", "pos"], object)},
        {
            "probabilities": np.zeros((2, 0), np.float32),
            "class_names": np.zeros((2, 0), object),
        },
    ],
)
def test_shapes_that_do_not_fit_are_refused(changes):
    with pytest.raises(
        ServingError,
        match=r"'sentiment', version 3 at localhost:8500 \(gRPC\) gave "
        r"outputs of the shapes .* for 2 texts. Expected .* "
        r"\(2, num_classes\)",
    ):
        checked_answer(outputs(**changes), num_texts=2, target=TARGET)


def test_answer_for_another_number_of_texts_is_refused():
    with pytest.raises(ServingError, match="for 3 texts"):
        checked_answer(outputs(), num_texts=3, target=TARGET)


@pytest.mark.parametrize(
    "class_names",
    [[["neg", "pos"], ["pos", "neg"]], [["pos", "pos"], ["pos", "pos"]]],
)
def test_class_names_that_repeat_or_differ_are_refused(class_names):
    changed = outputs(class_names=np.array(class_names, object))
    with pytest.raises(ServingError, match="repeat or differ between texts"):
        checked_answer(changed, num_texts=2, target=TARGET)


def test_missing_output_is_refused_with_both_lists():
    with pytest.raises(
        ServingError,
        match="Its outputs are 'label', 'logits'; expected 'label', 'score', "
        "'probabilities', 'class_names'. Check `model_name`.",
    ) as caught:
        check_output_names(["logits", "label"], TARGET)
    assert caught.value.model_name == "sentiment"
    assert caught.value.url == "grpc://localhost:8500"


def test_more_outputs_than_needed_are_fine():
    check_output_names([*outputs(), "logits"], TARGET)
