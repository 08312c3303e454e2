from collections import Counter

import numpy as np
import pytest

from kerassent.batches import make_dataset
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.reviews import Reviews, load_reviews
from kerassent.token_batches import TokenBatches, TokenizedReviews
from kerassent.tokenizer import BertTokenizer

WORDS = "good bad tea book film".split()


@pytest.fixture(scope="module")
def preprocessor(vocabulary):
    return SentimentPreprocessor(
        BertTokenizer(vocabulary), sequence_length=64, pad_to_multiple_of=8
    )


@pytest.fixture(scope="module")
def reviews():
    """600 reviews of 0 to 80 words, each unlike the others."""
    rng = np.random.default_rng(0)
    texts = {
        " ".join(rng.choice(WORDS, n)) + " ." for n in rng.integers(4, 80, 600)
    }
    return Reviews(list(texts), [text[:1] for text in texts])


def rows_of(dataset):
    """Each row as its tokens without padding, and its label."""
    return [
        (tuple(ids[mask == 1].tolist()), int(label))
        for x, labels in dataset.as_numpy_iterator()
        for ids, mask, label in zip(
            x["token_ids"], x["padding_mask"], labels, strict=True
        )
    ]


def expected_rows(reviews, preprocessor):
    tokens = preprocessor.tokens(list(reviews.texts)).to_list()
    return list(zip(map(tuple, tokens), reviews.label_ids, strict=True))


def test_the_end_of_an_epoch_waits_for_no_sleeping_thread(
    reviews, preprocessor
):
    for dataset in (
        make_dataset(reviews, preprocessor=preprocessor),
        make_dataset(reviews, shuffle=True),
    ):
        assert dataset.options().autotune.enabled is False


@pytest.mark.parametrize("size", [{"batch_size": 32}, {"max_tokens": 1000}])
def test_each_epoch_has_each_review_once_in_another_order(
    reviews, preprocessor, size
):
    dataset = make_dataset(
        reviews, **size, shuffle=True, seed=1, preprocessor=preprocessor
    )
    expected = Counter(expected_rows(reviews, preprocessor))
    first, second = rows_of(dataset), rows_of(dataset)
    assert Counter(first) == Counter(second) == expected
    assert first != second
    again = make_dataset(
        reviews, **size, shuffle=True, seed=1, preprocessor=preprocessor
    )
    assert [rows_of(again), rows_of(again)] == [first, second]
    other = make_dataset(
        reviews, **size, shuffle=True, seed=2, preprocessor=preprocessor
    )
    assert rows_of(other) != first


def test_without_shuffle_the_order_stays(reviews, preprocessor):
    dataset = make_dataset(reviews, preprocessor=preprocessor)
    assert rows_of(dataset) == expected_rows(reviews, preprocessor)
    assert rows_of(dataset) == expected_rows(reviews, preprocessor)


@pytest.mark.parametrize("size", [{"batch_size": 32}, {"max_tokens": 1000}])
def test_the_number_of_batches_is_known_and_kept(reviews, preprocessor, size):
    dataset = make_dataset(
        reviews, **size, shuffle=True, seed=1, preprocessor=preprocessor
    )
    for _ in range(3):
        assert len(list(dataset)) == len(dataset)


def test_batches_have_little_padding_and_few_widths(reviews, preprocessor):
    dataset = make_dataset(
        reviews, batch_size=16, shuffle=True, seed=0, preprocessor=preprocessor
    )
    masks = [x["padding_mask"] for x, _ in dataset.as_numpy_iterator()]
    filled = sum(mask.sum() for mask in masks)
    # 16 random reviews of 6 to 64 tokens would fill two thirds.
    assert filled / sum(mask.size for mask in masks) > 0.88
    widths = {mask.shape[1] for mask in masks}
    assert widths <= set(range(8, 65, 8))


@pytest.mark.parametrize("size", [{"batch_size": 16}, {"max_tokens": 1000}])
def test_batches_of_all_lengths_take_turns(reviews, preprocessor, size):
    dataset = make_dataset(
        reviews, **size, shuffle=True, seed=0, preprocessor=preprocessor
    )
    widths = [x["token_ids"].shape[1] for x, _ in dataset.as_numpy_iterator()]
    steps = np.diff(widths)
    # Of sorted ones no step would be down; of shuffled ones a third or more.
    assert (steps < 0).mean() > 0.25
    assert (steps > 0).mean() > 0.25


def test_max_tokens_is_an_upper_bound_that_is_used(reviews, preprocessor):
    dataset = make_dataset(
        reviews, max_tokens=1000, shuffle=True, preprocessor=preprocessor
    )
    sizes = [x["token_ids"].size for x, _ in dataset.as_numpy_iterator()]
    assert max(sizes) <= 1000
    assert np.mean(sizes) > 900


