import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kerassent.class_weights import resolve_class_weights

NAMES = ("bad", "fair", "good")
LABEL_IDS = np.array([0] * 2 + [1] * 3 + [2] * 7, np.int32)


def test_none_is_none():
    assert resolve_class_weights(None, LABEL_IDS, NAMES) is None


def test_balanced_is_scikit_learns():
    found = resolve_class_weights("balanced", LABEL_IDS, NAMES)
    expected = compute_class_weight(
        "balanced", classes=np.arange(3), y=LABEL_IDS
    )
    assert list(found) == [0, 1, 2]
    assert list(found.values()) == pytest.approx(list(expected), rel=1e-12)
    assert found == pytest.approx({0: 2.0, 1: 4 / 3, 2: 4 / 7})
    assert all(type(weight) is float for weight in found.values())


def test_named_weights_get_the_classes_positions():
    found = resolve_class_weights(
        {"good": 1, "bad": np.float32(2.5), "fair": 0.5}, LABEL_IDS, NAMES
    )
    assert found == {0: 2.5, 1: 0.5, 2: 1.0}
    assert all(type(weight) is float for weight in found.values())


def test_named_weights_need_no_review_of_a_class():
    one = np.zeros(3, np.int32)
    assert resolve_class_weights({"a": 1, "b": 2}, one, ("a", "b")) == {
        0: 1.0,
        1: 2.0,
    }


@pytest.mark.parametrize("present, lacking", [([0, 2], "fair"), ([0], "fair")])
def test_balanced_wants_reviews_of_each_class(present, lacking):
    with pytest.raises(
        ValueError, match=f"There are none of '{lacking}'.* add some"
    ):
        resolve_class_weights("balanced", np.array(present), NAMES)


@pytest.mark.parametrize(
    "choice, message",
    [
        ("even", "None, 'balanced' or a weight .* Received: 'even'"),
        (2.0, "None, 'balanced' or a weight .* Received: 2.0"),
        (
            {"bad": 1, "fair": 1, "goood": 1},
            "has 'goood', which is no class. The classes are 'bad', 'fair', ",
        ),
        ({"bad": 1, "good": 1}, "'good'. Missing: 'fair'"),
        ({"bad": 1, "fair": 0, "good": 1}, "above 0. Received: 0 for 'fair'"),
        ({"bad": 1, "fair": -1, "good": 1}, "Received: -1 for 'fair'"),
        ({"bad": float("nan"), "fair": 1, "good": 1}, "nan for 'bad'"),
        ({"bad": float("inf"), "fair": 1, "good": 1}, "inf for 'bad'"),
        ({"bad": "2", "fair": 1, "good": 1}, "Received: '2' for 'bad'"),
    ],
)
def test_errors_say_what_is_wrong(choice, message):
    with pytest.raises(ValueError, match=message):
        resolve_class_weights(choice, LABEL_IDS, NAMES)
