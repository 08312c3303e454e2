import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from kerassent.metrics import BalancedAccuracy


def logits_of(answers, num_classes):
    return 5 * np.eye(num_classes, dtype="float32")[answers] - 1


def scikit_learns(labels, answers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an answer that is no label
        return balanced_accuracy_score(labels, answers)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*2 * [st.integers(0, 3)]), min_size=1, max_size=40))
def test_it_is_scikit_learns(pairs):
    labels, answers = np.array(pairs, np.int32).T
    metric = BalancedAccuracy(4)
    for part in np.array_split(np.arange(len(labels)), 3):
        metric.update_state(labels[part], logits_of(answers[part], 4))
    expected = scikit_learns(labels, answers)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_always_the_larger_class_is_one_half():
    labels = np.array([1] * 9 + [0])
    metric = BalancedAccuracy(2)
    metric.update_state(labels, logits_of(np.ones(10, int), 2))
    assert float(metric.result()) == 0.5
    assert metric.confusion.numpy().tolist() == [[0, 1], [0, 9]]


def test_a_class_that_did_not_occur_is_left_out():
    metric = BalancedAccuracy(3)
    assert float(metric.result()) == 0
    labels, answers = [0, 0, 1, 1], [0, 2, 1, 1]
    metric.update_state(np.array(labels)[:, np.newaxis], logits_of(answers, 3))
    assert float(metric.result()) == 0.75
    metric.reset_state()
    assert metric.confusion.numpy().tolist() == [[0] * 3] * 3


def test_it_counts_on_where_float32_cannot():
    metric = BalancedAccuracy(2)
    metric.confusion.assign([[2**24, 0], [0, 1]])
    metric.update_state(np.array([0]), logits_of([0], 2))
    assert int(metric.confusion.numpy()[0, 0]) == 2**24 + 1


def test_its_state_is_its_variables():
    one, other = BalancedAccuracy(3), BalancedAccuracy(3)
    labels, answers = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    one.update_state(labels, logits_of(answers, 3))
    for variable, saved in zip(other.variables, one.variables, strict=True):
        variable.assign(saved.numpy())
    for metric in (one, other):
        metric.update_state(labels[:1], logits_of([1], 3))
    assert float(one.result()) == float(other.result())
    assert float(one.result()) == pytest.approx((0.5 + 0 + 0.5) / 3)


@pytest.mark.parametrize("given_as", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_class_weights_do_not_distort_it_in_fit(given_as, jit_compile):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype("float32")
    labels = np.array([0] * 40 + [1] * 8 + [2] * 2, np.int32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.layers[0].set_weights([np.eye(3), np.zeros(3)])
    model.compile(
        keras.optimizers.SGD(0.0),  # so that the answers stay
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
        **{given_as: [BalancedAccuracy(3)]},
    )
    history = model.fit(
        *(x, labels),
        batch_size=16,
        epochs=2,
        verbose=0,
        class_weight={0: 0.1, 1: 3.0, 2: 50.0},
        validation_data=(x[:45], labels[:45], np.linspace(0, 9, 45)),
    ).history
    answers = x.argmax(axis=1)
    assert history["balanced_accuracy"] == pytest.approx(
        2 * [scikit_learns(labels, answers)]
    )
    assert history["val_balanced_accuracy"] == pytest.approx(
        2 * [scikit_learns(labels[:45], answers[:45])]
    )


def test_it_is_saved_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    metric = BalancedAccuracy(4, name="balanced")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[metric])
    x, labels = np.eye(3, dtype="float32"), np.array([0, 1, 3])
    expected = model.evaluate(x, labels, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found = again.evaluate(x, labels, verbose=0, return_dict=True)
    assert found == pytest.approx(expected)
    assert "balanced" in found


def test_one_class_is_refused():
    with pytest.raises(
        ValueError, match="`num_classes` must be 2 or more. Received: 1"
    ):
        BalancedAccuracy(1)
