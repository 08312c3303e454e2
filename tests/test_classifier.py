import subprocess
import sys
import textwrap

import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent import text_windows
from kerassent.classifier import SentimentClassifier, saved_class_names
from kerassent.token_batches import TokenizedReviews

TEXTS = ["a good film", "very bad . very bad . very bad", "", b"\xff tea"]


@pytest.fixture(scope="module")
def classifier(make_classifier):
    return make_classifier()


def test_predict_proba_is_softmax_of_the_raw_logits(classifier):
    logits = classifier.predict(tf.data.Dataset.from_tensors(TEXTS), verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert classifier.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-6)


def test_temperature_divides_the_logits(make_classifier):
    cool = make_classifier(temperature=0.1)
    logits = cool.predict(tf.data.Dataset.from_tensors(TEXTS), verbose=0) / 0.1
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert cool.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-5)


def test_order_and_batches_do_not_change_a_texts_answer(classifier):
    together = classifier.predict_proba(TEXTS)
    alone = [classifier.predict_proba([text])[0] for text in TEXTS]
    assert together == pytest.approx(np.array(alone), abs=1e-5)
    small = classifier.predict_proba(TEXTS, batch_size=1)
    assert small == pytest.approx(together, abs=1e-5)


def test_an_iterator_and_several_windows_give_the_same(classifier, monkeypatch):
    texts = [f"{'very ' * (i % 7)}good {i}" for i in range(50)]
    together = classifier.predict_proba(texts)
    monkeypatch.setattr(text_windows, "WINDOW", 8)
    for some in (texts, iter(texts), (text.encode() for text in texts)):
        assert classifier.predict_proba(some) == pytest.approx(
            together, abs=1e-6
        )


def test_no_texts_give_no_rows(make_classifier):
    classifier = make_classifier(class_names=("a", "b", "c"))
    assert classifier.predict_proba([]).shape == (0, 3)


def test_a_saved_classifier_is_all_again(make_classifier, tmp_path):
    classifier = make_classifier(
        class_names=("sad", "so-so", "glad"), temperature=1.5, dropout=0.3
    )
    classifier.preprocessor.truncate = "head_tail"
    classifier.save_to_preset(str(tmp_path))
    found = SentimentClassifier.from_preset(tmp_path)
    assert type(found) is SentimentClassifier
    assert found.class_names == ("sad", "so-so", "glad")
    assert (found.temperature, found.dropout) == (1.5, 0.3)
    assert found.preprocessor.sequence_length == 16
    assert found.preprocessor.truncate == "head_tail"
    for old, new in zip(classifier.weights, found.weights, strict=True):
        assert np.array_equal(old, new)
    assert found.predict_proba(TEXTS) == pytest.approx(
        classifier.predict_proba(TEXTS), abs=1e-6
    )


def test_a_trained_classifier_is_all_again(tiny_run, tmp_path):
    """Also one whose optimizer has a state, and is not keras-nlp's Adam."""
    classifier, run = tiny_run
    classifier.save_to_preset(str(tmp_path))
    for directory in (run, tmp_path):
        found = SentimentClassifier.from_preset(directory)
        for old, new in zip(classifier.weights, found.weights, strict=True):
            assert np.array_equal(old, new)
    weights = sum(4 * int(np.prod(w.shape)) for w in classifier.weights)
    files = tmp_path.glob("*.h5")
    assert sum(f.stat().st_size for f in files) < weights + 200_000


def test_saving_a_loaded_classifier_works(make_classifier, tmp_path):
    make_classifier().save_to_preset(str(tmp_path / "a"))
    SentimentClassifier.from_preset(tmp_path / "a").save_to_preset(
        str(tmp_path / "b")
    )
    assert saved_class_names(tmp_path / "b") == ("neg", "pos")


def test_nothing_in_a_preset_is_a_pickle(make_classifier, tmp_path):
    make_classifier().save_to_preset(str(tmp_path))
    files = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "preprocessor.json",
        "task.json",
        "task.weights.h5",
        "tokenizer.json",
        "vocabulary.txt",
    }


def test_fit_learns_and_keeps_the_labels_meaning(tiny_run):
    """`tiny_run` was trained on rows that one word decides."""
    texts = ["the tea was wonderful", "the film was awful", "phone , great"]
    scores = tiny_run[0].predict_proba(texts)[:, 1]
    assert scores == pytest.approx([1, 0, 1], abs=0.3)


def test_other_bad_arguments(make_classifier, tiny_preset):
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        make_classifier(temperature=0)
    with pytest.raises(ValueError, match="at most 32.*Received: 33"):
        make_classifier(sequence_length=33)
    with pytest.raises(ValueError, match="at most 32.*Received: 400"):
        SentimentClassifier.from_preset(
            tiny_preset, class_names=["a", "b"], sequence_length=400
        )


def run_python(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_backbone_loads_where_kerassent_is_not(make_classifier, tmp_path):
    classifier = make_classifier()
    classifier.save_to_preset(str(tmp_path))
    total = run_python(
        """
        import sys
        sys.modules["kerassent"] = None  # an import of it would fail
        import keras_nlp, numpy as np
        backbone = keras_nlp.models.DistilBertBackbone.from_preset(sys.argv[1])
        print(type(backbone).__name__)
        print(sum(float(np.abs(w).sum()) for w in backbone.weights))
        """,
        tmp_path,
    )
    expected = sum(float(np.abs(w).sum()) for w in classifier.backbone.weights)
    assert total[0] == "DistilBertBackbone"
    assert float(total[1]) == pytest.approx(expected, rel=1e-6)


def test_keras_nlps_base_classes_still_give_its_own(
    make_classifier, tmp_path, vocabulary
):
    """Whatever the hash seed: keras-hub looks through an unordered set."""
    make_classifier().backbone.save_to_preset(str(tmp_path))
    keras_nlp.models.DistilBertTokenizer(vocabulary).save_to_preset(
        str(tmp_path)
    )
    names = run_python(
        """
        import sys
        import kerassent.classifier
        import keras_nlp
        from keras_hub.src.utils import preset_utils
        models, preset = keras_nlp.models, sys.argv[1]
        bases = [
            models.TextClassifier,
            models.TextClassifierPreprocessor,
            models.Tokenizer,
        ]
        for base, kwargs in zip(bases, ({"num_classes": 2}, {}, {})):
            print(type(base.from_preset(preset, **kwargs)).__name__)
        # And no order of that set could give another class.
        for base in bases:
            print(*{
                found.__name__
                for found in preset_utils.list_subclasses(base)
                if found.backbone_cls is models.DistilBertBackbone
            })
        """,
        tmp_path,
    )
    own = [
        "DistilBertTextClassifier",
        "DistilBertTextClassifierPreprocessor",
        "DistilBertTokenizer",
    ]
    assert names == own + own


def test_several_classifiers_in_a_process_draw_no_warning(
    make_classifier, easy_reviews, caplog, monkeypatch
):
    from tensorflow.python.eager.polymorphic_function import (
        polymorphic_function,
    )

    # Of one line of code TensorFlow warns twice, in another test perhaps.
    most = "FREQUENT_TRACING_WARNING_MAX_WARNING_PER_DETECTOR"
    monkeypatch.setattr(polymorphic_function, most, 1000)
    for _ in range(6):
        classifier = make_classifier()
        classifier.predict_proba(["a good film"])
        TokenizedReviews.of(easy_reviews, classifier.preprocessor)
    assert caplog.messages == []
