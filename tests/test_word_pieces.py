import json
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from kerassent.word_pieces import WordPieces

NASTY = json.loads(
    pathlib.Path(__file__).with_name("nasty_texts.json").read_text("utf-8")
)
NASTY_TEXTS: list[str] = NASTY["texts"]
NASTY_BYTES = [text.encode("latin-1") for text in NASTY["bytes_as_latin1"]]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

NONCHARACTERS = {"\ufffe", "\uffff", "\U0010ffff"}

# Every character of the nasty texts, and all of some scripts, as a piece of
# its own: an id tells which character was seen, and where in a word.
ALPHABET = sorted(
    {
        *"".join(NASTY_TEXTS),
        *"".join(NASTY_TEXTS).lower(),
        *map(chr, range(0x20, 0x0600)),
        *map(chr, range(0x0900, 0x0980)),
        *map(chr, range(0x0E00, 0x0E80)),
        *map(chr, range(0x1100, 0x1200)),
        *map(chr, range(0x3040, 0x3100)),
        *"\u8c48\u4e3d",
    }
    - NONCHARACTERS
)
PIECES = ["good", "bad", "##good", "go", "##od", "xx", "##xx", "\u0436\u0436"]
VOCABULARY = list(
    dict.fromkeys(
        [*SPECIAL, *ALPHABET, *(f"##{char}" for char in ALPHABET), *PIECES]
    )
)
MODES = {
    "uncased": (True, True),
    "lowercase_accents": (True, False),
    "cased": (False, False),
}


def reference(vocabulary, lowercase, strip_accents):
    """Hugging Face's BERT tokenization."""
    found = Tokenizer(
        models.WordPiece(
            {token: i for i, token in enumerate(vocabulary)},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    found.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents
    )
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def encode(texts):
        return found.encode_batch(texts, add_special_tokens=False)

    return encode


def make_pair(name):
    lowercase, strip_accents = MODES[name]
    ours = WordPieces(
        VOCABULARY, lowercase=lowercase, strip_accents=strip_accents
    )
    return ours, reference(VOCABULARY, lowercase, strip_accents)


@pytest.fixture(scope="module", params=MODES)
def pair(request):
    return make_pair(request.param)


@pytest.fixture(scope="module")
def uncased():
    return make_pair("uncased")


def ids(pieces, texts):
    return pieces(tf.constant(texts, tf.string))[0].to_list()


def check(pair, texts):
    ours, theirs = pair
    expected = [each.ids for each in theirs(texts)]
    found = ids(ours, texts)
    differing = [
        (ascii(text), a, b)
        for text, a, b in zip(texts, found, expected, strict=True)
        if a != b
    ]
    assert not differing


def test_nasty_texts_have_the_ids_of_the_reference(pair):
    check(pair, NASTY_TEXTS)
    assert any(1 not in each.ids for each in pair[1](NASTY_TEXTS))


def test_each_text_has_the_same_ids_alone(uncased):
    ours, _ = uncased
    together = ids(ours, NASTY_TEXTS + NASTY_BYTES)
    alone = [ids(ours, [text])[0] for text in NASTY_TEXTS + NASTY_BYTES]
    assert together == alone


def test_bytes_are_decoded_with_replacement(pair):
    ours, theirs = pair
    decoded = [text.decode("utf-8", "replace") for text in NASTY_BYTES]
    assert ids(ours, NASTY_BYTES) == [each.ids for each in theirs(decoded)]


def test_a_long_text_is_tokenized_as_its_parts_are(uncased):
    # Chunks end between texts; a text may be longer than one.
    texts = ["good bad, xx. " * n for n in (3000, 0, 1, 9000, 2, 5000)]
    texts += [text + "\u00e9" for text in texts]
    check(uncased, texts)
    check(uncased, texts[:1])


@pytest.mark.parametrize("char", ["x", "\u0436", "\u0e01", "\u0915"])
def test_a_word_has_at_most_100_characters(uncased, char):
    # The Cyrillic one is what NFD leaves of two bytes, the others have three.
    ours, theirs = uncased
    texts = [char * 100, char * 101, f"{char * 101} {char * 3}"]
    expected = [each.ids for each in theirs(texts)]
    assert expected[1] == [1]
    assert len(expected[0]) > 1
    assert ids(ours, texts) == expected


def test_control_tokens_in_a_text_are_text(uncased):
    ours, _ = uncased
    control = {VOCABULARY.index(token) for token in SPECIAL}
    found = ids(ours, ["[SEP] [CLS]good[PAD] [MASK] [UNK]", "[SEP]\u00e9"])
    assert not control & {token for row in found for token in row}


def test_pieces_that_no_server_can_be_relied_on_to_find_are_not_found():
    odd = ["\uffff", "\ufffd", "\U0003fffe", "", "##", "\x00", "a\tb", "\t"]
    pieces = WordPieces(
        [*SPECIAL, "a", "b", *odd], lowercase=True, strip_accents=True
    )
    texts = ["a", "\uffff", "\ufffd", "\U0003fffe a", "a\tb", "##", "\t\x00"]
    found = ids(pieces, texts)
    assert found == [[5], [1], [], [1, 5], [5, 6], [1, 1], []]


def test_pieces_longer_than_a_word_are_not_found():
    vocabulary = [*SPECIAL, "x" * 100, "x" * 300, "\u0436" * 300, "[unused1]"]
    pieces = WordPieces(vocabulary, lowercase=True, strip_accents=True)
    assert ids(pieces, ["x" * 100, "x" * 300, "\u0436" * 300]) == [
        [5],
        [1],
        [1],
    ]


def test_a_piece_that_the_op_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="of 300 bytes. .* 256 at most"):
        WordPieces(
            [*SPECIAL, "\u0e01" * 100], lowercase=True, strip_accents=True
        )


