import keras
import numpy as np
import pytest
import tensorflow as tf

from kerassent import integrated_gradients
from kerassent.explanation import explain_each
from kerassent.flat_forward import FlatForward
from kerassent.flat_weights import FlatWeights
from kerassent.forward import logits
from kerassent.integrated_gradients import Explainer

TEXTS = ["Good films, badly \u00e9 go\x00od", "", "tea", "good " * 40]


def made(forward, classifier, target=None):
    explainer = Explainer(forward, classifier.preprocessor, target)
    return lambda text: explain_each(explainer, text)


@pytest.fixture(scope="module")
def classifier(make_classifier):
    classifier = make_classifier(seed=1)
    random = np.random.default_rng(1)
    for variable in classifier.trainable_variables:
        variable.assign_add(random.normal(0, 0.2, variable.shape))
    # Of so few units ReLU has kinks that no rule gets over.
    classifier.pooled_dense.activation = keras.activations.tanh
    return classifier


@pytest.fixture(scope="module")
def forward(classifier):
    return FlatForward(FlatWeights(classifier))


@pytest.fixture(scope="module")
def explained(classifier, forward):
    return classifier, tf.function(
        made(forward, classifier),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


@pytest.fixture(scope="module")
def found(explained):
    return explained[1](as_bytes(TEXTS))


def as_bytes(texts):
    return tf.constant([text.encode() for text in texts])


def test_words_are_where_they_say(found):
    first = TEXTS[0].encode()
    words = [word for word in found.words.numpy()[0] if word]
    assert words[:4] == [b"Good", b"films", b",", b"badly"]
    assert words[-1] == b"go\x00od"
    for word, start, end in zip(
        words, found.starts.numpy()[0], found.ends.numpy()[0], strict=False
    ):
        assert first[start:end] == word
    assert (found.words.numpy()[1] == b"").all()
    for array, padding in (
        (found.starts, -1),
        (found.ends, -1),
        (found.attributions, 0),
    ):
        assert (array.numpy()[1] == padding).all()


def test_logits_are_the_classifiers(explained, found):
    probabilities = explained[0].predict_proba(TEXTS)
    assert tf.nn.softmax(found.logits).numpy() == pytest.approx(
        probabilities, abs=1e-5
    )
    assert found.label.numpy().tolist() == probabilities.argmax(1).tolist()


def test_the_error_is_what_the_sum_misses_of_the_change(explained, found):
    classifier = explained[0]
    tokens = classifier.preprocessor.tokens(as_bytes(TEXTS))
    for row, ids in enumerate(tokens):
        # As padding no word is read, and [SEP] is where it was.
        mask = np.ones((2, len(ids)), int)
        mask[0, 1:-1] = 0
        without, whole = logits(classifier, tf.tile(ids[None], [2, 1]), mask)
        label, other = np.argsort(-whole.numpy())[:2]
        change = (whole[label] - whole[other]) - (
            without[label] - without[other]
        )
        error = found.completeness_error.numpy()[row]
        total = found.attributions.numpy()[row].sum()
        assert error == pytest.approx(total - change.numpy(), abs=2e-5)
        assert abs(error) < max(0.01 * abs(change), 0.002)
    assert abs(found.attributions.numpy()[0].sum()) > 0.1


def test_attributions_are_integrals_of_slopes(explained, forward):
    """By sums of small steps, for each word's weight alone."""
    classifier, explain = explained
    text = as_bytes(["a very good film"])
    found = explain(text)
    ids = classifier.preprocessor.tokens(text)[0]
    label, other = np.argsort(-found.logits.numpy()[0])
    num_steps, step = 4000, 1e-3
    weights = (np.arange(num_steps) + 0.5) / num_steps
    for word in range(4):
        margins = []
        for sign in (1, -1):
            each = np.ones((num_steps, len(ids)))
            each[:, 1:-1] = weights[:, np.newaxis]
            each[:, word + 1] *= 1 + sign * step
            read = forward.logits_by_reading(
                ids, tf.constant(np.log(each), tf.float32)
            ).numpy()
            margins.append((read[:, label] - read[:, other]).astype(float))
        slopes = (margins[0] - margins[1]) / (2 * step * weights)
        assert found.attributions.numpy()[0, word] == pytest.approx(
            slopes.mean(), abs=0.003
        )
    assert np.abs(found.attributions.numpy()[0]).max() > 0.03


def test_the_other_class_has_the_opposite(explained, forward, found):
    classifier, _ = explained
    texts = as_bytes(TEXTS)
    both = [made(forward, classifier, target)(texts) for target in (0, 1)]
    assert both[0].attributions.numpy() == pytest.approx(
        -both[1].attributions.numpy(), abs=1e-5
    )
    for row, label in enumerate(found.label.numpy()):
        assert both[label].attributions.numpy()[row] == pytest.approx(
            found.attributions.numpy()[row], abs=1e-5
        )
    assert [each.label.numpy().tolist() for each in both] == [[0] * 4, [1] * 4]


def test_of_several_classes_the_highest_other_counts(make_classifier):
    classifier = make_classifier(("a", "b", "c"), seed=5)
    forward = FlatForward(FlatWeights(classifier))
    text = as_bytes(["a very good film"])
    whole = made(forward, classifier)(text)
    order = np.argsort(-whole.logits.numpy()[0])
    ids = classifier.preprocessor.tokens(text)[0]
    bias = np.zeros((2, len(ids)), np.float32)
    bias[0, 1:-1] = -1e9
    read = forward.logits_by_reading(ids, tf.constant(bias)).numpy()
    for target in range(3):
        other = order[0] if target != order[0] else order[1]
        margin = read[:, target] - read[:, other]
        found = made(forward, classifier, target)(text)
        assert found.attributions.numpy().sum() == pytest.approx(
            margin[1] - margin[0], abs=0.003
        )
    assert whole.label.numpy()[0] == order[0]


def test_finer_rules_are_tried_until_it_is_exact(
    explained, forward, monkeypatch
):
    classifier, _ = explained
    texts = as_bytes(["a very good film", "bad tea and good phone"])
    monkeypatch.setattr(integrated_gradients, "_TOLERATED_LOGITS", 0.0)
    errors = []
    for tolerated in (1e9, 1e-7):
        monkeypatch.setattr(integrated_gradients, "_INTERVALS", 2)
        monkeypatch.setattr(integrated_gradients, "_NUM_RULES", 4)
        monkeypatch.setattr(integrated_gradients, "_TOLERATED", tolerated)
        found = made(forward, classifier)(texts)
        errors.append(np.abs(found.completeness_error.numpy()))
    assert (errors[1] < errors[0] / 20).all()


def test_what_is_read_at_once_changes_nothing(
    explained, forward, found, monkeypatch
):
    monkeypatch.setattr(integrated_gradients, "_TOKENS_AT_ONCE", 40)
    again = made(forward, explained[0])(as_bytes(TEXTS))
    assert again.attributions.numpy() == pytest.approx(
        found.attributions.numpy(), abs=1e-5
    )


def test_what_a_text_is_beside_changes_nothing(explained, found):
    texts = as_bytes(TEXTS)
    for i in range(len(TEXTS)):
        alone = explained[1](texts[i : i + 1])
        count = alone.words.shape[1]
        assert (
            alone.attributions.numpy()[0]
            == found.attributions.numpy()[i, :count]
        ).all()
        assert (alone.words.numpy()[0] == found.words.numpy()[i, :count]).all()


def test_no_texts_give_no_rows(explained):
    found = explained[1](tf.constant([], tf.string))
    assert found.logits.shape == (0, 2)
    assert found.words.shape == (0, 0)
    assert found.completeness_error.shape == (0,)
