import time

import numpy as np
import pytest

from kerassent.data_checks.copies import (
    near_copies,
    same_words,
    similarity,
)
from kerassent.data_checks.groups import Groups
from kerassent.data_checks.words import Words


def groups_of(texts):
    words = Words(texts)
    return near_copies(words, same_words(words, texts)).numbers().tolist()


def test_words_are_what_is_compared():
    texts = [
        "A <br />wonderful film, with ACTORS!",
        "a wonderful film; with   actors",
        "a wonderful film without actors",
        "Straße &amp; Fluß",
        "STRASSE<!-- a note --> fluss",
        "!!!",
        "!!!",
        "???",
    ]
    words = Words(texts)
    assert words.counts.tolist() == [5, 5, 5, 2, 2, 0, 0, 0]
    found = same_words(words, texts).tolist()
    assert found == [0, 0, 2, 3, 3, 5, 5, 7]


def test_similarity_is_that_of_the_triples():
    texts = ["a b c d e f g h", "a b c d e f g x", "a b c", "a b", "q r s t"]
    words = Words(texts)
    # Six triples each, of which five are common: 5 / 7.
    assert similarity(words, 0, 1) == pytest.approx(5 / 7)
    assert similarity(words, 0, 2) == pytest.approx(1 / 6)
    assert similarity(words, 0, 0) == 1
    assert similarity(words, 0, 3) == similarity(words, 0, 4) == 0


def test_near_copies_are_found_and_others_are_not(writer):
    texts = [writer.text() for _ in range(300)]
    near = [writer.edited(text, 3) for text in texts[:150]]
    far = [writer.edited(text, 12) for text in texts[150:]]
    found = groups_of([*texts, *near, *far])
    words = Words([*texts, *near, *far])
    # 9 of 58 triples are others: 49 / 67. With 12 words: 22 / 94.
    assert similarity(words, 0, 300) == pytest.approx(49 / 67, abs=0.02)
    assert similarity(words, 299, 599) < 0.3
    assert found[:300] == list(range(300))
    # A pair this much alike is missed once in two hundred.
    hits = sum(found[300 + i] == i for i in range(150))
    assert hits >= 147
    assert found[450:] == list(range(450, 600))


def test_short_texts_are_alike_only_by_the_same_words():
    texts = ["great film", "Great film!", "good film", "great", "bad bad film"]
    assert groups_of(texts) == [0, 0, 2, 3, 4]
    assert groups_of(["one text"]) == [0]
    assert groups_of(["...", "good"]) == [0, 1]


def test_many_alike_take_no_longer_than_many_others(writer):
    """Pairs of all with all would be eight million here."""
    text = writer.text(words=40)
    texts = [f"{text} {n}" for n in range(4000)]
    begin = time.process_time()
    found = groups_of(texts)
    assert time.process_time() - begin < 20
    assert set(found) == {0}


def test_the_same_seed_gives_the_same(writer):
    texts = [writer.text() for _ in range(50)]
    texts += [writer.edited(text, 4) for text in texts]
    assert groups_of(texts) == groups_of(texts)


def test_groups_join():
    groups = Groups(6)
    groups.join(4, 2)
    groups.join(5, 4)
    groups.join(0, 1)
    assert groups.numbers().tolist() == [0, 0, 2, 3, 2, 2]
    groups.join(1, 5)
    assert np.unique(groups.numbers()).tolist() == [0, 3]
