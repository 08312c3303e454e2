import json
import os

import pytest
import tensorflow as tf

from kerassent.cli import main
from kerassent.errors import ExportError
from kerassent.saved_model.exporting import export
from kerassent.saved_model.inspection import inspect_export


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    return export(tiny_run[1], tmp_path_factory.mktemp("models"))


def test_it_says_what_is_in_an_export(exported, tiny_run):
    found = inspect_export(exported.parent)
    assert found.path == str(exported)
    assert found.size_bytes == sum(
        os.path.getsize(os.path.join(directory, name))
        for directory, _, names in os.walk(exported)
        for name in names
    )
    assert found.targets == ("2.16", "2.17", "2.18", "2.19", "2.20", "2.21")
    assert set(found.ops["MatMul"]) == set(found.targets)
    assert found.signatures["serving_default"]["inputs"] == {
        "text": {"dtype": "string", "shape": [-1]}
    }
    assert found.signatures["classify"]["method_name"] == (
        "tensorflow/serving/classify"
    )
    assert found.signatures["explain"]["outputs"]["starts"] == {
        "dtype": "int32",
        "shape": [-1, -1],
    }
    [expected] = tiny_run[0].predict_proba(["A wonderful film."])
    assert found.sample["probabilities"] == pytest.approx(
        expected.tolist(), abs=1e-5
    )
    assert found.sample["class_names"] == list(tiny_run[0].class_names)
    assert found.num_warmup_requests == 8
    assert found.resident_bytes > 0
    assert found.info["run"]["num_reviews"]["train"] == 144


def test_the_command_prints_it(exported, cli):
    plain = cli("inspect", str(exported))
    for words in ("serving_default", "2.16 to 2.21", "float32", "says"):
        assert words in plain
    found = json.loads(cli("inspect", str(exported), "--json"))
    assert found["path"] == str(exported)
    assert found["sample"]["label"] in found["info"]["class_names"]


@pytest.fixture
def cli():
    from click.testing import CliRunner

    def run(*arguments):
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_another_saved_model_can_be_inspected(tmp_path):
    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": tf.raw_ops.Cosh(x=x)},
        input_signature=[tf.TensorSpec([None], name="x")],
    )
    tf.saved_model.save(
        module,
        str(tmp_path / "1"),
        signatures=module.f.get_concrete_function(),
    )
    found = inspect_export(tmp_path)
    assert (found.info, found.sample, found.num_warmup_requests) == ({}, {}, 0)
    assert "Cosh" in found.ops


def test_what_is_damaged_is_told(exported, tmp_path):
    import shutil

    copy = tmp_path / "1"
    shutil.copytree(exported, copy)
    warmup = copy / "assets.extra" / "tf_serving_warmup_requests"
    warmup.write_bytes(warmup.read_bytes()[:-7])
    with pytest.raises(ExportError, match="warmup_requests cannot be read"):
        inspect_export(copy)
    warmup.unlink()
    (copy / "assets.extra" / "kerassent.json").write_text("[]")
    with pytest.raises(ExportError, match="holds no JSON object"):
        inspect_export(copy)
    (copy / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(ExportError, match="cannot be read as a SavedModel"):
        inspect_export(copy)
    with pytest.raises(ExportError, match="holds no SavedModel"):
        inspect_export(tmp_path / "nowhere")
