"""Texts in another language, without knowing any.

The commonest words of all texts are those that no sentence of the language can
do without. A text that does without them is in another language, or is no
prose: a list of names, a table, keys pressed at random.
"""

import unicodedata
from functools import lru_cache
from typing import Final

import numpy as np

from kerassent.data_checks.words import Words

# The commonest words make up a third to a half of a text.
_NUM_COMMON: Final = 60
_LEAST_SHARE: Final = 0.12
# In fewer words they may be missing by chance.
_MIN_WORDS: Final = 12
_MIN_LETTERS: Final = 4
_MOST_OTHER_LETTERS: Final = 0.3
# Of a long text that many characters say what the rest is like.
_LOOKED_AT: Final = 2000
# Japanese is written in all three, and full width is a matter of looks.
_WRITTEN_TOGETHER: Final = {
    "HIRAGANA": "CJK",
    "KATAKANA": "CJK",
    "FULLWIDTH": "LATIN",
}


def rare_prose(words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Returns which texts lack the commonest words, and how many they have.

    Args:
        words: The texts' words.

    Returns:
        bool `(num_texts,)`, and the commonest words' share of each text.
    """
    counts = words.counts
    if not len(words.hashes):
        return np.zeros(len(words), bool), np.ones(len(words))
    values, places = np.unique(words.hashes, return_inverse=True)
    common = np.argsort(-np.bincount(places), kind="stable")[:_NUM_COMMON]
    is_common = np.zeros(len(values), bool)
    is_common[common] = True
    running = np.concatenate([[0], np.cumsum(is_common[places])])
    found = running[words.starts[1:]] - running[words.starts[:-1]]
    shares = np.where(counts > 0, found / np.maximum(counts, 1), 1.0)
    return (counts >= _MIN_WORDS) & (shares < _LEAST_SHARE), shares


def other_script(texts: list[str]) -> tuple[np.ndarray, str, list[str]]:
    """Returns which texts are written in another script than most.

    Args:
        texts: The texts.

    Returns:
        bool `(num_texts,)`, the script of most, and each text's own.
    """
    scripts = [_script(text) for text in texts]
    names, counts = np.unique([s for s in scripts if s], return_counts=True)
    if not len(names):
        return np.zeros(len(texts), bool), "", scripts
    usual = str(names[counts.argmax()])
    return (
        np.array([bool(s) and s != usual for s in scripts], bool),
        usual,
        scripts,
    )


def _script(text: str) -> str:
    """Returns the script of the letters, or "" where there are few."""
    text = text[:_LOOKED_AT]
    if text.isascii():
        letters = sum(map(str.isalpha, text)) if len(text) < 40 else 40
        return "LATIN" if letters >= _MIN_LETTERS else ""
    counts: dict[str, int] = {}
    for character in text:
        if character.isalpha():
            script = _script_of(character)
            counts[script] = counts.get(script, 0) + 1
    total = sum(counts.values())
    if total < _MIN_LETTERS:
        return ""
    # A few foreign words are no other language.
    for script, count in sorted(counts.items()):
        if script != "LATIN" and count > _MOST_OTHER_LETTERS * total:
            return script
    return max(counts, key=counts.__getitem__)


@lru_cache(100_000)
def _script_of(character: str) -> str:
    # "CYRILLIC SMALL LETTER A", "CJK UNIFIED IDEOGRAPH-4E00".
    name = unicodedata.name(character, "UNKNOWN").split()[0].split("-")[0]
    return _WRITTEN_TOGETHER.get(name, name)
