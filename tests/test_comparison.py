import json

import numpy as np
import pytest

from kerassent.comparison import (
    bootstrap_interval,
    compare,
    mcnemar_p_value,
)
from kerassent.evaluation import evaluate
from kerassent.reviews import Reviews


class Fixed:
    """Says of text number i what it was given for it."""

    def __init__(self, class_names, probabilities):
        self.class_names = tuple(class_names)
        self.probabilities = np.array(probabilities, np.float32)

    def predict_proba(self, texts):
        return self.probabilities[[int(text.split()[0]) for text in texts]]


# (label, P(pos) of the old model, P(pos) of the new one)
ROWS = [
    ("pos", 0.9, 0.8),  # both right
    ("neg", 0.1, 0.2),  # both right
    ("neg", 0.8, 0.7),  # both wrong
    ("pos", 0.6, 0.3),  # lost, the new one is sure at 0.7
    ("neg", 0.4, 0.9),  # lost, at 0.9
    ("neg", 0.7, 0.1),  # gained, the old one was sure at 0.7
    ("pos", 0.2, 0.6),  # gained, at 0.8
    ("pos", 0.35, 0.6),  # gained, at 0.65
]
LABELS, OLD, NEW = (np.array(each) for each in zip(*ROWS, strict=True))
REVIEWS = Reviews([f"{i} text" for i in range(8)], list(LABELS))
OLD_MODEL = Fixed(("neg", "pos"), np.stack([1 - OLD, OLD], axis=1))
# Its classes are in another order.
NEW_MODEL = Fixed(("pos", "neg"), np.stack([NEW, 1 - NEW], axis=1))


def test_the_reviews_on_which_they_differ():
    found = compare(OLD_MODEL, NEW_MODEL, REVIEWS)
    assert (found.both_right, found.both_wrong) == (2, 1)
    assert (found.only_old_right, found.only_new_right) == (2, 3)
    assert found.num_differences == 5
    assert [each.index for each in found.lost] == [4, 3]
    assert [each.index for each in found.gained] == [6, 5, 7]
    first = found.lost[0]
    assert (first.text, first.label) == ("4 text", "neg")
    assert (first.old_predicted, first.new_predicted) == ("neg", "pos")
    assert first.old_score == pytest.approx(0.6)
    assert first.new_score == pytest.approx(0.9)
    assert found.accuracy_difference == 1 / 8
    assert found.old == evaluate(OLD_MODEL, REVIEWS)
    assert found.new == evaluate(NEW_MODEL, REVIEWS)
    assert found.verdict == "no proof"
    assert json.loads(json.dumps(found.to_dict()))["verdict"] == "no proof"


def test_mcnemars_test_is_exact():
    """Binomial tails, counted by hand."""
    assert mcnemar_p_value(0, 0) == 1.0
    assert mcnemar_p_value(3, 3) == 1.0
    assert mcnemar_p_value(0, 5) == pytest.approx(2 / 2**5)
    assert mcnemar_p_value(5, 0) == pytest.approx(2 / 2**5)
    tail = 1 + 14 + 14 * 13 / 2
    assert mcnemar_p_value(2, 12) == pytest.approx(2 * tail / 2**14)
    # With many it is the chi-squared test's (here 400/20000 squared: 8).
    assert mcnemar_p_value(9800, 10200) == pytest.approx(0.00477, abs=1e-4)


def test_the_bootstrap_is_that_of_resampled_reviews():
    lost, gained, num_reviews = 30, 60, 500
    each = np.array([-1] * lost + [1] * gained + [0] * (num_reviews - 90))
    rng = np.random.default_rng(5)
    means = [
        each[rng.integers(0, num_reviews, num_reviews)].mean()
        for _ in range(10_000)
    ]
    found = bootstrap_interval(lost, gained, num_reviews, seed=0)
    assert found == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=3e-3)
    assert found == bootstrap_interval(lost, gained, num_reviews, seed=0)
    assert bootstrap_interval(0, 0, 7, seed=0) == (0.0, 0.0)
    assert bootstrap_interval(0, 7, 7, seed=0) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "verdict"), [(0.4, 0.9, "better"), (0.9, 0.4, "worse")]
)
def test_the_verdict_goes_with_the_new_model(old, new, verdict):
    reviews = Reviews([f"{i}" for i in range(20)], ["pos"] * 10 + ["neg"] * 10)
    truth = np.repeat([1.0, 0.0], 10)

    def model(right):
        pos = np.where(truth, right, 1 - right)
        return Fixed(("neg", "pos"), np.stack([1 - pos, pos], axis=1))

    found = compare(model(old), model(new), reviews)
    assert found.verdict == verdict
    assert found.accuracy_difference == (1.0 if verdict == "better" else -1.0)
