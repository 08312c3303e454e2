import io

import numpy as np
import pytest
from rich.console import Console

from kerassent.calibration import Calibration
from kerassent.comparison import compare
from kerassent.evaluation import evaluate
from kerassent.evaluation_view import (
    calibration_table,
    comparison_tables,
    evaluation_tables,
)
from kerassent.reviews import Reviews


class Fixed:
    """Answers what it was given."""

    def __init__(self, class_names, probabilities):
        self.class_names = class_names
        self.probabilities = np.array(probabilities, np.float32)

    def predict_proba(self, texts):
        return self.probabilities[: len(texts)]


HOSTILE = "[red]\x1b[2J\u202eevil\n\n[/]" + "long " * 500
REVIEWS = Reviews(["a", "b", HOSTILE, "d"], ["[b]neg", "pos", "pos", "pos"])
MODEL = Fixed(
    ("[b]neg", "pos"), [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
)
OTHER = Fixed(
    ("[b]neg", "pos"), [[0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.3, 0.7]]
)


def printed(*renderables, width=120):
    console = Console(width=width, file=io.StringIO())
    for each in renderables:
        console.print(each)
    return console.file.getvalue()


def test_an_evaluation_shows_its_verdict_first():
    shown = printed(*evaluation_tables(evaluate(MODEL, REVIEWS)))
    assert shown.startswith(
        "accuracy 0.7500 (0.3006 to 0.9544), log loss 0.4004, 4 reviews\n"
    )
    assert "0.6667" in shown  # the recall of pos
    assert "worst of 1 mistakes (0 likely mislabelled: ?)" in shown
    for name in ("Brier", "Matthews", "Cohen", "area under ROC", "by length"):
        assert name in shown


@pytest.mark.parametrize("width", [60, 120])
def test_texts_of_others_are_shown_and_not_obeyed(width):
    shown = printed(*evaluation_tables(evaluate(MODEL, REVIEWS)), width=width)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]" in shown
    assert "[b]neg" in shown
    assert shown.count("long") < 40


def test_what_is_undefined_is_said_to_be():
    one = Reviews(["a"], ["pos"], class_names=MODEL.class_names)
    assert (
        printed(*evaluation_tables(evaluate(MODEL, one))).count("undefined")
        >= 2
    )


def test_a_comparison_shows_what_was_lost_and_gained():
    shown = printed(*comparison_tables(compare(MODEL, OTHER, REVIEWS)))
    first, *_ = shown.splitlines()
    assert first.startswith("accuracy 0.7500 -> 0.7500: +0.0000 (")
    assert first.endswith("McNemar's p 1: no proof that either is better")
    assert "only the old model is right" in shown
    assert "only the new model is right" in shown
    assert "[b]neg 0.900" in shown
    assert "pos 0.600" in shown


def test_a_calibration_shows_before_and_after():
    shown = printed(
        calibration_table(
            Calibration(1.8, 1.0, 2000, 0.3, 0.25, 0.07, 0.01, (), ())
        )
    )
    lines = [line for line in shown.splitlines() if "calibration" in line]
    assert "0.0700" in lines[0] and "0.0100" in lines[0]
    assert "2,000 reviews" in shown
    assert "1.8000" in shown