@pytest.mark.parametrize("max_tokens, sizes", [(12, [4]), (11, [3, 1])])
def test_a_batch_may_have_just_max_tokens(vocabulary, max_tokens, sizes):
    preprocessor = SentimentPreprocessor(BertTokenizer(vocabulary), 64)
    dataset = make_dataset(
        Reviews(["good", "bad", "tea", "fine"]),  # 3 tokens each
        max_tokens=max_tokens,
        preprocessor=preprocessor,
    )
    found = [x["token_ids"].shape for x in dataset.as_numpy_iterator()]
    assert found == [(size, 3) for size in sizes]


def test_a_review_longer_than_max_tokens_is_a_batch(vocabulary):
    preprocessor = SentimentPreprocessor(BertTokenizer(vocabulary), 64)
    reviews = Reviews(["good", "bad " * 30], ["a", "b"])
    dataset = make_dataset(reviews, max_tokens=8, preprocessor=preprocessor)
    shapes = {x["token_ids"].shape for x, _ in dataset.as_numpy_iterator()}
    assert shapes == {(1, 3), (1, 32)}


def test_an_epoch_can_be_begun_in_its_middle(reviews, preprocessor):
    batches = TokenBatches(
        TokenizedReviews.of(reviews, preprocessor),
        reviews.label_ids,
        preprocessor,
        batch_size=32,
        max_tokens=None,
        shuffle=True,
        seed=0,
    )
    whole = [x["token_ids"].tolist() for x, _ in batches.epoch(3)]
    rest = [x["token_ids"].tolist() for x, _ in batches.epoch(3, start=7)]
    assert rest == whole[7:]


def test_a_cache_is_used_again_and_told_apart(
    reviews, preprocessor, vocabulary, tmp_path
):
    in_memory = TokenizedReviews.of(reviews, preprocessor)
    kept = TokenizedReviews.of(reviews, preprocessor, tmp_path)
    assert isinstance(kept.tokens, np.memmap)
    assert np.array_equal(kept.tokens, in_memory.tokens)
    assert np.array_equal(kept.splits, in_memory.splits)
    [entry] = tmp_path.iterdir()
    changed = (entry / "splits.npy").stat().st_mtime_ns
    TokenizedReviews.of(reviews, preprocessor, tmp_path)
    assert [entry] == list(tmp_path.iterdir())
    assert (entry / "splits.npy").stat().st_mtime_ns == changed
    for other in (
        preprocessor.with_settings(clean_html=True),
        SentimentPreprocessor(
            BertTokenizer(vocabulary, lowercase=False), 64, pad_to_multiple_of=8
        ),
        SentimentPreprocessor(
            BertTokenizer([*vocabulary, "new"]), 64, pad_to_multiple_of=8
        ),
    ):
        TokenizedReviews.of(reviews, other, tmp_path)
    shorter = reviews.sample(590, seed=0)
    TokenizedReviews.of(shorter, preprocessor, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_stream_is_tokenized_like_the_rest(
    easy_rows, easy_reviews, preprocessor, tmp_path
):
    file = tmp_path / "reviews.csv"
    lines = [f'"{text}",{label}\n' for text, label in easy_rows]
    file.write_text("text,label\n" + "".join(lines))
    stream = load_reviews(file, text="text", label="label", stream=True)
    settings = {"shuffle": True, "seed": 0, "preprocessor": preprocessor}
    assert rows_of(
        make_dataset(stream, cache=tmp_path / "cache", **settings)
    ) == rows_of(make_dataset(easy_reviews, **settings))


def test_unlabelled_reviews_give_tokens(preprocessor):
    dataset = make_dataset(
        Reviews(["good", "bad tea"]), preprocessor=preprocessor
    )
    [x] = dataset.as_numpy_iterator()
    assert x["padding_mask"].sum(axis=1).tolist() == [3, 4]


def test_a_classifier_is_fit_on_tokens(make_classifier, easy_reviews):
    classifier = make_classifier()
    dataset = make_dataset(
        easy_reviews, batch_size=16, preprocessor=classifier.preprocessor
    )
    texts = make_dataset(easy_reviews, batch_size=16)
    assert classifier.predict(dataset, verbose=0) == pytest.approx(
        classifier.predict(texts, verbose=0), abs=1e-6
    )


def test_errors_say_what_is_wrong(easy_reviews, preprocessor):
    with pytest.raises(ValueError, match="`max_tokens` must be 1 or more"):
        make_dataset(easy_reviews, max_tokens=0, preprocessor=preprocessor)
    with pytest.raises(ValueError, match="pass `preprocessor=classifier.pre"):
        make_dataset(easy_reviews, max_tokens=100)
    with pytest.raises(ValueError, match="two ways to say the same"):
        make_dataset(
            easy_reviews,
            batch_size=2,
            max_tokens=100,
            preprocessor=preprocessor,
        )
