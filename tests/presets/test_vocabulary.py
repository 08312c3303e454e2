import json

import pytest

from kerassent.errors import PresetError
from kerassent.presets.vocabulary import (
    TokenizerSettings,
    read_tokenizer,
    read_vocabulary,
)

FAST = {
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "vocab": {"b": 1, "a": 0, "##c": 2},
    },
}


@pytest.fixture
def write_fast(tmp_path):
    def write(**changes):
        (tmp_path / "tokenizer.json").write_text(json.dumps(FAST | changes))

    return write


def settings(directory, **values):
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps(values))


def test_lines_end_at_line_feeds_only(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("a\r\n\u2028\n\x85\né\n".encode())
    assert read_vocabulary(path) == ("a", "\u2028", "\x85", "é")


def test_vocabulary_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(PresetError, match=r"vocab\.txt is not UTF-8"):
        read_vocabulary(tmp_path / "vocab.txt")


def test_defaults_are_those_of_an_uncased_bert(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    assert read_tokenizer(tmp_path) == TokenizerSettings(("a", "b"), True, None)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False, None])
def test_settings_are_those_of_tokenizer_config(
    lowercase, strip_accents, tmp_path
):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    settings(
        tmp_path,
        tokenizer_class="BertTokenizer",
        do_lower_case=lowercase,
        strip_accents=strip_accents,
        tokenize_chinese_chars=True,
    )
    assert read_tokenizer(tmp_path) == TokenizerSettings(
        ("a", "b"), lowercase, strip_accents
    )


def test_tokenizer_json_serves_without_vocab_txt(tmp_path, write_fast):
    write_fast(normalizer=FAST["normalizer"] | {"lowercase": False})
    assert read_tokenizer(tmp_path) == TokenizerSettings(
        ("a", "b", "##c"), False, None
    )


def test_tokenizer_config_goes_before_tokenizer_json(tmp_path, write_fast):
    write_fast(normalizer=FAST["normalizer"] | {"lowercase": False})
    settings(tmp_path, do_lower_case=True)
    assert read_tokenizer(tmp_path).lowercase is True


@pytest.mark.parametrize(
    "part, kind",
    [
        ("model", "BPE"),
        ("normalizer", "NFC"),
        ("pre_tokenizer", "Whitespace"),
    ],
)
def test_tokenizer_of_another_type_is_refused(part, kind, tmp_path, write_fast):
    write_fast(**{part: {"type": kind}})
    with pytest.raises(PresetError, match=f"of the types .*'{kind}'.*BERT's"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "vocab", [None, {"a": 0, "b": 2}, {"a": 0, "b": 0}, {"a": "0"}, ["a"]]
)
def test_ids_with_gaps_or_repeats_are_refused(vocab, tmp_path, write_fast):
    write_fast(model=FAST["model"] | {"vocab": vocab})
    with pytest.raises(PresetError, match="must give the ids 0, 1, 2"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("tokenize_chinese_chars", False, "True"),
        ("do_basic_tokenize", False, "True"),
        ("do_lower_case", "yes", "True or False"),
        ("strip_accents", 1, "True or False or None"),
    ],
)
def test_setting_that_the_tokenizer_does_not_have_is_refused(
    key, value, expected, tmp_path
):
    (tmp_path / "vocab.txt").write_text("a\n")
    settings(tmp_path, **{key: value})
    with pytest.raises(
        PresetError,
        match=f"has {key}={value!r}; kerassent's tokenizer has {expected}",
    ):
        read_tokenizer(tmp_path)


def test_other_tokenizer_class_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\n")
    settings(tmp_path, tokenizer_class="BertJapaneseTokenizer")
    with pytest.raises(
        PresetError, match="names the tokenizer 'BertJapaneseTokenizer'"
    ):
        read_tokenizer(tmp_path)


def test_no_vocabulary_at_all(tmp_path):
    with pytest.raises(PresetError, match=r"has neither a vocab\.txt nor a"):
        read_tokenizer(tmp_path)
