"""Texts as numbers, one a word: what the checks compare."""

import re
import zlib
from array import array
from collections.abc import Iterable
from typing import Final

import numpy as np

TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--.{0,2000}?-->")
ENTITY: Final = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});"
)
_WORD: Final = re.compile(r"\w+")
# So many different words are kept; the rest are worked out each time.
_MAX_KNOWN: Final = 1_000_000


class Words:
    """The words of many texts, one text after the other.

    A word is a run of letters, digits and underscores, case folded; tags and
    entities of HTML are none. It is kept as 32 bits of its CRC.

    Args:
        texts: The texts.

    Attributes:
        hashes: uint32 `(num_words,)`.
        starts: Where each text's words begin, and the end: int64
            `(num_texts + 1,)`.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        hashes = array("I")
        starts = array("q", [0])
        known = _Hashes()
        for text in texts:
            hashes.extend(
                map(known.__getitem__, _WORD.findall(plain(text).casefold()))
            )
            starts.append(len(hashes))
        self.hashes: np.ndarray = np.frombuffer(hashes, np.uint32)
        self.starts: np.ndarray = np.frombuffer(starts, np.int64)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> np.ndarray:
        """How many words each text has, int64."""
        counts: np.ndarray = np.diff(self.starts)
        return counts

    def of(self, index: int) -> np.ndarray:
        """Returns a text's words.

        Args:
            index: The text's place.
        """
        words: np.ndarray = self.hashes[
            self.starts[index] : self.starts[index + 1]
        ]
        return words


class _Hashes(dict[str, int]):
    """A word's hash, worked out when it is first asked for."""

    def __missing__(self, word: str) -> int:
        found = zlib.crc32(word.encode("utf-8", "surrogatepass"))
        if len(self) < _MAX_KNOWN:
            self[word] = found
        return found


def plain(text: str) -> str:
    """Returns a text with a space for each tag and entity.

    Args:
        text: The text.
    """
    if "<" in text:
        text = TAG.sub(" ", text)
    if "&" in text:
        text = ENTITY.sub(" ", text)
    return text
