import re
from collections import Counter

import openpyxl
import pytest

from kerassent.packaged_sample import load_sample
from kerassent.prediction import predict
from kerassent.quickstart import QUESTIONS, quickstart
from kerassent.run_record import read_info
from kerassent.saved_model.exporting import export


def test_the_sample_is_balanced_and_each_review_its_own():
    reviews = load_sample()
    assert reviews.class_names == ("neg", "pos")
    assert reviews.summary().class_counts == {"neg": 252, "pos": 252}
    assert reviews.summary().duplicates == 0
    runs = Counter()
    for text in reviews.texts:
        words = re.findall(r"[\w']+", text.lower())
        runs.update({tuple(words[i : i + 6]) for i in range(len(words) - 5)})
    assert [run for run, count in runs.items() if count > 1] == []


def test_the_sample_has_several_lengths_in_both_classes():
    reviews = load_sample()
    for name in reviews.class_names:
        lengths = [
            len(text.split())
            for text, label in zip(reviews.texts, reviews.labels, strict=True)
            if label == name
        ]
        assert sum(length <= 10 for length in lengths) > 40
        assert sum(10 < length <= 35 for length in lengths) > 80
        assert sum(length > 35 for length in lengths) > 40


def test_the_questions_are_not_in_the_sample():
    texts = " ".join(load_sample().texts).lower()
    for question, _ in QUESTIONS:
        for sentence in question.lower().split("."):
            assert sentence.strip() not in texts


@pytest.mark.slow
def test_the_whole_way(tmp_path):
    said = []
    labels = quickstart(tmp_path / "quick", say=said.append)
    expected = ["neg", "pos", "pos"]
    assert labels == {"gRPC": expected, "REST": expected}
    home = tmp_path / "quick"
    for path in ("train.xlsx", "test.xlsx", "run", "models/sentiment/1"):
        assert (home / path).exists()
        assert any(str(home / path) in line for line in said)
    sheet = openpyxl.load_workbook(home / "train.xlsx").active
    assert [cell.value for cell in sheet[1]] == ["Reviews", "Sentiment"]
    assert sheet.max_row == 401
    texts = [text for text, _ in QUESTIONS]
    assert [p.label for p in predict(home / "run", texts)] == expected
    assert read_info(home / "run")["valid"]["accuracy"] > 0.7
    # Once more: the earlier run is replaced, the model gets a new version.
    export(home / "run", home / "models/sentiment")
    assert (home / "models/sentiment/2").is_dir()
