import subprocess
import sys

import numpy as np
import pytest

from kerassent.answers import ask
from kerassent.reviews import Reviews

REVIEWS = Reviews(["a", "bb", "ccc"], ["neg", "pos", "neg"])


class Fixed:
    """Answers what it was given; remembers what it was asked."""

    def __init__(self, class_names, probabilities):
        self.class_names = class_names
        self.probabilities = probabilities
        self.asked = []

    def predict_proba(self, texts):
        self.asked.append(texts)
        return self.probabilities[: len(texts)]


GOOD = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]


def test_answers_are_beside_what_the_reviews_say():
    found = ask(Fixed(["pos", "neg"], GOOD), REVIEWS)
    assert found.class_names == ("pos", "neg")
    assert found.y_true.tolist() == [1, 0, 1]
    assert found.y_pred.tolist() == [0, 1, 0]
    assert found.scores == pytest.approx([0.9, 0.8, 0.6])
    assert found.label_probabilities == pytest.approx([0.1, 0.2, 0.4])
    assert found.lengths.tolist() == [1, 2, 3]
    assert found.single_ms == ()


def test_reviews_are_timed_one_by_one():
    texts = [str(i) for i in range(100)]
    model = Fixed(["neg", "pos"], [[0.5, 0.5]] * 100)
    found = ask(model, Reviews(texts, ["neg", "pos"] * 50), num_timed=10)
    evenly = [[str(i)] for i in range(0, 100, 10)]
    assert model.asked == [texts, ["0"], *evenly]  # the first warms up
    assert len(found.single_ms) == 10
    assert 0 < max(found.single_ms) < 1000
    with pytest.raises(ValueError, match="`num_timed` must be 0 or more"):
        ask(model, REVIEWS, num_timed=-1)


def test_a_class_that_no_review_has_may_be_unknown():
    reviews = Reviews(["a"], ["neg"], class_names=["meh", "neg", "pos"])
    found = ask(Fixed(["pos", "neg"], GOOD), reviews)
    assert found.y_true.tolist() == [1]


NAN = float("nan")


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[0.9, 0.1]] * 2, r"Received: \(2, 2\)"),
        ([0.1, 0.2, 0.3], r"a column for each class: \(3, 2\)"),
        ([[1.0]] * 3, r"Received: \(3, 1\)"),
        ([*GOOD[:2], [NAN, NAN]], r"review 2, and 0 others.*\[nan, nan\]"),
        ([GOOD[0], [-0.5, 1.5], [3.0, 4.0]], "review 1, and 1 others"),
        ([[2.5, -1.0]] * 3, "If it gives logits, apply softmax"),
        ([[0.0, 0.0]] * 3, "1 together"),
        ([[np.inf, 0.0]] * 3, "1 together"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities, message):
    with pytest.raises(ValueError, match=message):
        ask(Fixed(["neg", "pos"], np.array(probabilities)), REVIEWS)


@pytest.mark.parametrize("names", [["pos"], ["pos", "neg", "pos"], []])
def test_a_model_has_different_classes(names):
    with pytest.raises(ValueError, match="two or more different `class_names`"):
        ask(Fixed(names, GOOD), REVIEWS)


def test_a_rest_client_is_evaluated_without_tensorflow():
    code = (
        "import sys\n"
        "from kerassent.client import Client\n"
        "from kerassent.evaluation import evaluate\n"
        "from kerassent.reviews import Reviews\n"
        "client = Client('http://127.0.0.1:9', model_name='none')\n"
        "try:\n"
        "    evaluate(client, Reviews(['a', 'b'], ['neg', 'pos']))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert 'keras' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.stdout == "ServerUnavailable\n", done.stderr
    assert done.returncode == 0, done.stderr
