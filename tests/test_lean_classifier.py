import keras_nlp
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def batch():
    return {
        "token_ids": tf.constant([[2, 7, 18, 12, 3], [2, 9, 3, 0, 0]]),
        "padding_mask": tf.constant([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }


def test_the_classifier_takes_the_lean_pass(make_classifier, batch):
    classifier = make_classifier()
    expected = keras_nlp.models.DistilBertTextClassifier.call(classifier, batch)
    assert classifier(batch).numpy() == pytest.approx(
        expected.numpy(), abs=1e-6
    )
    assert not np.allclose(
        classifier(batch, training=True).numpy(),
        classifier(batch, training=True).numpy(),
    )


def test_precision_is_taken_anew_and_not_saved(make_classifier, tmp_path):
    classifier = make_classifier()
    texts = tf.constant(["good book", "bad tea"])
    exact = classifier.predict(texts, verbose=0)
    classifier.precision = "bfloat16"
    near = classifier.predict(texts, verbose=0)
    assert not np.array_equal(exact, near)
    assert near == pytest.approx(exact, abs=2e-2)
    classifier.save_to_preset(str(tmp_path))
    found = type(classifier).from_preset(tmp_path)
    assert found.precision == "float32"
    with pytest.raises(ValueError, match="'float64'"):
        classifier.precision = "float64"


def test_nothing_is_compiled_for_each_width(make_classifier, monkeypatch):
    classifier = make_classifier()
    # What Keras finds where there is a GPU.
    monkeypatch.setattr(classifier, "_resolve_auto_jit_compile", lambda: True)
    classifier.compile("adam")
    assert classifier.jit_compile is False
    classifier.compile("adam", jit_compile="auto")
    assert classifier.jit_compile is True


def test_fit_on_a_dataset_says_nothing_of_shuffling(make_classifier, batch):
    classifier = make_classifier()
    data = tf.data.Dataset.from_tensors((batch, [0, 1]))
    classifier.preprocessor = None
    assert len(classifier.fit(data, verbose=0).history["loss"]) == 1
