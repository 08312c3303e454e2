import itertools

import keras_nlp
import pytest
import tensorflow as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from kerassent.tokenizer import BertTokenizer


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


@pytest.fixture(scope="module")
def reference(vocabulary):
    """Hugging Face's BERT tokenization with the same vocabulary."""
    found = Tokenizer(
        models.WordPiece(
            {token: i for i, token in enumerate(vocabulary)},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    found.normalizer = normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return found


TEXTS = [
    "",
    "A wonderful film.",
    "GREAT!great?  Books,Phones",
    "good\tbad\r\nfine",
    "gr\u00e9at w\u00f6nderful",
    "good\u00a0bad\u3000fine",
    "go\u00adod\u200bbad",
    "good\x00bad \x07 fine",
    "good \U0001f600 bad \u4f60\u597d fine",
    "x" * 101,
]


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_hugging_face(tokenizer, reference, text):
    ids = tokenizer([text]).to_list()[0]
    assert ids == reference.encode(text, add_special_tokens=False).ids


def test_bytes_that_are_not_utf8_count_as_nothing(tokenizer, vocabulary):
    good = vocabulary.index("good")
    assert tokenizer([b"go\xffod \xc3"]).to_list() == [[good]]


def test_eager_traced_and_dataset_calls_agree(tokenizer):
    eager = tokenizer(TEXTS).to_list()
    assert tf.function(tokenizer)(tf.constant(TEXTS)).to_list() == eager
    dataset = tf.data.Dataset.from_tensors(TEXTS).map(tokenizer)
    assert next(iter(dataset)).to_list() == eager


def test_a_session_of_an_export_gives_the_same_ids(tokenizer, tmp_path):
    # The runtime that TensorFlow Serving uses.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def tokenize(text):
        ids = tokenizer(text)
        return {"ids": ids.values, "row_splits": ids.row_splits}

    module = tf.Module()
    module.tokenize = tokenize
    texts = [*(text.encode() for text in TEXTS), b"go\xffod \xc3", b"\x00a"]
    tf.saved_model.save(module, tmp_path, signatures=tokenize)
    batches = (texts, texts[:1], [])
    expected = [
        tokenizer(tf.constant(batch, tf.string)).to_list() for batch in batches
    ]
    found = []
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        model = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = model.signature_def["serving_default"]
        outputs = [
            signature.outputs[name].name for name in ("ids", "row_splits")
        ]
        for batch in batches:
            ids, splits = session.run(
                outputs, {signature.inputs["text"].name: batch}
            )
            found.append(
                [ids[a:b].tolist() for a, b in itertools.pairwise(splits)]
            )
    assert found == expected


def test_offsets_are_those_of_the_pieces(tokenizer):
    ids, starts, ends = tokenizer.tokenize_with_offsets(["Gr\u00e9at  book!"])
    assert [tokenizer.id_to_token(i) for i in ids[0].numpy()] == [
        "great",
        "book",
        "!",
    ]
    assert starts.to_list() == [[0, 8, 12]]
    assert ends.to_list() == [[6, 12, 13]]
    ids, starts, ends = tokenizer.tokenize_with_offsets("good")
    assert (starts.numpy().tolist(), ends.numpy().tolist()) == ([0], [4])


def test_a_scalar_gives_a_vector(tokenizer, vocabulary):
    ids = tokenizer("good book")
    assert ids.shape == (2,)
    assert ids.numpy().tolist() == [
        vocabulary.index("good"),
        vocabulary.index("book"),
    ]


def test_cased_keeps_case_and_accents():
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "Caf\u00e9",
        "cafe",
    ]
    cased = BertTokenizer(vocabulary, lowercase=False)
    assert cased(["Caf\u00e9 cafe caf\u00e9"]).to_list() == [[5, 6, 1]]
    stripping = BertTokenizer(vocabulary, lowercase=False, strip_accents=True)
    assert stripping(["caf\u00e9"]).to_list() == [[6]]


def test_preset_round_trip_keeps_vocabulary_and_arguments(
    make_classifier, tmp_path, vocabulary
):
    odd = vocabulary + ["\u00a0x\u2028", "\u3000"]
    make_classifier().backbone.save_to_preset(str(tmp_path))
    BertTokenizer(odd, lowercase=False, strip_accents=True).save_to_preset(
        str(tmp_path)
    )
    found = BertTokenizer.from_preset(str(tmp_path))
    assert type(found) is BertTokenizer
    assert found.get_vocabulary() == odd
    assert (found.lowercase, found.strip_accents) == (False, True)


def test_a_keras_nlp_tokenizer_becomes_ours(
    make_classifier, tmp_path, vocabulary
):
    make_classifier().backbone.save_to_preset(str(tmp_path))
    keras_nlp.models.DistilBertTokenizer(
        vocabulary, lowercase=True
    ).save_to_preset(str(tmp_path))
    found = BertTokenizer.from_preset(str(tmp_path))
    assert type(found) is BertTokenizer
    assert found(["Gr\u00e9at"]).to_list() == [[vocabulary.index("great")]]


def test_special_token_ids(tokenizer):
    assert (
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        tokenizer.mask_token_id,
    ) == (0, 1, 2, 3, 4)


def test_errors_say_what_is_wrong(vocabulary):
    with pytest.raises(
        ValueError, match=r"Cannot find special token `'\[PAD\]'`"
    ):
        BertTokenizer(vocabulary[1:])
    with pytest.raises(ValueError, match="'good' more than once"):
        BertTokenizer([*vocabulary, "good"])
    with pytest.raises(TypeError, match="must be a list of word pieces"):
        BertTokenizer("vocab.txt")
    with pytest.raises(ValueError, match=r"Received: shape=\(1, 2\)"):
        BertTokenizer(vocabulary)([["good", "bad"]])
    with pytest.raises(ValueError, match="no vocabulary yet"):
        BertTokenizer()(["good"])
    with pytest.raises(ValueError, match="'nope' is not in the vocabulary"):
        BertTokenizer(vocabulary).token_to_id("nope")
