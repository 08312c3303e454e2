"""What BERT does with each code point, as tables that a graph can look up.

`characters.txt` holds what was measured on the reference. Nothing here or in
the graph asks a Unicode library, whose tables differ from server to server.
"""

import functools
import importlib.resources
from dataclasses import dataclass
from typing import Final

import numpy as np

NUM_CODE_POINTS: Final = 0x110000
BLOCK_BITS: Final = 8

# What an entry's low bits say of a character. An entry's high bits are the
# distance to the character it becomes or, if EXPANDED, to its expansion.
LETTER: Final = 0  # part of a word
MARK: Final = 1  # part of a word, and NFD may move it
ISOLATED: Final = 2  # a word of its own
SPACE: Final = 3  # between words
DELETED: Final = 4  # nowhere
EXPANDED: Final = 5  # several characters
KIND_BITS: Final = 3

_HANGUL: Final = range(0xAC00, 0xD7A4)


@dataclass(frozen=True, eq=False)
class CharacterTable:
    """What each code point becomes, for one choice of case and accents.

    The entry of a code point `c` is
    `blocks[block_of[c >> 8], c & 255]`: `distance << 3 | kind`.

    Args:
        block_of: int32 `(4352,)`.
        blocks: int32 `(num_blocks, 256)`.
        expansions: int32 `(num_expanded,)`, of all expansions one after the
            other: `code_point << 3 | kind`.
        expansion_splits: int32 `(num_expansions + 1,)`, where each begins.
        marks: int32 `(num_marks,)`, sorted: what NFD may move.
        mark_classes: int32 `(num_marks,)`: their canonical combining classes.
        transparent: int32 `(2 * num_ranges,)`, sorted: first code point of a
            range and first one after it. Those within don't keep two marks
            from changing places.
    """

    block_of: np.ndarray
    blocks: np.ndarray
    expansions: np.ndarray
    expansion_splits: np.ndarray
    marks: np.ndarray
    mark_classes: np.ndarray
    transparent: np.ndarray


@functools.cache
def character_table(*, lowercase: bool, strip_accents: bool) -> CharacterTable:
    """Returns the table of BERT's normalizer and pre-tokenizer.

    Args:
        lowercase: Whether text is lower-cased.
        strip_accents: Whether it is decomposed and loses its accents.
    """
    found = _sections()
    deleted = found["deleted"].keys()
    nonspacing = found["nonspacing"].keys()
    classes = found["combining class"]

    def decomposed(code_point: int) -> tuple[int, ...]:
        if not strip_accents:
            return (code_point,)
        if code_point in _HANGUL:
            return _hangul(code_point)
        return found["decomposition"].get(code_point, (code_point,))

    def become(code_point: int) -> list[int]:
        parts = [
            part
            for part in decomposed(code_point)
            if not (strip_accents and part in nonspacing)
        ]
        if not lowercase:
            return parts
        lowered = found["lowercase"]
        return [c for part in parts for c in lowered.get(part, (part,))]

    def kind(code_point: int) -> int:
        if code_point in found["punctuation"]:
            return ISOLATED
        if strip_accents and code_point in classes:
            return MARK
        return LETTER

    entries = np.zeros(NUM_CODE_POINTS, np.int32)
    entries[list(deleted)] = DELETED
    entries[list(found["space"])] = SPACE
    entries[list(found["ideograph"])] = ISOLATED
    expansions: list[int] = []
    splits = [0]
    special = {*nonspacing, *found["lowercase"], *found["punctuation"]}
    if strip_accents:
        special |= {*found["decomposition"], *_HANGUL, *classes}
    for code_point in special - deleted - found["space"].keys():
        parts = become(code_point)
        ideograph = code_point in found["ideograph"]
        if not parts:
            entries[code_point] = DELETED
        elif len(parts) == 1:
            entries[code_point] = (parts[0] - code_point) << KIND_BITS | (
                ISOLATED if ideograph else kind(parts[0])
            )
        else:
            entries[code_point] = (
                len(splits) - 1 - code_point
            ) << KIND_BITS | EXPANDED
            expansions += [part << KIND_BITS | kind(part) for part in parts]
            splits.append(len(expansions))
    blocks, block_of = np.unique(
        entries.reshape(-1, 1 << BLOCK_BITS), axis=0, return_inverse=True
    )
    marks = sorted(classes.keys() - nonspacing) if strip_accents else []
    transparent = np.zeros(NUM_CODE_POINTS + 1, bool)
    transparent[[*deleted]] = True
    for code_point in {*classes, *found["decomposition"]}:
        transparent[code_point] = all(
            part in classes for part in decomposed(code_point)
        )
    changes = np.flatnonzero(np.diff(transparent, prepend=False))
    return CharacterTable(
        block_of=block_of.astype(np.int32),
        blocks=blocks,
        expansions=np.array(expansions, np.int32),
        expansion_splits=np.array(splits, np.int32),
        marks=np.array(marks, np.int32),
        mark_classes=np.array([classes[c][0] for c in marks], np.int32),
        transparent=changes.astype(np.int32),
    )


def _sections() -> dict[str, dict[int, tuple[int, ...]]]:
    """Returns what the file says: section, code point, what it becomes."""
    text = importlib.resources.files("kerassent").joinpath("characters.txt")
    sections: dict[str, dict[int, tuple[int, ...]]] = {}
    section: dict[int, tuple[int, ...]] = {}
    name = ""
    for line in text.read_text("ascii").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            section = sections[name] = {}
            continue
        if not line or line.startswith("#"):
            continue
        span, *said = line.split()
        span, _, step = span.partition("/")
        first, _, last = span.partition("..")
        for code_point in range(
            int(first, 16), int(last or first, 16) + 1, int(step or 1)
        ):
            if name == "combining class":
                section[code_point] = (int(said[0]),)
            elif len(said) == 1 and said[0][0] in "+-":
                section[code_point] = (code_point + int(said[0]),)
            else:
                section[code_point] = tuple(int(c, 16) for c in said)
    return sections


def _hangul(syllable: int) -> tuple[int, ...]:
    """Returns a syllable's letters (The Unicode Standard, section 3.12)."""
    leading, rest = divmod(syllable - 0xAC00, 588)
    vowel, trailing = divmod(rest, 28)
    letters = (0x1100 + leading, 0x1161 + vowel, 0x11A7 + trailing)
    return letters if trailing else letters[:2]
