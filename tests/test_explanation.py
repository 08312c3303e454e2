import numpy as np
import pytest
import tensorflow as tf

from kerassent.explanation import Explainer, explain_each
from kerassent.flat_forward import FlatForward
from kerassent.flat_weights import FlatWeights

TEXTS = ["Good films, badly \u00e9 go\x00od", "", "tea", "good " * 40]


@pytest.fixture(scope="module")
def explained(tiny_run):
    classifier = tiny_run[0]
    forward = FlatForward(FlatWeights(classifier))
    explainer = Explainer(forward, classifier.preprocessor)
    explain = tf.function(
        lambda text: explain_each(explainer, text),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    return classifier, forward, explain


def test_words_are_where_they_say(explained):
    _, _, explain = explained
    found = explain(tf.constant([t.encode() for t in TEXTS]))
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


def test_logits_are_the_classifiers(explained):
    classifier, _, explain = explained
    found = explain(tf.constant([t.encode() for t in TEXTS]))
    assert tf.nn.softmax(found.logits).numpy() == pytest.approx(
        classifier.predict_proba(TEXTS), abs=1e-5
    )


def margins(classifier, forward, ids, scale):
    """The margin of the label as the words' embeddings are scaled."""
    embeddings = forward.token_embeddings(ids)
    logits = forward.logits_of_one(embeddings * scale[:, np.newaxis]).numpy()
    whole = forward.logits_of_one(embeddings).numpy()
    label, other = np.argsort(-whole)[:2]
    return logits[label] - logits[other]


def test_attributions_are_slopes_and_the_error_is_what_they_miss(explained):
    classifier, forward, explain = explained
    text = "a very good film"
    found = explain(tf.constant([text.encode()]))
    ids = classifier.preprocessor.tokens(tf.constant([text]))[0]
    ones = np.ones(len(ids), np.float32)
    for i in range(4):
        step = np.zeros_like(ones)
        step[i + 1] = 1e-2
        up, down = (
            margins(classifier, forward, ids, ones + sign * step)
            for sign in (1, -1)
        )
        assert found.attributions.numpy()[0, i] == pytest.approx(
            (up - down) / 2e-2, abs=1e-2
        )
    without = np.zeros_like(ones)
    without[[0, -1]] = 1
    lost = margins(classifier, forward, ids, ones) - margins(
        classifier, forward, ids, without
    )
    missed = found.attributions.numpy().sum() - lost
    assert found.completeness_error.numpy()[0] == pytest.approx(
        missed, abs=1e-4
    )


def test_what_a_text_is_beside_changes_nothing(explained):
    _, _, explain = explained
    texts = tf.constant([t.encode() for t in TEXTS])
    together = explain(texts)
    for i in range(len(TEXTS)):
        alone = explain(texts[i : i + 1])
        count = alone.words.shape[1]
        assert (
            alone.attributions.numpy()[0]
            == together.attributions.numpy()[i, :count]
        ).all()
        assert (
            alone.words.numpy()[0] == together.words.numpy()[i, :count]
        ).all()


def test_no_texts_give_no_rows(explained):
    found = explained[2](tf.constant([], tf.string))
    assert found.logits.shape == (0, 2)
    assert found.words.shape == (0, 0)
    assert found.completeness_error.shape == (0,)
