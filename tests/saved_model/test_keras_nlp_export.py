import json
import subprocess
import sys

import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from kerassent.classifier import SentimentClassifier
from kerassent.errors import ExportError
from kerassent.saved_model import keras_nlp_export
from kerassent.saved_model.exporting import export

Stock = keras_nlp.models.DistilBertTextClassifier

TEXTS = [
    "a good film",
    "Very BAD . Never again !",
    "",
    "caf\u00e9 tea",
    "?" * 9,
]
TOKENS = {
    "token_ids": [[2, 7, 18, 12, 3, 0], [2, 9, 26, 30, 39, 3]],
    "padding_mask": [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]],
}

ELSEWHERE = """
import json, sys
sys.modules["kerassent"] = None  # an import of it would fail
import keras_nlp, numpy as np, tensorflow as tf

task_path, run_path, questions = sys.argv[1:]
questions = json.loads(questions)
task = keras_nlp.models.DistilBertTextClassifier.from_preset(task_path)
parts = [task, task.preprocessor, task.preprocessor.tokenizer, task.backbone]
tokens = {k: np.array(v, "int32") for k, v in questions["tokens"].items()}
texts = tf.data.Dataset.from_tensors(questions["texts"])
backbone = keras_nlp.models.DistilBertBackbone.from_preset(run_path)
print(json.dumps({
    "classes": [type(part).__module__ + "." + type(part).__name__
                for part in parts],
    "of_tokens": np.array(task(tokens, training=False)).tolist(),
    "of_texts": task.predict(texts, verbose=0).tolist(),
    "backbone": type(backbone).__module__ + "." + type(backbone).__name__,
    "hidden": np.array(backbone(tokens)).tolist(),
}))
"""


@pytest.fixture(scope="module")
def exported(make_classifier, tmp_path_factory):
    classifier = make_classifier(
        ("neg", "mixed \u00bd", "pos"),
        temperature=2.0,
        hidden_dim=24,
        dropout=0.3,
    )
    path = tmp_path_factory.mktemp("presets") / "new" / "task"
    assert export(classifier, path, format="keras-nlp") == path
    return classifier, path


@pytest.fixture(scope="module")
def elsewhere(exported, tiny_run):
    """What a process says that cannot import kerassent."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", ELSEWHERE, exported[1], tiny_run[1]),
            json.dumps({"tokens": TOKENS, "texts": TEXTS}),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def batch():
    return {name: np.array(rows, np.int32) for name, rows in TOKENS.items()}


def test_all_of_it_are_keras_nlps_own_classes(elsewhere):
    assert [name.rpartition(".")[2] for name in elsewhere["classes"]] == [
        "DistilBertTextClassifier",
        "DistilBertTextClassifierPreprocessor",
        "DistilBertTokenizer",
        "DistilBertBackbone",
    ]
    assert all(name.startswith("keras_hub.") for name in elsewhere["classes"])


def test_logits_of_token_ids_are_the_classifiers_over_temperature(
    exported, elsewhere
):
    logits = np.array(exported[0](batch(), training=False)) / 2.0
    assert np.ptp(logits) > 1e-3  # there is something to compare
    assert np.array(elsewhere["of_tokens"]) == pytest.approx(logits, abs=1e-5)


def test_short_texts_get_the_same_probabilities(exported, elsewhere):
    logits = np.array(elsewhere["of_texts"])
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found == pytest.approx(exported[0].predict_proba(TEXTS), abs=1e-5)


def test_a_runs_backbone_loads_there_too(tiny_run, elsewhere):
    assert elsewhere["backbone"].startswith("keras_hub.")
    hidden = tiny_run[0].backbone(batch())
    assert np.array(elsewhere["hidden"]) == pytest.approx(
        np.array(hidden), abs=1e-5
    )


def test_the_head_is_the_classifiers(make_classifier, tmp_path):
    classifier = make_classifier(activation="tanh", hidden_dim=24, dropout=0.3)
    export(classifier, tmp_path / "task", format="keras-nlp")
    task = Stock.from_preset(str(tmp_path / "task"))
    assert type(task) is Stock
    assert (task.num_classes, task.hidden_dim, task.dropout) == (2, 24, 0.3)
    assert task.activation.__name__ == "tanh"
    assert task.preprocessor.sequence_length == 16
    for ours, theirs in zip(classifier.weights, task.weights, strict=True):
        assert np.array_equal(ours, theirs)
    logits = np.array(classifier(batch(), training=False))
    assert np.array(task(batch(), training=False)) == pytest.approx(
        logits, abs=1e-5
    )


def test_exporting_leaves_the_classifier_as_it_was(exported):
    classifier, _ = exported
    assert type(classifier.preprocessor).__name__ == "SentimentPreprocessor"
    assert (classifier.temperature, classifier.precision) == (2.0, "float32")
    assert classifier.backbone in classifier.layers


def test_it_comes_back_as_one_of_ours(exported):
    classifier, path = exported
    names = json.loads((path / "class_names.json").read_text("utf-8"))
    assert names == ["neg", "mixed \u00bd", "pos"]
    again = SentimentClassifier.from_preset(path, class_names=names)
    assert again.predict_proba(TEXTS) == pytest.approx(
        classifier.predict_proba(TEXTS), abs=1e-5
    )


@pytest.mark.parametrize(
    "lowercase, strip_accents, expected",
    [
        (True, None, (True, True)),
        (True, False, (True, False)),
        (False, None, (False, False)),
    ],
)
def test_tokenizer_does_as_near_as_can_be(
    make_classifier, vocabulary, lowercase, strip_accents, expected
):
    classifier = make_classifier()
    ours = classifier.preprocessor.tokenizer
    tokenizer = type(ours)(vocabulary, lowercase, strip_accents)
    classifier.preprocessor.tokenizer = tokenizer
    theirs = keras_nlp_export._stock_preprocessor(
        classifier.preprocessor
    ).tokenizer
    assert (theirs.lowercase, theirs.strip_accents) == expected
    texts = tf.constant(["A G\u00f6od film", "GOOD, good \u00e4"])
    assert theirs(texts) == tokenizer(texts).to_list()


def test_what_is_lost_is_said(make_classifier, tmp_path, caplog):
    classifier = make_classifier(temperature=0.5)
    classifier.preprocessor.truncate = "head_tail"
    classifier.preprocessor.clean_html = True
    export(classifier, tmp_path / "task", format="keras-nlp")
    readme = (tmp_path / "task" / "README.md").read_text("utf-8")
    for said in (
        "they are in class_names.json",
        "The temperature, 0.5, is folded into the head",
        "other tokens than BERT's own",
        "Of a text of more than 16 tokens it sees the head; training kept "
        "'head_tail'",
        "It does not clean HTML",
    ):
        assert said in caplog.text
        assert said in readme


def test_no_more_is_said_than_is_lost(
    make_classifier, vocabulary, tmp_path, caplog
):
    """keras-nlp's own tokenizer is kept as it is."""
    classifier = make_classifier()
    tokenizer = keras_nlp.models.DistilBertTokenizer(vocabulary, lowercase=True)
    classifier.preprocessor.tokenizer = tokenizer
    export(classifier, tmp_path / "task", format="keras-nlp")
    for unsaid in ("temperature", "tokenizer", "HTML", "head"):
        assert unsaid not in caplog.text
    task = Stock.from_preset(str(tmp_path / "task"))
    assert task.preprocessor.tokenizer.get_config()["lowercase"] is True
    assert task.preprocessor.tokenizer.get_vocabulary() == vocabulary