@pytest.mark.parametrize("piece", ["a'b", "##.", "a.", "good bad", "##'s", "."])
def test_pieces_with_punctuation_are_found_where_the_reference_does(piece):
    vocabulary = [*SPECIAL, "a", "b", "##b", "s", "good", "bad", piece]
    pieces = WordPieces(vocabulary, lowercase=True, strip_accents=True)
    theirs = reference(vocabulary, True, True)
    texts = ["a'b", "a.", "ab.", "a.b", "good bad", "a's", ".", "a'b \u00e9."]
    assert ids(pieces, texts) == [each.ids for each in theirs(texts)]


def char_offsets_to_bytes(text, offsets):
    return [
        (len(text[:start].encode()), len(text[:end].encode()))
        for start, end in offsets
    ]


def test_offsets_are_bytes_of_the_text_as_sent(uncased):
    ours, theirs = uncased
    # Where nothing is deleted, the reference's own are the same.
    texts = [
        "A good, bad film!",
        "caf\u00e9 \u00c9T\u00c9 go\u00f6d",
        "\u4f60\u597dgood\u2014\u201cbad\u201d",
        "\u0130stanbul \U0001f600 " + "\u0436" * 101 + " good",
        "\ud55c\uad6d \u3000 \u00a0good",
    ]
    found, starts, ends = ours(tf.constant(texts), with_offsets=True)
    assert found.to_list() == ids(ours, texts)
    for text, encoding, first, last in zip(
        texts, theirs(texts), starts.to_list(), ends.to_list(), strict=True
    ):
        expected = char_offsets_to_bytes(text, encoding.offsets)
        assert list(zip(first, last, strict=True)) == expected


def test_offsets_leave_out_what_is_deleted(uncased):
    ours, _ = uncased
    text = b"\x00go\xc2\xadod \xffe\xcc\x81. \xed\xa0\x80bad"
    _, starts, ends = ours(tf.constant([text]), with_offsets=True)
    spans = zip(starts.to_list()[0], ends.to_list()[0], strict=True)
    assert [text[start:end] for start, end in spans] == [
        b"go\xc2\xadod",
        b"e",
        b".",
        b"bad",
    ]


def test_offsets_span_what_canonical_order_moved(uncased):
    ours, _ = uncased
    # Of these two marks the second comes first.
    text = "a \u1c00\U0001d16d\U0001d165 b"
    _, starts, ends = ours(tf.constant([text]), with_offsets=True)
    assert starts.to_list() == [[0, 2, 14]]
    assert ends.to_list() == [[1, 13, 15]]


def test_offsets_in_chunks_are_those_of_each_text(uncased):
    ours, _ = uncased
    texts = ["good bad xx. " * 4000, "", "bad", "\u00e9 good", "xx " * 30000]
    _, starts, ends = ours(tf.constant(texts), with_offsets=True)
    for row, text in enumerate(texts):
        _, alone_starts, alone_ends = ours(
            tf.constant([text]), with_offsets=True
        )
        assert starts[row].numpy().tolist() == alone_starts[0].numpy().tolist()
        assert ends[row].numpy().tolist() == alone_ends[0].numpy().tolist()
    assert ends[4][-1] == len("xx " * 30000) - 1


SOME_TEXT = st.text(
    st.one_of(
        st.sampled_from("aAxX .,-[]#'\t\n"),
        st.sampled_from(ALPHABET),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)


# Batches of twenty; 50,000 of them are a million texts.
NUM_BATCHES = int(os.environ.get("KERASSENT_TEXT_BATCHES", "50"))


@settings(
    deadline=None,
    max_examples=NUM_BATCHES,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(SOME_TEXT, min_size=20, max_size=20))
def test_any_text_has_the_ids_of_the_reference(uncased, texts):
    check(uncased, texts)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_have_ids_and_offsets_within_them(uncased, texts):
    ours, theirs = uncased
    found, starts, ends = ours(tf.constant(texts, tf.string), with_offsets=True)
    assert found.to_list() == ids(ours, texts)
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert found.to_list() == [each.ids for each in theirs(decoded)]
    for text, first, last in zip(
        texts, starts.to_list(), ends.to_list(), strict=True
    ):
        for start, end in zip(first, last, strict=True):
            assert 0 <= start < end <= len(text)


TURKISH = """
import tensorflow as tf
from kerassent.word_pieces import WordPieces
assert tf.strings.lower("I", encoding="utf-8").numpy() == "\u0131".encode()
pieces = WordPieces(
    ["[UNK]", "i", "##i", "e"], lowercase=True, strip_accents=True
)
print(pieces(tf.constant(["I II", "I \u0130\u0049 \u00c9"]))[0].to_list())
"""


def test_the_locale_does_not_matter():
    done = subprocess.run(
        [sys.executable, "-c", TURKISH],
        env=os.environ | {"LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[[1, 1, 2], [1, 1, 2, 3]]"
