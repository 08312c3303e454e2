import random

import keras
import keras_nlp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kerassent.errors import PresetError
from kerassent.presets import find_preset
from kerassent.tokenizer import BertTokenizer

TOKEN_IDS = np.array(
    [[2, 7, 19, 33, 39, 3], [2, 11, 8, 3, 0, 0], [2, 3, 0, 0, 0, 0]]
)
PADDING_MASK = TOKEN_IDS != 0


def backbone_of(directory):
    return keras_nlp.models.DistilBertBackbone.from_preset(str(directory))


def outputs_of(directory):
    return backbone_of(directory).predict_on_batch(
        {"token_ids": TOKEN_IDS, "padding_mask": PADDING_MASK}
    )


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_hidden_states_are_the_checkpoints(
    kind, tmp_path, write_checkpoint, reference
):
    tensors = write_checkpoint(tmp_path / "checkpoint", kind)
    preset = find_preset(tmp_path / "checkpoint")
    expected = reference(tensors, TOKEN_IDS, PADDING_MASK, kind=kind)
    np.testing.assert_allclose(outputs_of(preset), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_prefix_old_norm_names_and_shards_give_the_same_preset(
    kind, tmp_path, write_checkpoint, reference
):
    def rename(name):
        if "LayerNorm" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        return f"{kind}.{name}"

    tensors = write_checkpoint(
        tmp_path / "checkpoint", kind, rename=rename, shards=3
    )
    preset = find_preset(tmp_path / "checkpoint")
    expected = reference(tensors, TOKEN_IDS, PADDING_MASK, kind=kind)
    np.testing.assert_allclose(outputs_of(preset), expected, rtol=0, atol=1e-5)


def test_backbone_is_a_float32_distilbert_of_the_configs_sizes(
    tmp_path, write_checkpoint, vocabulary
):
    write_checkpoint(tmp_path / "checkpoint")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        preset = find_preset(tmp_path / "checkpoint")
    finally:
        keras.config.set_dtype_policy(policy)
    backbone = backbone_of(preset)
    assert type(backbone) is keras_nlp.models.DistilBertBackbone
    config = backbone.get_config()
    assert backbone.transformer_layers[0].compute_dtype == "float32"
    assert {
        key: config[key]
        for key in (
            "vocabulary_size",
            "num_layers",
            "num_heads",
            "hidden_dim",
            "intermediate_dim",
            "dropout",
            "max_sequence_length",
        )
    } == {
        "vocabulary_size": len(vocabulary),
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 16,
        "dropout": 0.2,
        "max_sequence_length": 12,
    }


def test_tokenizer_travels_with_the_preset(
    tmp_path, write_checkpoint, vocabulary
):
    write_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "tokenizer_config.json").write_text(
        '{"do_lower_case": false, "strip_accents": true}'
    )
    tokenizer = BertTokenizer.from_preset(
        str(find_preset(tmp_path / "checkpoint"))
    )
    assert tokenizer.get_vocabulary() == vocabulary
    assert tokenizer.lowercase is False
    assert tokenizer.strip_accents is True


def test_conversion_leaves_the_random_state_as_a_cached_preset_does(
    tmp_path, write_checkpoint
):
    write_checkpoint(tmp_path / "checkpoint")
    keras.utils.set_random_seed(1)
    before = random.getstate()
    find_preset(tmp_path / "checkpoint")
    assert random.getstate() == before


def test_half_precision_is_widened(tmp_path, write_checkpoint, reference):
    import ml_dtypes

    for dtype in (np.float16, ml_dtypes.bfloat16):
        directory = tmp_path / np.dtype(dtype).name
        tensors = write_checkpoint(directory)
        narrow = {name: value.astype(dtype) for name, value in tensors.items()}
        save_file(narrow, directory / "model.safetensors")
        expected = reference(narrow, TOKEN_IDS, PADDING_MASK, kind="bert")
        outputs = outputs_of(find_preset(directory))
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


def test_missing_tensor_is_named(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "model.safetensors"
    tensors = load_file(file)
    del tensors["encoder.layer.1.output.dense.bias"]
    save_file(tensors, file)
    with pytest.raises(
        PresetError, match=r"no tensor 'encoder\.layer\.1\.output\.dense\.bias'"
    ):
        find_preset(tmp_path / "checkpoint")


def test_config_with_more_layers_than_weights_names_the_first_missing(
    tmp_path, write_checkpoint
):
    write_checkpoint(tmp_path / "checkpoint", num_hidden_layers=10**9)
    with pytest.raises(
        PresetError, match=r"no tensor 'encoder\.layer\.2\.attention\.self\.q"
    ):
        find_preset(tmp_path / "checkpoint")


def test_tensor_of_another_shape_is_named(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint", max_position_embeddings=10**9)
    with pytest.raises(
        PresetError,
        match=r"'embeddings\.position_embeddings\.weight' has the shape "
        r"\(12, 8\); config\.json asks for \(1000000000, 8\)",
    ):
        find_preset(tmp_path / "checkpoint")


def test_quantized_tensor_is_refused(tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "model.safetensors"
    tensors = load_file(file)
    name = "encoder.layer.0.output.dense.weight"
    tensors[name] = tensors[name].astype(np.int8)
    save_file(tensors, file)
    with pytest.raises(PresetError, match=f"'{name}' holds I8; expected one"):
        find_preset(tmp_path / "checkpoint")


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_weights_are_refused(keep, tmp_path, write_checkpoint):
    write_checkpoint(tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(
        PresetError, match=r"model\.safetensors is not a whole safetensors file"
    ):
        find_preset(tmp_path / "checkpoint")


def test_nothing_is_left_of_a_conversion_that_failed(
    tmp_path, write_checkpoint, kerassent_home
):
    write_checkpoint(tmp_path / "checkpoint", num_hidden_layers=3)
    with pytest.raises(PresetError):
        find_preset(tmp_path / "checkpoint")
    left = [p for p in (kerassent_home / "presets").iterdir() if p.is_dir()]
    assert left == []


def test_vocabulary_larger_than_the_embedding_is_refused(
    tmp_path, write_checkpoint, vocabulary
):
    write_checkpoint(tmp_path / "checkpoint")
    with open(tmp_path / "checkpoint" / "vocab.txt", "a") as file:
        file.write("one\nmore\n")
    size = len(vocabulary)
    with pytest.raises(
        PresetError,
        match=f"the vocabulary has {size + 2} word pieces, the weights have "
        f"{size}",
    ):
        find_preset(tmp_path / "checkpoint")


def test_vocabulary_without_special_tokens_is_refused(
    tmp_path, write_checkpoint
):
    write_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(PresetError, match="its vocabulary is not one of BERT"):
        find_preset(tmp_path / "checkpoint")
