import json
import subprocess
import sys

import numpy as np
import pytest

from kerassent.errors import ExportError
from kerassent.saved_model import onnx as onnx_export
from kerassent.saved_model.exporting import export

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TEXTS = [
    "a good film",
    "Very BAD . Never again !",
    "",
    "caf\u00e9 [SEP] \u4f60\u597d tea",
    "a bad film , " * 20,
]


def vary(classifier):
    """Gives weights on which answers depend, all of them, unlike new ones."""
    chance = np.random.default_rng(0)
    for variable in classifier.weights:
        noise = chance.normal(0.0, 0.3, variable.shape)
        variable.assign(variable + noise)
    return classifier


@pytest.fixture(scope="module")
def exported(make_classifier, tmp_path_factory):
    classifier = vary(
        make_classifier(
            ("neg", "mixed \u00bd", "pos"), temperature=2.0, hidden_dim=24
        )
    )
    classifier.preprocessor.truncate = "tail"
    path = tmp_path_factory.mktemp("onnx") / "new" / "sentiment"
    assert export(classifier, path, format="onnx") == path
    return classifier, path


def session(path):
    return onnxruntime.InferenceSession(
        str(path / "model.onnx"), providers=["CPUExecutionProvider"]
    )


def tokens_of(classifier, texts):
    return {
        name: np.array(rows, np.int64)
        for name, rows in classifier.preprocessor(texts).items()
    }


def test_probabilities_are_the_classifiers(exported):
    classifier, path = exported
    model = session(path)
    expected = classifier.predict_proba(TEXTS)
    assert np.ptp(expected, axis=0).min() > 0.03  # something to compare
    for rows in ([0], [2], [4], [0, 1], [0, 1, 2, 3, 4]):
        tokens = tokens_of(classifier, [TEXTS[row] for row in rows])
        logits, probabilities = model.run(["logits", "probabilities"], tokens)
        assert probabilities == pytest.approx(expected[rows], abs=1e-5)
        assert logits == pytest.approx(
            np.array(classifier(tokens, training=False)), abs=3e-5
        )


def test_padding_changes_nothing(exported):
    classifier, path = exported
    tokens = tokens_of(classifier, TEXTS[:2])
    wider = {
        name: np.pad(rows, ((0, 0), (0, 7))) for name, rows in tokens.items()
    }
    model = session(path)
    assert model.run(["probabilities"], wider)[0] == pytest.approx(
        model.run(["probabilities"], tokens)[0], abs=1e-6
    )


def test_an_empty_batch_gives_no_rows(exported):
    none = np.zeros((0, 5), np.int64)
    found = session(exported[1]).run(
        ["logits", "probabilities"], {"token_ids": none, "padding_mask": none}
    )
    assert [each.shape for each in found] == [(0, 3), (0, 3)]


def test_the_graph_says_what_it_takes_and_gives(exported):
    model = session(exported[1])
    assert [(i.name, i.type, i.shape) for i in model.get_inputs()] == [
        ("token_ids", "tensor(int64)", ["batch_size", "length"]),
        ("padding_mask", "tensor(int64)", ["batch_size", "length"]),
    ]
    assert [(o.name, o.type, o.shape) for o in model.get_outputs()] == [
        ("logits", "tensor(float)", ["batch_size", 3]),
        ("probabilities", "tensor(float)", ["batch_size", 3]),
    ]
    names = model.get_modelmeta().custom_metadata_map["class_names"]
    assert json.loads(names) == ["neg", "mixed \u00bd", "pos"]


def test_runtimes_of_2022_read_it(exported):
    model = onnx.load(str(exported[1] / "model.onnx"))
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


def test_each_weight_is_stored_once(exported):
    classifier, path = exported
    weights = 4 * sum(int(np.prod(w.shape)) for w in classifier.weights)
    size = (path / "model.onnx").stat().st_size
    assert weights <= size < 1.1 * weights + 30_000


def test_it_says_what_made_it(exported):
    info = json.loads((exported[1] / "assets.extra/kerassent.json").read_text())
    assert info["class_names"] == ["neg", "mixed \u00bd", "pos"]
    assert (info["temperature"], info["truncate"]) == (2.0, "tail")
    assert sorted(path.name for path in exported[1].iterdir()) == [
        "README.md",
        "assets.extra",
        "model.onnx",
        "tokenizer.json",
        "vocabulary.txt",
    ]


