import json
import math

import numpy as np
import pytest

from kerassent.evaluation import evaluate
from kerassent.reviews import Reviews


class Fixed:
    """Answers what it was given: evaluate takes any model of this form."""

    def __init__(self, class_names, probabilities):
        self.class_names = class_names
        self.probabilities = np.array(probabilities, np.float32)

    def predict_proba(self, texts):
        return self.probabilities[: len(texts)]


MODEL = Fixed(("neg", "pos"), [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
REVIEWS = Reviews(["a", "b", "c", "d"], ["neg", "pos", "pos", "pos"])


def test_figures_are_those_of_their_definitions():
    found = evaluate(MODEL, REVIEWS)
    assert found.num_reviews == 4
    assert found.accuracy == 0.75
    assert found.log_loss == pytest.approx(
        -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.7)) / 4
    )
    assert found.confusion_matrix == ((1, 0), (1, 2))
    assert found.precision == pytest.approx((1 / 2, 1.0))
    assert found.recall == pytest.approx((1.0, 2 / 3))
    assert found.f1 == pytest.approx((2 / 3, 4 / 5))


def test_classes_are_matched_by_name():
    turned = Fixed(("pos", "neg"), MODEL.probabilities[:, ::-1])
    assert evaluate(turned, REVIEWS).accuracy == 0.75
    assert evaluate(turned, REVIEWS).confusion_matrix == ((2, 1), (0, 1))


def test_a_class_without_reviews_is_no_error():
    found = evaluate(MODEL, Reviews(["a"], ["neg"], class_names=["neg", "pos"]))
    assert found.recall == (1.0, 0.0)
    assert found.log_loss == pytest.approx(-math.log(0.9))


def test_json_holds_it():
    found = json.loads(json.dumps(evaluate(MODEL, REVIEWS).to_dict()))
    assert found["confusion_matrix"] == [[1, 0], [1, 2]]
    assert found["class_names"] == ["neg", "pos"]


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="must have labels: pass `label=`"):
        evaluate(MODEL, Reviews(["a"]))
    with pytest.raises(ValueError, match=r"doesn't know: \['meh'\]"):
        evaluate(MODEL, Reviews(["a", "b"], ["neg", "meh"]))
