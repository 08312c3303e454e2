"""The tokenizer of a checkpoint in Hugging Face's format."""

import pathlib
from dataclasses import dataclass
from typing import Any, Final

from kerassent.errors import PresetError, listed
from kerassent.presets.directory import read_file, read_json

VOCAB_FILE: Final = "vocab.txt"
FAST_TOKENIZER_FILE: Final = "tokenizer.json"
SETTINGS_FILE: Final = "tokenizer_config.json"

# `None`: older checkpoints don't say. The last two say only that there is a
# tokenizer.json, which is then checked.
_TOKENIZER_CLASSES = (
    None,
    "BertTokenizer",
    "BertTokenizerFast",
    "DistilBertTokenizer",
    "DistilBertTokenizerFast",
    "PreTrainedTokenizerFast",
    "TokenizersBackend",
)


@dataclass(frozen=True)
class TokenizerSettings:
    """What makes one BERT tokenizer differ from another.

    Args:
        vocabulary: The word pieces in the order of their ids.
        lowercase: Whether text is lower-cased.
        strip_accents: Whether accents are removed; `None` as `lowercase` says.
    """

    vocabulary: tuple[str, ...]
    lowercase: bool
    strip_accents: bool | None


def read_tokenizer(directory: pathlib.Path) -> TokenizerSettings:
    """Returns the settings of a checkpoint's tokenizer.

    `tokenizer_config.json` goes before `tokenizer.json`, as in transformers;
    what neither says is as in BERT's uncased models.

    Args:
        directory: A checkpoint's directory, with `vocab.txt` or
            `tokenizer.json`.

    Raises:
        PresetError: A file cannot be read, or the tokenizer is not BERT's.
    """
    fast: dict[str, Any] = {}
    if (directory / FAST_TOKENIZER_FILE).is_file():
        fast = read_json(directory / FAST_TOKENIZER_FILE)
    if (directory / VOCAB_FILE).is_file():
        vocabulary = read_vocabulary(directory / VOCAB_FILE)
    elif fast:
        vocabulary = _fast_vocabulary(directory / FAST_TOKENIZER_FILE, fast)
    else:
        raise PresetError(
            f"{directory} has neither a {VOCAB_FILE} nor a "
            f"{FAST_TOKENIZER_FILE}. Copy the checkpoint's {VOCAB_FILE} there."
        )
    normalizer = fast.get("normalizer")
    settings: dict[str, Any] = {
        "do_lower_case": True,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
    }
    if isinstance(normalizer, dict):
        settings |= {
            ours: normalizer[theirs]
            for ours, theirs in (
                ("do_lower_case", "lowercase"),
                ("strip_accents", "strip_accents"),
                ("tokenize_chinese_chars", "handle_chinese_chars"),
            )
            if theirs in normalizer
        }
    path = directory / SETTINGS_FILE
    if path.is_file():
        settings |= read_json(path)
    _check_settings(path, settings)
    return TokenizerSettings(
        vocabulary=vocabulary,
        lowercase=settings["do_lower_case"],
        strip_accents=settings["strip_accents"],
    )


def read_vocabulary(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the word pieces of a `vocab.txt`, one a line.

    Args:
        path: A UTF-8 file.

    Raises:
        PresetError: It cannot be read, or is not UTF-8.
    """
    try:
        text = read_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PresetError(
            f"{path} is not UTF-8 ({error}). Download it again."
        ) from error
    # A word piece may hold what `splitlines` takes for the end of a line.
    return tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))


def _check_settings(path: pathlib.Path, settings: dict[str, Any]) -> None:
    if settings.get("tokenizer_class") not in _TOKENIZER_CLASSES:
        raise PresetError(
            f"{path} names the tokenizer {settings['tokenizer_class']!r}; "
            "kerassent has BERT's and DistilBERT's. Pass a checkpoint with "
            "one of those."
        )
    expected: dict[str, tuple[Any, ...]] = {
        "do_lower_case": (True, False),
        "strip_accents": (True, False, None),
        "tokenize_chinese_chars": (True,),
        "do_basic_tokenize": (True,),
    }
    for key, values in expected.items():
        value = settings.get(key, values[0])
        if not any(value is each for each in values):
            raise PresetError(
                f"{path} has {key}={value!r}; kerassent's tokenizer has "
                f"{' or '.join(repr(each) for each in values)}. Pass another "
                "checkpoint."
            )


def _fast_vocabulary(
    path: pathlib.Path, fast: dict[str, Any]
) -> tuple[str, ...]:
    found = {
        "model": _type_of(fast, "model"),
        "normalizer": _type_of(fast, "normalizer"),
        "pre_tokenizer": _type_of(fast, "pre_tokenizer"),
    }
    expected = {
        "model": "WordPiece",
        "normalizer": "BertNormalizer",
        "pre_tokenizer": "BertPreTokenizer",
    }
    if found != expected:
        raise PresetError(
            f"{path} is a tokenizer of the types {listed(found.values())}; "
            f"BERT's are {listed(expected.values())}. Pass a checkpoint with "
            "BERT's tokenizer."
        )
    model = fast["model"]
    ids = model.get("vocab")
    if (
        not isinstance(ids, dict)
        or not all(isinstance(i, int) for i in ids.values())
        or sorted(ids.values()) != list(range(len(ids)))
        or model.get("continuing_subword_prefix", "##") != "##"
    ):
        raise PresetError(
            f"{path}: `model.vocab` must give the ids 0, 1, 2, ... to word "
            f"pieces that continue with '##'. Put the checkpoint's {VOCAB_FILE}"
            " beside it."
        )
    return tuple(sorted(ids, key=ids.__getitem__))


def _type_of(fast: dict[str, Any], part: str) -> object:
    value = fast.get(part)
    return value.get("type") if isinstance(value, dict) else None
