import json
import os
import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerassent.errors import ExportError, PresetError
from kerassent.saved_model import exporting, signatures
from kerassent.saved_model.exporting import export
from kerassent.saved_model.loading import ExportedModel, version_directory
from kerassent.saved_model.publish import new_version

TEXTS = [
    "a good film",
    "bad " * 40,
    "",
    "caf\u00e9 \u4f60\u597d \U0001f600",
    "good\x00bad",
    b"\xff\xfe",
]


@pytest.fixture(scope="module")
def exported(make_classifier, tmp_path_factory):
    classifier = make_classifier(
        ("neg", "mixed \u00bd", "pos"), temperature=2.0
    )
    base_path = tmp_path_factory.mktemp("models") / "sentiment"
    return classifier, export(classifier, base_path)


def test_the_export_answers_as_the_classifier_does(exported):
    classifier, directory = exported
    model = ExportedModel(directory)
    assert model.class_names == classifier.class_names
    assert model.predict_proba(TEXTS) == pytest.approx(
        classifier.predict_proba(TEXTS), abs=1e-5
    )


def test_the_signature_is_the_wires(exported):
    serve = tf.saved_model.load(str(exported[1])).signatures["serving_default"]
    (name, spec), *others = serve.structured_input_signature[1].items()
    assert (name, spec.dtype, spec.shape.as_list(), others) == (
        "text",
        tf.string,
        [None],
        [],
    )
    outputs = {
        name: (spec.dtype, spec.shape.rank)
        for name, spec in serve.structured_outputs.items()
    }
    assert outputs == {
        "label": (tf.string, 1),
        "score": (tf.float32, 1),
        "probabilities": (tf.float32, 2),
        "class_names": (tf.string, 2),
    }


def test_outputs_agree_with_each_other(exported):
    serve = tf.saved_model.load(str(exported[1])).signatures["serving_default"]
    answer = {k: v.numpy() for k, v in serve(text=tf.constant(TEXTS)).items()}
    best = answer["probabilities"].argmax(axis=1)
    rows = np.arange(len(TEXTS))
    assert (answer["label"] == answer["class_names"][rows, best]).all()
    assert (answer["score"] == answer["probabilities"][rows, best]).all()
    assert answer["probabilities"].sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    names = ["neg", "mixed \u00bd", "pos"]
    assert (answer["class_names"] == [n.encode() for n in names]).all()


def test_an_empty_batch_gives_no_rows(exported):
    serve = tf.saved_model.load(str(exported[1])).signatures["serving_default"]
    answer = serve(text=tf.constant([], tf.string))
    assert {k: v.shape.as_list() for k, v in answer.items()} == {
        "label": [0],
        "score": [0],
        "probabilities": [0, 3],
        "class_names": [0, 3],
    }


def test_versions_count_up(tmp_path):
    def publish(version=None):
        with new_version(tmp_path, version) as (staging, published):
            (staging / "saved_model.pb").write_bytes(b"")
        return published[0]

    assert publish() == tmp_path / "1"
    assert publish() == tmp_path / "2"
    assert publish(version=10) == tmp_path / "10"
    assert publish() == tmp_path / "11"
    assert version_directory(tmp_path) == tmp_path / "11"


def test_a_version_is_never_written_over(exported):
    classifier, directory = exported
    before = (directory / "saved_model.pb").read_bytes()
    with pytest.raises(ExportError, match="1 is there already. Leave"):
        export(classifier, directory.parent, version=1)
    assert (directory / "saved_model.pb").read_bytes() == before
    assert [path.name for path in directory.parent.iterdir()] == ["1"]


def test_old_versions_are_removed(make_classifier, tmp_path):
    classifier = make_classifier()
    for _ in range(2):
        directory = export(classifier, tmp_path, keep=1)
    assert list(tmp_path.iterdir()) == [directory] == [tmp_path / "2"]
    assert version_directory(tmp_path) == directory


