import numpy as np
import pytest

from kerassent.data_checks.label_errors import (
    cross_probabilities,
    likely_errors,
)
from kerassent.data_checks.words import Words


def judged(texts, ids, *, groups=None, train=None, num_classes=2):
    words = Words(texts)
    return cross_probabilities(
        words,
        np.array(ids, np.int32),
        np.arange(len(texts)) if groups is None else np.array(groups),
        np.ones(len(texts), bool) if train is None else np.array(train),
        num_classes=num_classes,
    )


def test_planted_errors_are_found(writer):
    """Three in a hundred labels are turned round."""
    rows = writer.rows(2000)
    texts = [text for text, _ in rows]
    right = np.array([label == "pos" for _, label in rows], np.int32)
    wrong = np.random.default_rng(1).random(2000) < 0.03
    ids = np.where(wrong, 1 - right, right).astype(np.int32)
    probabilities = judged(texts, ids)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(2000))
    assert ((probabilities[:, 1] > 0.5) == right).mean() > 0.95
    found = likely_errors(probabilities, ids)
    caught = (found & wrong).sum()
    assert caught > 0.6 * wrong.sum()
    assert caught > 0.9 * found.sum()
    # The likeliest are nearly all errors.
    margins = probabilities[np.arange(2000), ids]
    first = np.argsort(np.where(found, margins, 2))[: wrong.sum() // 2]
    assert wrong[first].mean() > 0.9


def test_a_text_is_not_judged_by_its_own_copies(writer):
    """Ten copies of one text, all with the wrong label."""
    rows = writer.rows(400)
    texts = [text for text, _ in rows] + [rows[0][0]] * 10
    ids = [int(label == "pos") for _, label in rows] + [0] * 10
    groups = [*range(400), *[0] * 10]
    apart = judged(texts, ids, groups=groups)
    assert (apart[400:, 1] > 0.5).all()
    # Where they count as others, they say that they are right.
    together = judged(texts, ids)
    assert (together[400:, 0] > 0.5).all()


def test_a_test_is_judged_by_the_training_alone(writer):
    """The test's labels are all turned round, and nobody learns from that."""
    rows = writer.rows(600)
    texts = [text for text, _ in rows]
    right = np.array([label == "pos" for _, label in rows], np.int32)
    train = np.arange(600) < 300
    ids = np.where(train, right, 1 - right).astype(np.int32)
    found = judged(texts, ids, train=train)
    assert ((found[:, 1] > 0.5) == right)[300:].mean() > 0.85


def test_three_classes_and_unlabelled_texts(writer):
    texts, ids = [], []
    for name, words in enumerate(("red", "green", "blue")):
        for _ in range(40):
            texts.append(f"{writer.text(words=6)} {words} {words}x")
            ids.append(name)
    texts += [f"{writer.text(words=6)} green greenx" for _ in range(2)]
    ids += [-1, 0]
    found = judged(texts, ids, num_classes=3)
    assert found.shape == (122, 3)
    assert found.argmax(axis=1)[:120].tolist() == ids[:120]
    assert found[120:].argmax(axis=1).tolist() == [1, 1]
    flagged = likely_errors(found, np.array(ids))
    assert flagged.nonzero()[0].tolist() == [121]


def test_too_few_texts_judge_nothing(writer):
    rows = writer.rows(20)
    ids = [int(label == "pos") for _, label in rows]
    assert judged([text for text, _ in rows], ids) is None
    assert judged(["a"] * 50, [0] * 50, num_classes=1) is None


def test_likely_errors_are_where_a_model_is_surer_than_usual():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.75, 0.25], [0.2, 0.8]])
    # Usual are 0.8 for the first class and, 0.525 for the second.
    ids = np.array([0, 0, 1, 1])
    assert likely_errors(probabilities, ids).tolist() == [False] * 4
    probabilities[2] = [0.85, 0.15]
    assert likely_errors(probabilities, ids).tolist() == [
        False,
        False,
        True,
        False,
    ]
    assert not likely_errors(probabilities, np.array([0, 0, -1, 1])).any()
