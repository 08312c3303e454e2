import numpy as np
import pandas as pd
import pytest

from kerassent.evaluation import evaluate
from kerassent.reviews import Reviews, load_reviews


class Fixed:
    """Says of text number i what it was given for it."""

    def __init__(self, class_names, probabilities):
        self.class_names = tuple(class_names)
        self.probabilities = np.array(probabilities, np.float32)

    def predict_proba(self, texts):
        return self.probabilities[[int(text.split()[0]) for text in texts]]


NAMES = ("bad", "good", "mixed")
ROWS = [
    # label, probabilities
    ("bad", (0.9, 0.1, 0.0)),
    ("bad", (0.7, 0.2, 0.1)),
    ("bad", (0.1, 0.85, 0.05)),  # surer of good than of goods: mislabelled?
    ("good", (0.2, 0.7, 0.1)),
    ("good", (0.3, 0.6, 0.1)),
    ("good", (0.48, 0.42, 0.1)),  # wrong, but not as sure as of bads
    ("bad", (0.14, 0.0, 0.86)),  # no review is "mixed": nothing to compare to
    ("good", (0.89, 0.11, 0.0)),  # surer of bad than of bads
]
# The mean probability of their label is 0.46 for bads, 0.4575 for goods.


@pytest.fixture
def found():
    labels, probabilities = zip(*ROWS, strict=True)
    texts = [f"{i} text" for i in range(len(ROWS))]
    return evaluate(
        Fixed(NAMES, probabilities), Reviews(texts, labels, class_names=NAMES)
    )


def test_the_surest_mistakes_come_first(found):
    assert [each.index for each in found.mistakes] == [7, 6, 2, 5]
    assert found.num_mistakes == 4
    worst = found.mistakes[0]
    assert worst.row == "row 7, counted from 0"
    assert (worst.text, worst.num_characters) == ("7 text", 6)
    assert (worst.label, worst.predicted) == ("good", "bad")
    assert worst.score == pytest.approx(0.89)
    assert worst.label_probability == pytest.approx(0.11)


def test_the_likely_mislabelled_are_surer_than_usual(found):
    # 0.48 is above 0.46, the mean of the bads; nothing is known of "mixed".
    assert [each.index for each in found.likely_mislabelled] == [7, 2, 5]
    assert found.num_likely_mislabelled == 3
    assert [each.likely_mislabelled for each in found.mistakes] == [
        *(True, False, True, True)
    ]


def test_a_class_that_the_model_is_sure_of_is_hard_to_take_a_label_from():
    probabilities = [(0.99, 0.01)] * 9 + [(0.8, 0.2)]
    texts = [str(i) for i in range(10)]
    found = evaluate(
        Fixed(NAMES[:2], probabilities), Reviews(texts, ["bad"] * 9 + ["good"])
    )
    assert [each.index for each in found.mistakes] == [9]
    assert not found.mistakes[0].likely_mislabelled
    assert (found.num_likely_mislabelled, found.likely_mislabelled) == (0, ())


def test_their_number_and_length_are_limited_for_a_stream_too(tmp_path):
    num_reviews = 300
    scores = np.linspace(0.51, 0.99, num_reviews)
    model = Fixed(NAMES[:2], np.stack([scores, 1 - scores], axis=1))
    frame = pd.DataFrame(
        {
            "text": [f"{i} {'long ' * 1000}" for i in range(num_reviews)],
            "label": ["good"] * (num_reviews - 2) + ["bad"] * 2,
        }
    )
    frame.to_csv(tmp_path / "long.csv", index=False)
    columns = {"text": "text", "label": "label"}
    stream = load_reviews(tmp_path / "long.csv", stream=True, **columns)
    found = evaluate(model, stream)
    assert found.num_mistakes == num_reviews - 2
    assert [each.index for each in found.mistakes] == [
        *range(num_reviews - 3, num_reviews - 53, -1)
    ]
    for each in found.mistakes:
        assert each.text == f"{each.index} {'long ' * 1000}"[:2000]
        assert each.num_characters == len(f"{each.index} ") + 5000
        assert each.row == f"line {each.index + 2}"
    found_in_memory = evaluate(
        model, load_reviews(tmp_path / "long.csv", **columns)
    )
    assert found_in_memory == found
    _, part = stream.split(test_size=0.2, seed=0)
    for each in evaluate(model, part).mistakes:
        assert each.row == f"line {int(each.text.split()[0]) + 2}"
