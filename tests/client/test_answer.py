import numpy as np
import pytest

from kerassent.client._address import parse_url
from kerassent.client._answer import (
    as_it_is,
    checked_answer,
    checked_classes,
    checked_explanations,
    joined,
)
from kerassent.client._target import Target
from kerassent.contract import Explanation, Prediction, Word
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
        {"probabilities": np.ones((), np.float32)},
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


SHARES = np.array([[0.25, 0.75], [0.625, 0.375]], np.float32)
NUMBERED = [
    Prediction("1", 0.75, {"0": 0.25, "1": 0.75}),
    Prediction("0", 0.625, {"0": 0.625, "1": 0.375}),
]


def test_only_output_that_can_be_probabilities_is_taken_and_numbered():
    others = {"length": np.array([3, 4]), "upper": np.array(["A", "B"], object)}
    answer = checked_answer(
        others | {"output_0": SHARES}, num_texts=2, target=TARGET
    )
    assert answer.class_names == ("0", "1")
    assert answer.predictions() == NUMBERED


def test_classes_and_scores_are_class_names_and_probabilities():
    names = np.array([["a", "b"]] * 2, object)
    answer = checked_answer(
        {"classes": names, "scores": SHARES}, num_texts=2, target=TARGET
    )
    assert answer.predictions()[1] == Prediction(
        "a", 0.625, {"a": 0.625, "b": 0.375}
    )


def test_missing_label_and_score_are_those_of_the_likeliest_class():
    given = {"probabilities": SHARES, "class_names": outputs()["class_names"]}
    answer = checked_answer(given, num_texts=2, target=TARGET)
    assert answer.labels == ["pos", "neg"]
    assert answer.scores.tolist() == [0.75, 0.625]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"label": np.array(["pos", "neg"], object)},
        {"logits": np.array([[1, -1], [2, 0]], np.float32)},
        {"logits": np.array([[0.2, 0.2], [0.5, 0.5]], np.float32)},
        {"logits": np.array([[2.0, -1.0], [0.5, 0.5]], np.float32)},
        {"sigmoid": np.array([[0.2], [0.9]], np.float32)},
        {"sigmoid": np.array([[1.0], [1.0]], np.float32)},
        {"a": SHARES, "b": SHARES},
        {"ids": np.array([[0, 1], [1, 0]])},
        {"probabilities": np.array([["a", "b"]] * 2, object)},
        {"shares": SHARES[:1]},
    ],
)
def test_what_may_be_no_probabilities_is_refused_with_what_to_do(given):
    with pytest.raises(
        ServingError,
        match="gives no probabilities. Its outputs are .*; expected "
        r"`probabilities` \(2, num_classes\), .*`Client.outputs\(texts\)`",
    ) as caught:
        checked_answer(given, num_texts=2, target=TARGET)
    for name, array in given.items():
        assert f"'{name}' {array.dtype} {array.shape}" in str(caught.value)
    assert caught.value.model_name == "sentiment"
    assert caught.value.url == "grpc://localhost:8500"


def test_class_with_the_highest_score_is_the_label():
    classes = [[("a", 0.25), ("b", 0.75)], [("", 0.5), ("", 0.25)]]
    assert checked_classes(classes, num_texts=2, target=TARGET) == [
        Prediction("b", 0.75, {"a": 0.25, "b": 0.75}),
        Prediction("0", 0.5, {"0": 0.5, "1": 0.25}),
    ]


@pytest.mark.parametrize("classes", [[], [[("a", 1.0)]], [[("a", 1.0)], []]])
def test_text_without_a_class_is_refused(classes):
    with pytest.raises(ServingError, match="texts of 2, or gave some no class"):
        checked_classes(classes, num_texts=2, target=TARGET)


def explained(**changes):
    arrays = {
        "label": np.array(["pos", "neg"], object),
        "score": np.array([0.75, 0.5], np.float32),
        "words": np.array([["a", "film"], ["", ""]], object),
        "starts": np.array([[0, 2], [-1, -1]], np.int32),
        "ends": np.array([[1, 6], [-1, -1]], np.int32),
        "attributions": np.array([[0.5, -2.0], [0, 0]], np.float32),
        "completeness_error": np.array([0.25, 0], np.float32),
    }
    return arrays | changes


def test_explanations_have_no_padding():
    assert checked_explanations(explained(), num_texts=2, target=TARGET) == [
        Explanation(
            "pos", 0.75, (Word("a", 0, 1, 0.5), Word("film", 2, 6, -2.0)), 0.25
        ),
        Explanation("neg", 0.5, (), 0.0),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": np.zeros((2, 1), np.int32)},
        {"attributions": np.zeros((2, 2), np.int32)},
        {"words": np.array(["a", "b"], object)},
        {"words": np.zeros((2, 2), np.float32)},
        {"score": np.zeros(3, np.float32)},
        {"completeness_error": np.zeros((2, 2), np.float32)},
    ],
)
def test_what_explains_nothing_is_refused(changes):
    with pytest.raises(
        ServingError,
        match=f"explains nothing: .*{next(iter(changes))}.*`signature_name`",
    ):
        checked_explanations(explained(**changes), num_texts=2, target=TARGET)
    missing = explained()
    del missing[next(iter(changes))]
    with pytest.raises(ServingError, match="explains nothing"):
        checked_explanations(missing, num_texts=2, target=TARGET)


def test_explanations_of_another_number_of_texts_are_refused():
    with pytest.raises(ServingError, match="explains nothing"):
        checked_explanations(explained(), num_texts=1, target=TARGET)


def test_output_without_a_row_for_each_text_is_refused():
    given = {"a": np.zeros((2, 3)), "b": np.zeros(3)}
    with pytest.raises(ServingError, match=r"'b' in the shape \(3,\) for 2"):
        as_it_is(given, num_texts=2, target=TARGET)


def test_parts_are_joined_by_name():
    first = {"a": np.array([1, 2]), "b": np.array([[1.0], [2.0]])}
    second = {"b": np.array([[3.0]]), "a": np.array([3])}
    both = joined([first, second], target=TARGET)
    assert both["a"].tolist() == [1, 2, 3]
    assert both["b"].tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize("second", [{}, {"a": np.zeros((1, 2))}])
def test_parts_that_are_no_rows_of_one_array_are_refused(second):
    with pytest.raises(ServingError, match="no rows of one array"):
        joined([{"a": np.zeros(2)}, second], target=TARGET)
