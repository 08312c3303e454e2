import shutil

import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent.classifier import SentimentClassifier
from kerassent.classifier_presets import saved_class_names
from kerassent.errors import PresetError
from kerassent.tokenizer import BertTokenizer


def test_loading_takes_another_length_and_truncation(make_classifier, tmp_path):
    make_classifier().save_to_preset(str(tmp_path))
    found = SentimentClassifier.from_preset(
        tmp_path, sequence_length=9, truncate="tail"
    )
    assert found.preprocessor.sequence_length == 9
    assert found.preprocessor.truncate == "tail"


def test_other_class_names_give_a_new_head_on_the_same_backbone(
    make_classifier, tmp_path
):
    classifier = make_classifier()
    classifier.save_to_preset(str(tmp_path))
    found = SentimentClassifier.from_preset(
        tmp_path, class_names=["no", "maybe", "yes"]
    )
    assert found.class_names == ("no", "maybe", "yes")
    assert found.output_shape == (None, 3)
    for old, new in zip(
        classifier.backbone.weights, found.backbone.weights, strict=True
    ):
        assert np.array_equal(old, new)


def test_the_same_class_names_keep_the_head(make_classifier, tmp_path):
    classifier = make_classifier()
    classifier.save_to_preset(str(tmp_path))
    found = SentimentClassifier.from_preset(
        tmp_path, class_names=["neg", "pos"]
    )
    assert np.array_equal(
        classifier.output_dense.kernel, found.output_dense.kernel
    )


def test_a_preset_without_a_task_takes_class_names(tiny_preset):
    found = SentimentClassifier.from_preset(
        tiny_preset, class_names=["neg", "pos"]
    )
    # 400 is the default, 32 the most this backbone can do.
    assert found.preprocessor.sequence_length == 32
    assert saved_class_names(tiny_preset) == ()
    with pytest.raises(ValueError, match="has no class names yet: pass"):
        SentimentClassifier.from_preset(tiny_preset)


@pytest.mark.parametrize(
    "class_names, error, message",
    [
        ("pos", TypeError, "must be a list of strings"),
        ([0, 1], TypeError, r"must be a list of strings.*Received: \[0, 1\]"),
        (["pos"], ValueError, "two or more different names"),
        (["pos", "pos"], ValueError, "two or more different names"),
    ],
)
def test_bad_class_names(make_classifier, class_names, error, message):
    with pytest.raises(error, match=message):
        make_classifier(class_names=class_names)


def test_keras_nlps_classifier_keeps_its_head(
    make_classifier, vocabulary, tmp_path, caplog
):
    tokenizer = keras_nlp.models.DistilBertTokenizer(vocabulary, lowercase=True)
    stock = keras_nlp.models.DistilBertTextClassifier(
        make_classifier().backbone,
        num_classes=2,
        preprocessor=keras_nlp.models.DistilBertTextClassifierPreprocessor(
            tokenizer, sequence_length=16
        ),
    )
    stock.save_to_preset(str(tmp_path))
    texts = ["good book", "bad tea was dull"]
    with caplog.at_level("INFO", "kerassent"):
        found = SentimentClassifier.from_preset(
            tmp_path, class_names=["neg", "pos"]
        )
    assert "BERT's own tokenization takes the place" in caplog.text
    assert type(found.preprocessor.tokenizer) is BertTokenizer
    expected = stock.predict(tf.constant(texts), verbose=0)
    assert found.predict(tf.constant(texts), verbose=0) == pytest.approx(
        expected, abs=1e-5
    )
    kept = SentimentClassifier.from_preset(
        tmp_path, class_names=["neg", "pos"], keep_tokenizer=True
    )
    assert (
        type(kept.preprocessor.tokenizer)
        is keras_nlp.models.DistilBertTokenizer
    )
    assert kept.predict_proba(texts) == pytest.approx(
        found.predict_proba(texts), abs=1e-5
    )
    kept.save_to_preset(str(tmp_path / "kept"))
    again = SentimentClassifier.from_preset(tmp_path / "kept")
    assert type(again.preprocessor.tokenizer) is type(
        kept.preprocessor.tokenizer
    )
    three = SentimentClassifier.from_preset(
        tmp_path, class_names=["neg", "mid", "pos"]
    )
    assert three.predict_proba(texts).shape == (2, 3)


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of a run, to damage."""
    return shutil.copytree(tiny_run[1], tmp_path / "run")


def test_a_run_without_its_heads_weights_is_refused(run):
    (run / "task.weights.h5").unlink()
    with pytest.raises(PresetError, match="no 'task.weights.h5', the weights"):
        SentimentClassifier.from_preset(run)


@pytest.mark.parametrize("name", ["model.weights.h5", "task.weights.h5"])
def test_a_half_written_run_is_told(run, name):
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(PresetError, match="run cannot be loaded, it may be ha"):
        SentimentClassifier.from_preset(run)


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_task_is_named(run, content):
    (run / "task.json").write_text(content)
    with pytest.raises(PresetError, match=r"task.json is damaged .*Copy the d"):
        SentimentClassifier.from_preset(run)


def test_a_cut_vocabulary_is_told(run):
    """It would load, and answer at random."""
    path = run / "assets/tokenizer/vocabulary.txt"
    words = path.read_text().splitlines()
    path.write_text("\n".join(words[:20]) + "\n")
    with pytest.raises(
        PresetError, match="another vocabulary .*20 word pieces"
    ):
        SentimentClassifier.from_preset(run)


def test_a_wrong_argument_is_not_called_damage(run):
    with pytest.raises(ValueError, match="float99"):
        SentimentClassifier.from_preset(run, dtype="float99")
