from kerassent.reviews import Reviews


def test_summary_counts_what_is_there():
    texts = ["a" * length for length in (1, 2, 3, 4)] + ["aa", "aa"]
    labels = ["neg", "pos", "pos", "pos", "neg", "pos"]
    summary = Reviews(texts, labels, ["pos", "neg", "other"]).summary()
    assert summary.source == "the given texts"
    assert summary.num_reviews == 6
    assert summary.class_counts == {"pos": 4, "neg": 2, "other": 0}
    assert summary.balance == 0.0
    assert summary.duplicates == 2
    assert summary.dates == 0
    assert summary.dropped == 0


def test_balance_is_the_smallest_over_the_largest_class():
    reviews = Reviews(["a"] * 7, ["x", "y", "y", "y", "z", "z", "z"])
    assert reviews.summary().balance == 1 / 3


def test_length_quantiles_are_lengths_that_are_there():
    texts = ["x" * length for length in range(100, 0, -1)]
    assert Reviews(texts).summary().length_quantiles == {
        0.0: 1,
        0.25: 25,
        0.5: 50,
        0.75: 75,
        0.95: 95,
        1.0: 100,
    }


def test_unlabelled_reviews_have_no_balance():
    summary = Reviews(["a"]).summary()
    assert summary.class_counts == {}
    assert summary.balance is None


def test_summary_prints_as_a_few_lines():
    reviews = Reviews(["good", "good", "bad ", "dull!"], ["p", "p", "p", "n"])
    assert str(reviews.summary()) == (
        "the given texts: 4 reviews\n"
        "classes     n 1 (25.0%), p 3 (75.0%)\n"
        "balance     0.33\n"
        "characters  shortest 4, 25 % 4, median 4, 75 % 4, 95 % 5, longest 5\n"
        "duplicates  1"
    )
