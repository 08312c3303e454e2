import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from kerassent import text_windows
from kerassent.evaluation import evaluate
from kerassent.reviews import Reviews, load_reviews


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


class CountsGood:
    """Says "pos" where a text says good; remembers how many it was given."""

    class_names = ("pos", "neg")

    def __init__(self):
        self.given = []

    def predict_proba(self, texts):
        self.given.append(len(texts))
        good = np.array(["good" in text for text in texts])
        return np.where(good[:, None], [[0.8, 0.2]], [[0.4, 0.6]])


@pytest.fixture
def large_csv(tmp_path):
    """6,000 reviews of 5 kB each: 30 MB."""
    file = tmp_path / "large.csv"
    filler = "film " * 1000
    with file.open("w") as opened:
        opened.write("text,label\n")
        for i in range(6000):
            text, label = ("good", "pos") if i % 3 else ("bad", "neg")
            label = "neg" if i % 100 == 1 else label  # 60 are wrong
            opened.write(f"{text} {filler}{i},{label}\n")
    return file


def test_a_stream_is_evaluated_a_window_at_a_time(large_csv, monkeypatch):
    monkeypatch.setattr(text_windows, "WINDOW", 500)
    stream = load_reviews(large_csv, text="text", label="label", stream=True)
    model = CountsGood()
    tracemalloc.start()
    found = evaluate(model, stream, num_timed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.given == [500] * 12
    # A window is 2.5 MB, all of the texts are 30.
    assert peak < 15e6
    assert found.num_reviews == 6000
    assert found.confusion_matrix[0] == (3960, 0)
    assert found.confusion_matrix[1] == (40, 2000)
    reviews = load_reviews(large_csv, text="text", label="label")
    assert evaluate(CountsGood(), reviews) == found


def test_a_classifier_says_the_same_of_a_stream(
    tiny_run, easy_reviews, tmp_path, monkeypatch
):
    file = tmp_path / "easy.csv"
    pd.DataFrame(
        {"text": easy_reviews.texts, "label": easy_reviews.labels}
    ).to_csv(file, index=False)
    expected = evaluate(tiny_run[0], easy_reviews)
    monkeypatch.setattr(text_windows, "WINDOW", 64)
    stream = load_reviews(file, text="text", label="label", stream=True)
    found = evaluate(tiny_run[0], stream)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-6)
    assert found.confusion_matrix == expected.confusion_matrix
    assert found.num_reviews == 160


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
    with pytest.raises(ValueError, match="doesn't know: 'meh'"):
        evaluate(MODEL, Reviews(["a", "b"], ["neg", "meh"]))
    with pytest.raises(TypeError, match="`reviews` must be Reviews"):
        evaluate(MODEL, "reviews.csv")
