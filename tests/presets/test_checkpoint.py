import json

import pytest

from kerassent.errors import PresetError
from kerassent.presets import find_preset
from kerassent.presets.checkpoint import content_hash, read_checkpoint
from kerassent.presets.conversion import Architecture


@pytest.fixture
def checkpoint(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def read(directory):
    return read_checkpoint(
        directory, json.loads((directory / "config.json").read_text())
    )


def configure(directory, **changes):
    path = directory / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("kind, dropout", [("bert", 0.2), ("distilbert", 0.3)])
def test_sizes_are_read_from_either_models_config(
    kind, dropout, tmp_path, write_checkpoint, vocabulary
):
    write_checkpoint(tmp_path, kind)
    assert read(tmp_path).architecture == Architecture(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        dropout=dropout,
        max_sequence_length=12,
    )


@pytest.mark.parametrize(
    "key, value",
    [
        ("hidden_act", "relu"),
        ("hidden_act", "gelu_new"),
        ("position_embedding_type", "relative_key"),
        ("layer_norm_eps", 1e-5),
        ("is_decoder", True),
    ],
)
def test_what_a_distilbert_does_not_compute_is_refused(key, value, checkpoint):
    configure(checkpoint, **{key: value})
    with pytest.raises(PresetError, match=f"has {key}={value!r}; a keras-nlp"):
        find_preset(checkpoint)


def test_other_model_is_refused_by_its_name(checkpoint):
    configure(checkpoint, model_type="roberta")
    with pytest.raises(
        PresetError,
        match="of a 'roberta' model; kerassent reads 'bert', 'distilbert'",
    ):
        find_preset(checkpoint)


@pytest.mark.parametrize("value", [None, 0, -1, "8", 8.0, True])
def test_size_that_is_no_positive_whole_number_is_refused(value, checkpoint):
    configure(checkpoint, hidden_size=value)
    with pytest.raises(PresetError, match=f"has hidden_size={value!r}"):
        find_preset(checkpoint)


def test_heads_must_divide_the_hidden_size(checkpoint):
    configure(checkpoint, num_attention_heads=3)
    with pytest.raises(
        PresetError, match="3 attention heads do not divide a hidden size of 8"
    ):
        find_preset(checkpoint)


def test_dropout_must_be_a_probability(checkpoint):
    configure(checkpoint, hidden_dropout_prob=1.5)
    with pytest.raises(PresetError, match=r"prob=1\.5; expected a number in"):
        find_preset(checkpoint)


def test_pickled_weights_are_refused_with_the_recipe(checkpoint):
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(
        PresetError,
        match=r"'pytorch_model\.bin', a pickle, which can run code.*"
        r"save_pretrained",
    ):
        find_preset(checkpoint)


def test_no_weights_at_all(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(PresetError, match=r"has no model\.safetensors\. Copy"):
        find_preset(checkpoint)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", ".."])
def test_index_does_not_lead_out_of_its_directory(name, checkpoint):
    (checkpoint / "model.safetensors").unlink()
    index = checkpoint / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(PresetError, match="expected one beside it|has no '..'"):
        find_preset(checkpoint)


def test_missing_shard_is_named(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path, shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        PresetError, match=r"has no 'model-00002-of-00003\.safetensors'"
    ):
        find_preset(tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("\udcff", "is not valid JSON"),
        ("[1]", "must hold a JSON object. It holds a list"),
    ],
)
def test_damaged_config_is_refused(text, message, checkpoint):
    data = text.encode("utf-8", "surrogateescape")
    (checkpoint / "config.json").write_bytes(data)
    with pytest.raises(PresetError, match=f"config.json {message}"):
        find_preset(checkpoint)


def test_each_change_of_the_checkpoint_makes_another_preset(
    tmp_path, write_checkpoint, vocabulary
):
    write_checkpoint(tmp_path)
    seen = {content_hash(read(tmp_path))}
    assert content_hash(read(tmp_path)) in seen
    write_checkpoint(tmp_path, seed=1)
    seen.add(content_hash(read(tmp_path)))
    configure(tmp_path, hidden_dropout_prob=0.5)
    seen.add(content_hash(read(tmp_path)))
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case":false}')
    seen.add(content_hash(read(tmp_path)))
    words = vocabulary[:-1] + ["other"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    seen.add(content_hash(read(tmp_path)))
    assert len(seen) == 5


def test_changed_weights_are_converted_anew(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint")
    first = find_preset(tmp_path / "checkpoint")
    assert find_preset(tmp_path / "checkpoint") == first
    write_checkpoint(tmp_path / "checkpoint", seed=1)
    assert find_preset(tmp_path / "checkpoint") != first
