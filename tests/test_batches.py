from collections import Counter

import numpy as np
import pytest

from kerassent.batches import make_dataset
from kerassent.reviews import Reviews, load_reviews


def epoch(dataset):
    return [
        (text.decode(), int(label))
        for texts, labels in dataset.as_numpy_iterator()
        for text, label in zip(texts, labels, strict=True)
    ]


def test_every_review_comes_once_with_its_label(easy_rows, easy_reviews):
    dataset = make_dataset(easy_reviews, batch_size=32, shuffle=True, seed=1)
    expected = Counter((text, int(label == "pos")) for text, label in easy_rows)
    assert Counter(epoch(dataset)) == expected


def test_without_shuffle_the_order_stays(easy_rows, easy_reviews):
    rows = epoch(make_dataset(easy_reviews, batch_size=7))
    assert [text for text, _ in rows] == [text for text, _ in easy_rows]


def test_a_seed_makes_epochs_differ_and_runs_agree(easy_reviews):
    first = make_dataset(easy_reviews, shuffle=True, seed=3)
    one, two = epoch(first), epoch(first)
    again = make_dataset(easy_reviews, shuffle=True, seed=3)
    other = make_dataset(easy_reviews, shuffle=True, seed=4)
    assert one != two
    assert [one, two] == [epoch(again), epoch(again)]
    assert one != epoch(other)


def test_sorted_classes_are_mixed_in_the_first_batch(easy_reviews):
    _, labels = next(iter(make_dataset(easy_reviews, shuffle=True, seed=0)))
    assert 4 < int(np.sum(labels)) < 28


def test_the_number_of_batches_is_known(easy_reviews):
    assert len(make_dataset(easy_reviews, batch_size=32)) == 5
    assert len(make_dataset(easy_reviews, batch_size=33)) == 5
    assert len(make_dataset(easy_reviews, batch_size=159)) == 2


def test_unlabelled_reviews_give_texts():
    dataset = make_dataset(Reviews(["good", "bad\x00"]))
    assert next(iter(dataset)).numpy().tolist() == [b"good", b"bad\x00"]


@pytest.fixture
def stream(easy_rows, tmp_path):
    file = tmp_path / "reviews.csv"
    lines = [f'"{text}",{label}\n' for text, label in easy_rows]
    file.write_text("text,label\n" + "".join(lines))
    return load_reviews(file, text="text", label="label", stream=True)


def test_a_stream_gives_the_same_rows(stream, easy_rows, easy_reviews):
    assert len(make_dataset(stream)) == 5
    assert epoch(make_dataset(stream)) == epoch(make_dataset(easy_reviews))
    shuffled = make_dataset(stream, shuffle=True, seed=0)
    one, two = epoch(shuffled), epoch(shuffled)
    assert one != two
    assert Counter(one) == Counter(two) == Counter(epoch(make_dataset(stream)))


def test_batch_size_below_one_is_refused(easy_reviews):
    with pytest.raises(ValueError, match="`batch_size` must be 1 or more"):
        make_dataset(easy_reviews, batch_size=0)


def test_a_list_of_texts_is_no_reviews():
    with pytest.raises(TypeError, match=r"must be Reviews.*`Reviews\(texts, l"):
        make_dataset(["good"])


def test_texts_of_like_length_share_a_batch():
    rng = np.random.default_rng(0)
    reviews = Reviews(["x" * n for n in rng.integers(1, 1000, 640)])
    batches = list(make_dataset(reviews, batch_size=20, shuffle=True, seed=0))
    spreads = [np.ptp([len(t) for t in batch.numpy()]) for batch in batches]
    # 32 batches of sorted lengths up to 1000 span about 31 each; unsorted
    # ones would span about 900.
    assert np.mean(spreads) < 40
    means = [np.mean([len(t) for t in batch.numpy()]) for batch in batches]
    assert sorted(means) != means
