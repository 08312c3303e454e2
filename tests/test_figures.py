"""Every figure is scikit-learn's, also where the data are degenerate."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from kerassent.evaluation import evaluate
from kerassent.reviews import Reviews

NAMES = ("awful", "fine", "great", "so-so")


class Fixed:
    """Says of text number i what it was given for it."""

    def __init__(self, class_names, probabilities):
        self.class_names = tuple(class_names)
        self.probabilities = probabilities

    def predict_proba(self, texts):
        return self.probabilities[[int(text.split()[0]) for text in texts]]


def evaluated(y_true, probabilities):
    names = NAMES[: probabilities.shape[1]]
    texts = [f"{i} {'x' * (i % 7)}" for i in range(len(y_true))]
    reviews = Reviews(texts, [names[i] for i in y_true], class_names=names)
    return evaluate(Fixed(names, probabilities), reviews, num_timed=0)


@st.composite
def answers(draw):
    """y_true and float32 probabilities; few values, so that many are equal."""
    num_classes = draw(st.integers(2, 4))
    num_reviews = draw(st.integers(1, 30))
    parts = st.lists(
        st.sampled_from([0, 0, 1, 1, 2, 5, 1000]),
        min_size=num_classes,
        max_size=num_classes,
    ).filter(any)
    raw = draw(st.lists(parts, min_size=num_reviews, max_size=num_reviews))
    probabilities = np.array(raw, np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    known = draw(st.integers(1, num_classes))  # later classes have no review
    y_true = draw(
        st.lists(
            st.integers(0, known - 1),
            min_size=num_reviews,
            max_size=num_reviews,
        )
    )
    return np.array(y_true), probabilities


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_figures_are_scikit_learns(given_answers):
    y_true, probabilities = given_answers
    found = evaluated(y_true, probabilities)  # a warning would be an error
    y_pred = probabilities.argmax(axis=1)
    classes = list(range(probabilities.shape[1]))
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)

    assert found.accuracy == skm.accuracy_score(y_true, y_pred)
    assert found.balanced_accuracy == pytest.approx(
        quietly(skm.balanced_accuracy_score, y_true, y_pred), abs=1e-12
    )
    assert found.log_loss == pytest.approx(
        skm.log_loss(y_true, exact, labels=classes), rel=1e-12, abs=1e-15
    )
    assert found.brier_score == pytest.approx(
        skm.brier_score_loss(y_true, exact, labels=classes), abs=1e-12
    )
    assert found.matthews_corrcoef == pytest.approx(
        quietly(skm.matthews_corrcoef, y_true, y_pred), abs=1e-12
    )
    kappa = quietly(skm.cohen_kappa_score, y_true, y_pred)
    if np.isnan(kappa):
        assert found.cohen_kappa is None
    else:
        assert found.cohen_kappa == pytest.approx(kappa, abs=1e-12)
    for average, there in (
        (None, found),
        ("macro", found.macro),
        ("weighted", found.weighted),
    ):
        expected = skm.precision_recall_fscore_support(
            y_true, y_pred, labels=classes, average=average, zero_division=0.0
        )
        for name, value in zip(
            ("precision", "recall", "f1"), expected[:3], strict=True
        ):
            assert getattr(there, name) == pytest.approx(value, abs=1e-12)
    assert (
        np.array(found.confusion_matrix)
        == skm.confusion_matrix(y_true, y_pred, labels=classes)
    ).all()
    assert found.num_mistakes == np.count_nonzero(y_true != y_pred)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_areas_and_curves_are_scikit_learns(given_answers):
    y_true, probabilities = given_answers
    found = evaluated(y_true, probabilities)
    for k, curves in enumerate(found.curves):
        positive, scores = y_true == k, probabilities[:, k]
        if positive.all() or not positive.any():
            assert curves.roc_auc is None
            assert curves.roc == ()
            assert curves.class_name in curves.undefined
            assert found.roc_auc is None
        else:
            assert curves.undefined == ""
            assert curves.roc_auc == pytest.approx(
                skm.roc_auc_score(positive, scores), abs=1e-12
            )
            x, y, _ = skm.roc_curve(positive, scores)
            assert np.array(curves.roc) == pytest.approx(np.array([x, y]).T)
        if positive.any():
            assert curves.average_precision == pytest.approx(
                skm.average_precision_score(positive, scores), abs=1e-12
            )
            precision, recall, _ = skm.precision_recall_curve(positive, scores)
            assert np.array(curves.precision_recall) == pytest.approx(
                np.array([recall, precision]).T[::-1]
            )
        else:
            assert curves.average_precision is None
            assert found.average_precision is None
    areas = [curves.roc_auc for curves in found.curves]
    if None not in areas:
        assert found.roc_auc == pytest.approx(
            skm.roc_auc_score(np.eye(len(areas))[y_true], probabilities)
        )


@settings(max_examples=40, deadline=None)
@given(answers())
def test_reliability_is_scikit_learns_calibration_curve(given_answers):
    y_true, probabilities = given_answers
    found = evaluated(y_true, probabilities)
    right = probabilities.argmax(axis=1) == y_true
    scores = probabilities.max(axis=1).astype(np.float64)
    accuracy, mean_score = calibration_curve(right, scores, n_bins=15)
    bins = found.reliability
    assert [each.accuracy for each in bins] == pytest.approx(accuracy)
    assert [each.mean_score for each in bins] == pytest.approx(mean_score)
    assert sum(each.num_reviews for each in bins) == len(y_true)
    for each in bins:
        assert each.low < each.mean_score + 1e-12
        assert each.mean_score <= each.high + 1e-12
        assert each.high - each.low == pytest.approx(1 / 15)
    shares = np.array([each.num_reviews for each in bins]) / len(y_true)
    assert found.expected_calibration_error == pytest.approx(
        (shares * abs(accuracy - mean_score)).sum()
    )


@settings(max_examples=40, deadline=None)
@given(answers())
def test_thresholds_say_what_abstaining_brings(given_answers):
    y_true, probabilities = given_answers
    found = evaluated(y_true, probabilities)
    y_pred = probabilities.argmax(axis=1)
    scores = [float(each) for each in probabilities.max(axis=1)]
    for row in found.thresholds:
        kept = [i for i, score in enumerate(scores) if score >= row.threshold]
        assert row.num_answered == len(kept)
        assert row.share_answered == pytest.approx(len(kept) / len(scores))
        if not kept:
            assert row.accuracy is None
            continue
        assert row.accuracy == pytest.approx(
            skm.accuracy_score(y_true[kept], y_pred[kept])
        )
        for k, precision in enumerate(row.precision):
            if k in y_pred[kept]:
                assert precision == pytest.approx(
                    skm.precision_score(
                        y_true[kept] == k, y_pred[kept] == k, zero_division=0.0
                    )
                )
            else:
                assert precision is None
    assert found.thresholds[0].accuracy == found.accuracy


def test_curves_of_many_reviews_are_thinned_without_losing_their_form():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, 20_000)
    logits = rng.normal(y_true * 2.0 - 1.0, 1.5)
    positive = (1 / (1 + np.exp(-logits))).astype(np.float32)
    found = evaluated(y_true, np.stack([1 - positive, positive], axis=1))
    curves = found.curves[1]
    assert 90 < len(curves.roc) <= 101
    assert curves.roc[0] == (0.0, 0.0)
    assert curves.roc[-1] == (1.0, 1.0)
    x, y = np.array(curves.roc).T
    assert (np.diff(x) >= 0).all() and (np.diff(y) >= 0).all()
    assert skm.auc(x, y) == pytest.approx(curves.roc_auc, abs=1e-3)
    assert 50 < len(curves.precision_recall) <= 101
    recall, precision = np.array(curves.precision_recall).T
    assert (recall[0], recall[-1]) == (0.0, 1.0)
    assert skm.auc(recall, precision) == pytest.approx(
        curves.average_precision, abs=5e-3
    )


def test_wilsons_interval_is_that_of_the_literature():
    """Newcombe 1998, table I: 81 of 263 and 0 of 20."""
    y_true = np.array([0] * 263)
    probabilities = np.array([[0.9, 0.1]] * 81 + [[0.1, 0.9]] * 182, np.float32)
    low, high = evaluated(y_true, probabilities).accuracy_interval
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    none_right = evaluated(y_true[:20], probabilities[100:120])
    assert none_right.accuracy_interval == pytest.approx(
        (0.0, 0.1611), abs=5e-5
    )


def test_accuracy_by_length():
    probabilities = np.array([[0.9, 0.1]] * 6, np.float32)
    names = NAMES[:2]
    texts = ["0", "1", "2 a", "3 ab", "4 abc", "5 abcdefghij"]
    labels = [names[i] for i in (0, 0, 1, 0, 1, 1)]
    found = evaluate(Fixed(names, probabilities), Reviews(texts, labels))
    bins = [
        (each.shortest, each.longest, each.num_reviews, each.accuracy)
        for each in found.lengths
    ]
    assert bins == [
        (1, 1, 2, 1.0),
        (3, 3, 1, 0.0),
        (4, 4, 1, 1.0),
        (5, 5, 1, 0.0),
        (12, 12, 1, 0.0),
    ]
    assert found.lengths[0].accuracy_interval == pytest.approx(
        (0.3424, 1.0), abs=5e-5
    )


def test_lengths_make_eight_bins_of_about_equal_size():
    num_reviews = 4000
    rng = np.random.default_rng(0)
    names = NAMES[:2]
    texts = [f"{i} {'x' * rng.integers(0, 3000)}" for i in range(num_reviews)]
    found = evaluate(
        Fixed(names, np.full((num_reviews, 2), 0.5, np.float32)),
        Reviews(texts, ["awful", "fine"] * (num_reviews // 2)),
        num_timed=0,
    )
    counts = [each.num_reviews for each in found.lengths]
    assert len(counts) == 8
    assert sum(counts) == num_reviews
    assert min(counts) > 480
    for shorter, longer in zip(found.lengths, found.lengths[1:], strict=False):
        assert shorter.longest < longer.shortest
