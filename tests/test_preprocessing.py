import time

import numpy as np
import pytest
import tensorflow as tf

from kerassent.preprocessing import BYTES_PER_TOKEN, SentimentPreprocessor
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


def test_the_head_is_kept_by_default(tokenizer):
    ids, _ = packed(tokenizer, [" ".join(WORDS)], sequence_length=10)
    assert ids == [[CLS, *map(tokenizer.token_to_id, WORDS[:8]), SEP]]


@pytest.mark.parametrize("head_tokens", [1, 3, 7])
def test_head_tokens_says_how_many_are_from_the_head(tokenizer, head_tokens):
    ids, _ = packed(
        tokenizer,
        [" ".join(WORDS)],
        sequence_length=10,
        truncate="head_tail",
        head_tokens=head_tokens,
    )
    kept = WORDS[:head_tokens] + WORDS[len(WORDS) - (8 - head_tokens) :]
    assert ids == [[CLS, *map(tokenizer.token_to_id, kept), SEP]]


def test_the_shortest_head_tail_has_one_token_of_each(tokenizer):
    ids, _ = packed(
        tokenizer, ["good bad dull"], sequence_length=4, truncate="head_tail"
    )
    good, dull = tokenizer.token_to_id("good"), tokenizer.token_to_id("dull")
    assert ids == [[CLS, good, dull, SEP]]


@pytest.mark.parametrize("length, width", [(1, 8), (6, 8), (7, 10), (9, 10)])
def test_the_width_is_a_multiple_and_at_most_sequence_length(
    tokenizer, length, width
):
    ids, mask = packed(
        tokenizer,
        ["good " * length],
        sequence_length=10,
        pad_to_multiple_of=8,
    )
    assert len(ids[0]) == mask.shape[1] == width
    assert mask.sum() == min(length, 8) + 2


@pytest.mark.parametrize("truncate", ["head", "tail", "head_tail"])
def test_what_is_cut_off_unread_does_not_matter(tokenizer, truncate):
    # 10 tokens of at most BYTES_PER_TOKEN bytes: 5,000 words are cut.
    text = "the it is was " + "good " * 5000 + " i this that and"
    short = "the it is was " + "good " * 20 + " i this that and"
    settings = {"sequence_length": 12, "truncate": truncate}
    assert len(text) > 10 * BYTES_PER_TOKEN
    found, _ = packed(tokenizer, [text, "bad"], **settings)
    assert found[:1] == packed(tokenizer, [short], **settings)[0]


def test_a_text_of_little_but_spaces_has_what_is_near_its_ends(tokenizer):
    text = "good" + " " * 100_000 + "bad" + " " * 100_000 + "dull"
    good, bad, dull = map(tokenizer.token_to_id, ["good", "bad", "dull"])
    settings = {"sequence_length": 12, "truncate": "head_tail"}
    assert packed(tokenizer, [text], **settings)[0] == [[CLS, good, dull, SEP]]
    near = "good" + " " * 1000 + "bad" + " " * 1000 + "dull"
    assert packed(tokenizer, [near], **settings)[0] == [
        [CLS, good, bad, dull, SEP]
    ]


def test_ten_megabytes_cost_little_more_than_ten_kilobytes(tokenizer):
    preprocessor = SentimentPreprocessor(tokenizer, truncate="head_tail")
    preprocess = tf.function(preprocessor)

    def seconds(text):
        text = tf.constant([text])
        preprocess(text)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            preprocess(text)
            times.append(time.perf_counter() - start)
        return min(times)

    # Without a bound it is a thousand times as much.
    assert seconds("good " * 2_000_000) < 100 * seconds("good " * 2_000)


def test_html_is_cleaned_if_asked(tokenizer):
    text = ["good<br />bad"]
    good, bad = tokenizer.token_to_id("good"), tokenizer.token_to_id("bad")
    assert packed(tokenizer, text, clean_html=True)[0] == [
        [CLS, good, bad, SEP]
    ]
    assert len(packed(tokenizer, text)[0][0]) == 8  # < br / >


def test_settings_are_in_the_config(tokenizer):
    settings = {
        "sequence_length": 20,
        "truncate": "head_tail",
        "head_tokens": 5,
        "clean_html": True,
        "pad_to_multiple_of": 4,
    }
    preprocessor = SentimentPreprocessor(tokenizer, **settings)
    config = preprocessor.get_config()
    assert preprocessor.settings == settings
    assert {name: config[name] for name in settings} == settings


def test_other_settings_keep_the_rest(tokenizer):
    old = SentimentPreprocessor(
        tokenizer, 20, truncate="head_tail", head_tokens=5, clean_html=True
    )
    new = old.with_settings(sequence_length=30, truncate=None)
    assert (new.sequence_length, new.head_tokens) == (30, 5)
    assert (new.truncate, new.clean_html) == ("head_tail", True)
    assert old.with_settings(truncate="tail").head_tokens is None
    assert old.with_settings(clean_html=False).clean_html is False


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
    with pytest.raises(ValueError, match="from 1 to `sequence_length - 3`"):
        SentimentPreprocessor(
            tokenizer, 10, truncate="head_tail", head_tokens=8
        )
    with pytest.raises(ValueError, match="`head_tokens` goes with"):
        SentimentPreprocessor(tokenizer, head_tokens=8)
    with pytest.raises(ValueError, match="1 or more. Received: 0"):
        SentimentPreprocessor(tokenizer, pad_to_multiple_of=0)
