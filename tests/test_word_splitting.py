import random

import pytest
import tensorflow as tf
from tokenizers import normalizers, pre_tokenizers

from kerassent.characters import character_table
from kerassent.word_splitting import WordSplitter

MODES = [(True, True), (True, False), (False, False), (False, True)]


@pytest.fixture(scope="module", params=MODES, ids=str)
def pair(request):
    """The splitter, and Hugging Face's normalizer and pre-tokenizer."""
    lowercase, strip_accents = request.param
    splitter = WordSplitter(lowercase=lowercase, strip_accents=strip_accents)
    normalize = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents
    ).normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    def ours(texts):
        found = splitter(tf.strings.unicode_decode(texts, "UTF-8"))
        rows = tf.RaggedTensor.from_row_splits(found.words, found.row_splits)
        return [[word.decode() for word in row] for row in rows.to_list()]

    def theirs(texts):
        return [[word for word, _ in split(normalize(t))] for t in texts]

    return ours, theirs, request.param


def test_every_code_point_is_treated_as_the_reference_does(pair):
    ours, theirs, _ = pair
    code_points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = [
        "b".join(f"a{chr(c)}" for c in code_points[i : i + 2048])
        for i in range(0, len(code_points), 2048)
    ]
    assert ours(texts) == theirs(texts)


def test_marks_come_into_canonical_order(pair):
    ours, theirs, (lowercase, strip_accents) = pair
    table = character_table(lowercase=lowercase, strip_accents=strip_accents)
    pool = [
        *map(chr, table.marks),
        *map(chr, range(0x0300, 0x0370)),
        *"a \u200d\u034f\uac01\U0001d15f\U0001d160\u0f73\u0344,\u00e9",
    ]
    rng = random.Random(0)
    texts = [
        "".join(rng.choices(pool, k=rng.randrange(12))) for _ in range(5000)
    ]
    assert ours(texts) == theirs(texts)


def test_no_texts_and_empty_texts_have_no_words(pair):
    ours, _, _ = pair
    assert ours(tf.constant([], tf.string)) == []
    assert ours(["", "\x00", " "]) == [[], [], []]
