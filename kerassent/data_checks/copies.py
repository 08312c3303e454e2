"""Copies and near-copies, in time that grows with the number of words.

Each text's word triples are sketched by their least values under many hash
functions; texts whose sketches share a band are compared triple by triple.

Reference:
    [Broder, 1997](https://doi.org/10.1109/SEQUEN.1997.666900);
    [Leskovec, Rajaraman and Ullman, chapter 3](http://www.mmds.org).
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np

from kerassent.data_checks.groups import Groups
from kerassent.data_checks.words import Words

# Two texts are near-copies if so many of all their triples are in both. Of 100
# words, 8 changed ones far from each other leave so many.
ALIKE: Final = 0.6

# A pair at the threshold shares a band with a probability of 0.98, one of 0.3
# with 0.2.
_NUM_BANDS: Final = 28
_ROWS_IN_BAND: Final = 4
# Texts sketched at a time: what bounds the memory.
_TEXTS_AT_A_TIME: Final = 1024
_KEPT_SETS: Final = 4096


def same_words(words: Words, texts: list[str]) -> np.ndarray:
    """Returns for each text the first one with the same words, int64.

    Case, punctuation, spaces and markup make no difference. Texts without any
    word are the same if their characters are.

    Args:
        words: The texts' words.
        texts: The texts.
    """
    firsts: dict[bytes, int] = {}
    found = np.empty(len(words), np.int64)
    for i, text in enumerate(texts):
        of_text = words.of(i)
        if len(of_text):
            data, kind = of_text.tobytes(), b"words"
        else:
            data, kind = text.encode("utf-8", "surrogatepass"), b"text"
        key = hashlib.blake2b(data, digest_size=16, person=kind).digest()
        found[i] = firsts.setdefault(key, i)
    return found


def near_copies(words: Words, firsts: np.ndarray, *, seed: int = 0) -> Groups:
    """Returns the groups of texts that are alike, copies among them.

    Args:
        words: The texts' words.
        firsts: What `same_words` returned.
        seed: Of the hash functions.
    """
    groups = Groups(len(words))
    for i, first in enumerate(firsts.tolist()):
        if first != i:
            groups.join(first, i)
    # One of each group of copies; three words are the least that has a triple.
    places = np.flatnonzero(
        (firsts == np.arange(len(words))) & (words.counts >= 3)
    )
    if len(places) < 2:
        return groups
    sketches = np.concatenate(list(_sketches(words, places, seed)))

    @lru_cache(_KEPT_SETS)
    def triples(place: int) -> np.ndarray:
        return np.unique(_triples(words.of(place)))

    for band in range(_NUM_BANDS):
        rows = slice(band * _ROWS_IN_BAND, (band + 1) * _ROWS_IN_BAND)
        for a, b in _pairs(places, sketches[:, rows]):
            if groups.find(a) != groups.find(b) and (
                alikeness(triples(a), triples(b)) >= ALIKE
            ):
                groups.join(a, b)
    return groups


def alikeness(a: np.ndarray, b: np.ndarray) -> float:
    """Returns how many of the values in one or both sets are in both.

    Args:
        a: Sorted, each value once.
        b: Likewise.
    """
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common) if common else 0.0


def similarity(words: Words, a: int, b: int) -> float:
    """Returns how alike two texts are, 0 to 1.

    Args:
        words: The texts' words.
        a: One text's place.
        b: The other's.
    """
    sets = [np.unique(_triples(words.of(place))) for place in (a, b)]
    return alikeness(*sets)


def _triples(words: np.ndarray) -> np.ndarray:
    """Returns a hash of each three words that follow each other, uint32."""
    wide = words.astype(np.uint64)
    mixed = wide[:-2] * np.uint64(0x9E3779B97F4A7C15)
    mixed += wide[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed += wide[2:] * np.uint64(0x165667B19E3779F9)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def _sketches(
    words: Words, places: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Yields the sketches of some texts at a time, uint32."""
    generator = np.random.default_rng(seed)
    size = _NUM_BANDS * _ROWS_IN_BAND
    # Odd factors permute the 32 bits.
    factors = generator.integers(0, 2**31, size, np.uint32) * 2 + 1
    shifts = generator.integers(0, 2**32, size, np.uint32)
    for begin in range(0, len(places), _TEXTS_AT_A_TIME):
        parts = [
            _triples(words.of(place))
            for place in places[begin : begin + _TEXTS_AT_A_TIME].tolist()
        ]
        flat = np.concatenate(parts)
        starts = np.cumsum([0, *map(len, parts[:-1])])
        sketch = np.empty((len(parts), size), np.uint32)
        for k in range(size):
            values = flat * factors[k] + shifts[k]
            # What is least must not depend on the high bits alone.
            values ^= values >> np.uint32(15)
            sketch[:, k] = np.minimum.reduceat(values, starts)
        yield sketch


def _pairs(
    places: np.ndarray, sketches: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Yields pairs of texts whose sketches are the same.

    Of many with the same sketch each is paired with the one before and with
    the first, so that the pairs are no more than twice the texts.
    """
    keys = np.ascontiguousarray(sketches).view(
        np.dtype((np.void, sketches.itemsize * sketches.shape[1]))
    )[:, 0]
    order = np.argsort(keys, kind="stable")
    same = np.concatenate([[False], keys[order[1:]] == keys[order[:-1]]])
    first = 0
    for i in np.flatnonzero(same).tolist():
        if not same[i - 1]:
            first = i - 1
        yield int(places[order[i - 1]]), int(places[order[i]])
        if first < i - 1:
            yield int(places[order[first]]), int(places[order[i]])
