import numpy as np
import pytest
import tensorflow as tf

from kerassent.preprocessing import SentimentPreprocessor
from kerassent.tokenizer import BertTokenizer

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


def packed(tokenizer, texts, **kwargs):
    batch = SentimentPreprocessor(tokenizer, **kwargs)(texts)
    return batch["token_ids"].numpy().tolist(), batch["padding_mask"].numpy()


def test_a_batch_is_padded_to_its_longest_text(tokenizer):
    ids, mask = packed(tokenizer, ["good", "bad bad bad", ""])
    good, bad = tokenizer.token_to_id("good"), tokenizer.token_to_id("bad")
    assert ids == [
        [CLS, good, SEP, 0, 0],
        [CLS, bad, bad, bad, SEP],
        [CLS, SEP, 0, 0, 0],
    ]
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1] * 5, [1, 1, 0, 0, 0]]


# Twelve different words, so that what is kept can be told by its ids.
WORDS = "the it is was not i this that and very film book".split()


@pytest.mark.parametrize(
    "truncate, kept",
    [
        ("head", WORDS[:8]),
        ("tail", WORDS[-8:]),
        ("head_tail", WORDS[:2] + WORDS[-6:]),
    ],
)
def test_truncation_keeps(tokenizer, truncate, kept):
    ids, _ = packed(
        tokenizer, [" ".join(WORDS)], sequence_length=10, truncate=truncate
    )
    expected = [tokenizer.token_to_id(word) for word in kept]
    assert ids == [[CLS, *expected, SEP]]


@pytest.mark.parametrize("truncate", ["head", "tail", "head_tail"])
def test_a_text_that_just_fits_is_kept_whole(tokenizer, truncate):
    ids, _ = packed(
        tokenizer, [" ".join(WORDS)], sequence_length=14, truncate=truncate
    )
    assert ids == [[CLS, *map(tokenizer.token_to_id, WORDS), SEP]]


def test_labels_and_weights_pass_through(tokenizer):
    preprocessor = SentimentPreprocessor(tokenizer)
    x, y, weight = preprocessor(["good"], y=[1], sample_weight=[0.5])
    assert (y, weight) == ([1], [0.5])
    assert x["token_ids"].shape == (1, 3)


def test_it_maps_over_a_dataset(tokenizer):
    dataset = tf.data.Dataset.from_tensor_slices((["good", "bad"], [1, 0]))
    x, y = next(iter(dataset.batch(2).map(SentimentPreprocessor(tokenizer))))
    assert x["token_ids"].shape == (2, 3)
    assert np.array_equal(y, [1, 0])


def test_errors_say_what_is_wrong(tokenizer):
    with pytest.raises(ValueError, match="must be at least 3.*Received: 2"):
        SentimentPreprocessor(tokenizer, sequence_length=2)
    with pytest.raises(ValueError, match="'head_tail'. Received: 'middle'"):
        SentimentPreprocessor(tokenizer, truncate="middle")