def test_nothing_but_an_empty_directory_is_written_over(
    make_classifier, tmp_path
):
    classifier = make_classifier()
    empty = tmp_path / "empty"
    empty.mkdir()
    export(classifier, empty, format="keras-nlp")
    assert (empty / "task.json").is_file()
    before = (empty / "task.json").stat().st_mtime_ns
    with pytest.raises(ExportError, match="empty is there already. Choose"):
        export(classifier, empty, format="keras-nlp")
    assert (empty / "task.json").stat().st_mtime_ns == before
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ExportError, match="file is there already"):
        export(classifier, file, format="keras-nlp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_nothing_is_left_of_an_export_that_fails(
    make_classifier, tmp_path, monkeypatch
):
    monkeypatch.setitem(keras_nlp_export._TOLERANCES, "float32", -1.0)
    with pytest.raises(ExportError, match="does not reproduce the classifier"):
        export(make_classifier(), tmp_path / "task", format="keras-nlp")
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_that_keras_nlp_cannot_read_is_refused(
    make_classifier, vocabulary, tmp_path
):
    classifier = make_classifier()
    tokenizer = type(classifier.preprocessor.tokenizer)
    for pieces, message in (
        (["tea\u2028"], "cannot load the export: .*unique"),
        (["x\ry"], "a piece has a line break in it"),
    ):
        classifier.preprocessor.tokenizer = tokenizer(vocabulary + pieces)
        with pytest.raises(ExportError, match=message):
            export(classifier, tmp_path / "task", format="keras-nlp")
    assert list(tmp_path.iterdir()) == []


def test_errors_say_what_is_wrong(make_classifier, tmp_path):
    classifier = make_classifier(activation="softmax", temperature=1.5)
    with pytest.raises(ExportError, match="activation is 'softmax'. Set"):
        export(classifier, tmp_path / "task", format="keras-nlp")
    with pytest.raises(ValueError, match="one of 'saved_model', 'keras-nlp'"):
        export(classifier, tmp_path / "task", format="h5")
    with pytest.raises(ValueError, match="goes with `format='saved_model'`"):
        export(classifier, tmp_path / "task", format="keras-nlp", version=2)
    classifier.preprocessor = None
    with pytest.raises(ExportError, match="has no preprocessor"):
        export(classifier, tmp_path / "task", format="keras-nlp")
    assert list(tmp_path.iterdir()) == []
