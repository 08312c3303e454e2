"""What every check looks at, worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerassent.data_checks.copies import near_copies, same_words
from kerassent.data_checks.corpus import Corpus
from kerassent.data_checks.words import Words


@dataclass(frozen=True, eq=False)
class Material:
    """Texts, their words, and which are copies.

    Args:
        corpus: The texts.
        words: Their words.
        firsts: For each text the first with the same words.
        groups: For each text the first of those that are alike.
        num_examples: How many examples a finding has at most.
    """

    corpus: Corpus
    words: Words
    firsts: np.ndarray
    groups: np.ndarray
    num_examples: int

    @property
    def train(self) -> np.ndarray:
        """Which texts are of the first file, bool."""
        found = np.zeros(len(self.corpus), bool)
        found[self.corpus.files[0].texts] = True
        return found

    def some(self, indices: Sequence[int] | np.ndarray) -> list[int]:
        """Returns as many as a finding shows.

        Args:
            indices: Texts, the clearest first.
        """
        return [int(index) for index in indices[: self.num_examples]]


def prepare(corpus: Corpus, *, num_examples: int, seed: int) -> Material:
    """Returns what the checks look at.

    Args:
        corpus: The texts.
        num_examples: How many examples a finding has at most.
        seed: Of the hash functions.
    """
    words = Words(corpus.texts)
    firsts = same_words(words, corpus.texts)
    groups = near_copies(words, firsts, seed=seed).numbers()
    return Material(corpus, words, firsts, groups, num_examples)
