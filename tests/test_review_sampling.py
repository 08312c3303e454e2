import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerassent.errors import DataError
from kerassent.review_sampling import sample_rows, split_rows

IDS = np.array([0] * 60 + [1] * 30 + [2] * 10, np.int32)
NAMES = ("a", "b", "c")


def counts(rows):
    return np.bincount(IDS[rows], minlength=3).tolist()


def test_test_part_has_the_classes_in_proportion():
    rows = split_rows(IDS, NAMES, test_size=0.1, seed=0)
    assert counts(rows) == [6, 3, 1]


def test_number_of_rows_can_be_given():
    rows = split_rows(IDS, NAMES, test_size=20, seed=0)
    assert counts(rows) == [12, 6, 2]


def test_share_is_rounded_up_and_goes_to_the_largest_remainders():
    rows = split_rows(IDS, NAMES, test_size=0.165, seed=0)
    assert counts(rows) == [10, 5, 2]  # of 10.2, 5.1 and 1.7


def test_small_class_is_in_both_parts():
    ids = np.array([0] * 98 + [1] * 2, np.int32)
    rows = split_rows(ids, ("a", "b"), test_size=0.05, seed=0)
    assert np.bincount(ids[rows]).tolist() == [4, 1]


def test_seed_draws_the_same_rows_and_another_seed_others():
    first = split_rows(IDS, NAMES, test_size=0.3, seed=1)
    again = split_rows(IDS, NAMES, test_size=0.3, seed=1)
    other = split_rows(IDS, NAMES, test_size=0.3, seed=2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_row_of_a_class_is_equally_likely():
    drawn = sum(
        split_rows(IDS, NAMES, test_size=0.5, seed=seed).astype(int)
        for seed in range(400)
    )
    assert drawn.min() > 140
    assert drawn.max() < 260


def test_class_with_one_row_cannot_be_split():
    with pytest.raises(
        DataError, match="^The class 'b' has 1 row, and a split needs 2 of each"
    ):
        split_rows(np.array([0, 0, 0, 1]), ("a", "b"), test_size=2, seed=0)


@pytest.mark.parametrize("test_size", [2, 99, 0.001, 100, 0, -1])
def test_part_with_too_few_rows_is_a_wrong_argument(test_size):
    with pytest.raises(
        ValueError,
        match=r"of 100 rows of 3 classes is .* Both parts need at least 3\.",
    ):
        split_rows(IDS, NAMES, test_size=test_size, seed=0)


@pytest.mark.parametrize("test_size", [0.0, 1.0, -0.1, 1.5, True, "0.1", None])
def test_wrong_test_size_is_a_wrong_argument(test_size):
    with pytest.raises(ValueError, match="^`test_size` must be a share betw"):
        split_rows(IDS, NAMES, test_size=test_size, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, None, True])
def test_wrong_seed_is_a_wrong_argument(seed):
    with pytest.raises((TypeError, ValueError), match="^`seed` must be .*from"):
        split_rows(IDS, NAMES, test_size=0.1, seed=seed)


def test_sample_has_the_classes_in_proportion():
    rows = sample_rows(IDS, NAMES, limit=50, seed=0)
    assert counts(rows) == [30, 15, 5]


def test_sample_may_leave_less_than_a_row_of_each_class():
    assert sum(counts(sample_rows(IDS, NAMES, limit=99, seed=0))) == 99


def test_sample_of_more_than_there_are_is_all():
    assert sample_rows(IDS, NAMES, limit=1000, seed=0).all()


@pytest.mark.parametrize("limit", [2, 0, -5])
def test_sample_has_a_row_of_each_class(limit):
    with pytest.raises(
        ValueError, match="^`limit` must be at least 3, one row of each class"
    ):
        sample_rows(IDS, NAMES, limit=limit, seed=0)


@pytest.mark.parametrize("limit", [2.0, True, "10", None])
def test_limit_is_a_whole_number(limit):
    with pytest.raises(TypeError, match="^`limit` must be a whole number"):
        sample_rows(IDS, NAMES, limit=limit, seed=0)


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    share=st.floats(0.01, 0.99),
)
def test_shares_are_exact_and_within_a_row_or_bound(sizes, share):
    ids = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    present = sum(size > 0 for size in sizes)
    limit = max(present, int(share * len(ids)))
    if limit == 0:
        return
    names = tuple("abcdef"[: len(sizes)])
    rows = sample_rows(ids, names, limit=limit, seed=0)
    taken = np.bincount(ids[rows], minlength=len(sizes))
    assert rows.sum() == limit
    for take, size in zip(taken, sizes, strict=True):
        assert take <= size
        assert take >= min(size, 1)
        assert take >= np.floor(size * limit / len(ids)) - present