def test_the_tokenizers_are_the_same(exported):
    tokenizers = pytest.importorskip("tokenizers")
    classifier, path = exported
    tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    encoded = tokenizer.encode_batch(TEXTS)
    tokens = tokens_of(classifier, TEXTS)
    assert [each.ids for each in encoded] == tokens["token_ids"].tolist()
    assert [each.attention_mask for each in encoded] == (
        tokens["padding_mask"].tolist()
    )
    assert tokens["token_ids"].shape == (5, 16)  # one was truncated


def test_the_readmes_lines_run_without_kerassent(exported):
    pytest.importorskip("tokenizers")
    classifier, path = exported
    readme = (path / "README.md").read_text("utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    program = f"""
import sys
sys.modules["kerassent"] = sys.modules["tensorflow"] = None
{code}
print(json.dumps([probabilities.tolist(), labels]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, labels = json.loads(done.stdout)
    expected = classifier.predict_proba(["A wonderful film.", "Never again."])
    assert np.array(found) == pytest.approx(expected, abs=1e-5)
    best = expected.argmax(axis=1)
    assert labels == [classifier.class_names[each] for each in best]


def test_what_differs_is_said(make_classifier, tmp_path):
    classifier = make_classifier()
    classifier.preprocessor.clean_html = True
    classifier.preprocessor.truncate = "head_tail"
    export(classifier, tmp_path / "a", format="onnx")
    readme = (tmp_path / "a" / "README.md").read_text("utf-8")
    assert "Of a text of more than 16 tokens it sees the head" in readme
    assert "It does not clean HTML, training did" in readme
    classifier.preprocessor.clean_html = False
    classifier.preprocessor.truncate = "head"
    export(classifier, tmp_path / "b", format="onnx")
    readme = (tmp_path / "b" / "README.md").read_text("utf-8")
    assert "head" not in readme
    assert "HTML" not in readme


@pytest.mark.parametrize(
    "activation", ["linear", "relu", "sigmoid", "softmax", "tanh"]
)
def test_the_heads_activation_is_the_classifiers(
    make_classifier, tmp_path, activation
):
    """The export checks the probabilities itself."""
    classifier = vary(make_classifier(activation=activation, temperature=0.5))
    export(classifier, tmp_path / "new", format="onnx")
    tokens = tokens_of(classifier, TEXTS)
    [logits] = session(tmp_path / "new").run(["logits"], tokens)
    assert logits == pytest.approx(
        np.array(classifier(tokens, training=False)), abs=1e-5
    )


def test_errors_say_what_is_wrong(make_classifier, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="activation is 'elu'. ONNX export k"):
        export(make_classifier(activation="elu"), tmp_path / "a", format="onnx")
    classifier = make_classifier()
    with pytest.raises(ValueError, match="`version` goes with `format='saved"):
        export(classifier, tmp_path / "a", format="onnx", version=2)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="file is there already. Choose"):
        export(classifier, tmp_path / "file", format="onnx")
    monkeypatch.setattr(onnx_export, "_TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="does not reproduce the classifier"):
        export(classifier, tmp_path / "a", format="onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_another_tokenizer_is_refused(make_classifier, vocabulary, tmp_path):
    import keras_nlp

    classifier = make_classifier()
    classifier.preprocessor.tokenizer = keras_nlp.models.DistilBertTokenizer(
        vocabulary
    )
    with pytest.raises(ExportError, match="with DistilBertTokenizer"):
        export(classifier, tmp_path / "a", format="onnx")


def test_weights_that_no_onnx_file_holds_are_refused(
    make_classifier, tmp_path, monkeypatch
):
    from kerassent.saved_model import onnx_graph

    monkeypatch.setattr(onnx_graph, "_MAX_BYTES", 10_000)
    with pytest.raises(ExportError, match="GiB; an ONNX file holds 2. Export"):
        export(make_classifier(), tmp_path / "a", format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_said(make_classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ExportError,
        match=r"'onnxruntime', which is not .* `pip install 'kerassent\[onnx\]",
    ):
        export(make_classifier(), tmp_path / "a", format="onnx")