def test_of_two_names_of_a_version_the_servers_is_read(tmp_path):
    for name in ("6", "007", "7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"")
    assert version_directory(tmp_path) == tmp_path / "7"
    (tmp_path / "7").rename(tmp_path / "seven")
    assert version_directory(tmp_path) == tmp_path / "007"


def test_two_exports_at_once_get_two_versions(tmp_path):
    barrier = threading.Barrier(2)
    published = []

    def write():
        with new_version(tmp_path, None) as (staging, found):
            (staging / "file").write_text("x")
            barrier.wait()
        published.extend(found)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(published) == [tmp_path / "1", tmp_path / "2"]


def test_nothing_is_left_of_an_export_that_fails(
    make_classifier, tmp_path, monkeypatch
):
    monkeypatch.setitem(exporting._TOLERANCES, "float32", -1.0)
    with pytest.raises(ExportError, match="does not reproduce the classifier"):
        export(make_classifier(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_servers_user_can_read_it(exported):
    assert os.stat(exported[1]).st_mode & 0o777 == 0o755


def big_constants(directory):
    """Returns the arrays of a SavedModel that are too large to be settings."""
    model = saved_model_pb2.SavedModel.FromString(
        (directory / "saved_model.pb").read_bytes()
    )
    graph = model.meta_graphs[0].graph_def
    nodes = [
        *graph.node,
        *(n for f in graph.library.function for n in f.node_def),
    ]
    arrays = (
        tf.make_ndarray(n.attr["value"].tensor)
        for n in nodes
        if n.op == "Const"
    )
    return [a for a in arrays if a.dtype == np.float32 and a.size > 16]


def test_each_weight_is_stored_once(exported):
    classifier, directory = exported
    weights = sum(int(np.prod(w.shape)) for w in classifier.weights)
    in_graph = sum(array.size for array in big_constants(directory))
    [data] = (directory / "variables").glob("*.data*")
    # The tables of embeddings, and the list of variables.
    variables = data.stat().st_size // 4
    assert weights // 10 < min(in_graph, variables)
    assert 0.9 * weights < in_graph + variables < 1.02 * weights + 3000


def test_weights_too_large_for_a_graph_are_variables(
    make_classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr(signatures, "_MOST_BYTES_OF_CONSTANTS", 0)
    classifier = make_classifier()
    directory = export(classifier, tmp_path)
    weights = sum(4 * int(np.prod(w.shape)) for w in classifier.weights)
    [data] = (directory / "variables").glob("*.data*")
    assert 0.9 * weights < data.stat().st_size < 1.1 * weights + 4096
    # What tells heads apart, and the points of an integral, are small.
    assert all(array.size <= 3 * 48 for array in big_constants(directory))
    assert ExportedModel(directory).predict_proba(TEXTS) == pytest.approx(
        classifier.predict_proba(TEXTS), abs=1e-5
    )


@pytest.mark.filterwarnings("ignore")
def test_bfloat16_answers_about_as_float32(make_classifier, tmp_path):
    classifier = make_classifier(temperature=2.0)
    half = export(classifier, tmp_path, precision="bfloat16")
    model = ExportedModel(half)
    proba, expected = (
        model.predict_proba(TEXTS),
        classifier.predict_proba(TEXTS),
    )
    assert proba == pytest.approx(expected, abs=2e-2)
    assert (proba != expected).any()
    assert big_constants(half)  # the norms and biases
    info = json.loads((half / "assets.extra/kerassent.json").read_text())
    assert info["precision"] == "bfloat16"
    assert info["processor"] == "AVX512_BF16 or AMX"


def test_it_says_what_made_it(exported):
    info = json.loads((exported[1] / "assets.extra/kerassent.json").read_text())
    assert info["class_names"] == ["neg", "mixed \u00bd", "pos"]
    assert (info["sequence_length"], info["truncate"]) == (16, "head")
    assert info["temperature"] == 2.0
    assert info["versions"]["tensorflow"] == tf.__version__
    assert len(info["sha256"]["vocabulary"]) == 64
    assert info["run"] is None


def test_a_run_directory_can_be_exported(tiny_run, tmp_path):
    directory = export(tiny_run[1], tmp_path / "models")
    assert ExportedModel(directory).predict_proba(TEXTS) == pytest.approx(
        tiny_run[0].predict_proba(TEXTS), abs=1e-5
    )
    info = json.loads((directory / "assets.extra/kerassent.json").read_text())
    run = json.loads((tiny_run[1] / "train.json").read_text())
    assert info["run"] == run
    assert {"preset", "valid", "sha256"} <= info["run"].keys()


def test_a_damaged_record_of_training_is_told(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run[1], run)
    (run / "train.json").write_text("{")
    with pytest.raises(ExportError, match="train.json cannot be read.*Restore"):
        export(run, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_keras_nlps_own_tokenizer_is_refused(
    make_classifier, tmp_path, vocabulary
):
    import keras_nlp

    classifier = make_classifier()
    classifier.preprocessor.tokenizer = keras_nlp.models.DistilBertTokenizer(
        vocabulary, lowercase=True
    )
    with pytest.raises(
        ExportError, match="with DistilBertTokenizer; expected: kerassent's"
    ):
        export(classifier, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_keras_nlps_own_preprocessor_is_refused(
    make_classifier, tmp_path, vocabulary
):
    import keras_nlp

    classifier = make_classifier()
    classifier.preprocessor = (
        keras_nlp.models.DistilBertTextClassifierPreprocessor(
            keras_nlp.models.DistilBertTokenizer(vocabulary),
            sequence_length=16,
        )
    )
    with pytest.raises(
        ExportError, match="DistilBertTextClassifierPreprocessor with"
    ):
        export(classifier, tmp_path)


def test_errors_say_what_is_wrong(make_classifier, tmp_path):
    classifier = make_classifier()
    with pytest.raises(ValueError, match="`version` must be 1 or more"):
        export(classifier, tmp_path, version=0)
    with pytest.raises(TypeError, match="`version` must be a whole number"):
        export(classifier, tmp_path, version=True)
    with pytest.raises(ValueError, match="`version` must be an int64"):
        export(classifier, tmp_path, version=2**63)
    with pytest.raises(ValueError, match="`keep` must be 1 or more"):
        export(classifier, tmp_path, keep=0)
    with pytest.raises(ValueError, match="`keep` goes with `format='saved_mo"):
        export(classifier, tmp_path, format="keras-nlp", keep=1)
    with pytest.raises(ValueError, match="`precision` must be one of"):
        export(classifier, tmp_path, precision="float16")
    with pytest.raises(ValueError, match="`precision` goes with"):
        export(classifier, tmp_path, format="onnx", precision="bfloat16")
    with pytest.raises(ValueError, match="`targets` must be a list of some"):
        export(classifier, tmp_path, targets=["2.19", "1.0"])
    classifier.preprocessor = None
    with pytest.raises(ExportError, match="has no preprocessor"):
        export(classifier, tmp_path)
    with pytest.raises(ExportError, match="holds no SavedModel"):
        ExportedModel(tmp_path)


def test_another_saved_model_is_told_apart(tmp_path):
    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": x + 1}, input_signature=[tf.TensorSpec([None])]
    )
    tf.saved_model.save(
        module,
        str(tmp_path / "1"),
        signatures=module.f.get_concrete_function(),
    )
    with pytest.raises(ExportError, match=r"outputs \['y'\], expected"):
        ExportedModel(tmp_path)


def test_what_is_no_run_is_told_apart(exported, tmp_path):
    with pytest.raises(TypeError, match="or a run directory. Received: None"):
        export(None, tmp_path / "models")
    for path, found in (
        (exported[1].parent, "an export already"),
        (tmp_path, "another directory"),
        (tmp_path / "nope", "no directory"),
    ):
        with pytest.raises(PresetError, match=f"no trained .*; it is {found}"):
            export(path, tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "file",
    [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ],
)
def test_a_half_written_export_is_told(exported, tmp_path, file):
    shutil.copytree(exported[1], tmp_path / "1")
    path = tmp_path / "1" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ExportError, match="1 cannot be loaded, it may be half"):
        ExportedModel(tmp_path)


def test_an_empty_highest_version_is_named(exported, tmp_path):
    shutil.copytree(exported[1], tmp_path / "1")
    (tmp_path / "2").mkdir()
    with pytest.raises(
        ExportError, match=r"2/saved_model.pb, its highest version; `keras"
    ):
        ExportedModel(tmp_path)


def test_another_explain_signature_is_missed(exported, tmp_path):
    """As in exports of a classifier that was written by other means."""
    loaded = tf.saved_model.load(str(exported[1]))
    signature = loaded.signatures["serving_default"]
    tf.saved_model.save(
        loaded, str(tmp_path / "1"), {"serving_default": signature}
    )
    with pytest.raises(ExportError, match="and a signature `explain`. Export"):
        ExportedModel(tmp_path)
