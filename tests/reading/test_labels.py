import numpy as np
import pytest

from kerassent.errors import DataError
from kerassent.reading.arrays import ArrayTable
from kerassent.reading.labels import LabelIndex, checked_class_names


def index(labels, class_names=None, column=None):
    table = ArrayTable(labels, labels)
    labels_index = LabelIndex(table, class_names, column=column)
    for row, label in enumerate(labels):
        labels_index.add(row, label)
    return labels_index.finish()


def test_class_names_are_sorted_and_ids_point_into_them():
    ids, names = index(["pos", "neg", "neutral", "neg"])
    assert names == ("neg", "neutral", "pos")
    assert ids.dtype == np.int32
    assert ids.tolist() == [2, 0, 1, 0]


def test_given_class_names_keep_their_order():
    ids, names = index(["neg", "pos", "neg"], ("pos", "neg", "other"))
    assert names == ("pos", "neg", "other")
    assert ids.tolist() == [1, 0, 1]


def test_one_class_is_fine_if_class_names_are_given():
    assert index(["pos"], ("neg", "pos"))[0].tolist() == [1]


def test_one_class_only_is_an_error():
    with pytest.raises(
        DataError,
        match=r"^the given texts: all 3 rows have the label 'pos' in column "
        r"'Label', and a classifier needs two classes or more\. Pass ",
    ):
        index(["pos"] * 3, column="Label")


def test_unknown_label_is_an_error_with_its_rows_and_the_nearest():
    labels = ["neg", "positive", "pos", "positive", "meh"]
    with pytest.raises(
        DataError,
        match=r"^the given texts: 2 rows have the unknown label 'positive' "
        r"\(rows 1, 3, counted from 0\) in column 'y'\. `class_names` are "
        r"'neg', 'pos'\. Was 'pos' meant\? So are 'meh'\.$",
    ):
        index(labels, ("neg", "pos"), column="y")


@pytest.mark.parametrize("other", ["Pos", "pos ", " POS"])
def test_labels_that_differ_in_case_or_spaces_are_an_error(other):
    with pytest.raises(
        DataError,
        match=rf"the labels 'pos' and '{other}' \(rows 1, 3, counted from 0\)"
        " differ only in case or outer spaces",
    ):
        index(["neg", "pos", "neg", other, other])


def test_labels_that_differ_in_case_can_be_given():
    assert index(["Pos", "pos"], ("pos", "Pos"))[0].tolist() == [1, 0]


def test_a_label_for_each_row_looks_like_free_text():
    with pytest.raises(
        DataError,
        match=r"^the given texts: 30 rows have 30 different labels in column "
        r"'y', the first 'text 0', 'text 1', 'text 2'\. That looks like free",
    ):
        index([f"text {i}" for i in range(30)], column="y")


def test_twenty_classes_may_have_a_row_each():
    assert len(index([f"{i:02}" for i in range(20)])[1]) == 20


def test_thousand_classes_are_fine_and_no_more():
    labels = [str(i) for i in range(1000)] * 3
    assert len(index(labels)[1]) == 1000
    with pytest.raises(
        DataError, match="3,000 rows have more than 1,000 different labels"
    ):
        index([*labels, "new"])


def test_class_names_become_text():
    assert checked_class_names([0, 1]) == ("0", "1")
    assert checked_class_names(np.array([False, True])) == ("FALSE", "TRUE")
    assert checked_class_names(None) is None


@pytest.mark.parametrize(
    ("class_names", "error", "message"),
    [
        ("pos", TypeError, "must be a list of names, got 'pos'"),
        ({"pos"}, TypeError, "must be a list of names, got {'pos'}"),
        (3, TypeError, "must be a list of names, got 3"),
        ([["pos"]], TypeError, "must be names, got a value of type list"),
        ([], ValueError, "must hold names, none of them empty, got"),
        (["pos", " "], ValueError, "must hold names, none of them empty, got"),
        (["a", "b", "a"], ValueError, "must be different names, got"),
    ],
)
def test_wrong_class_names_are_wrong_arguments(class_names, error, message):
    with pytest.raises(error, match=f"^`class_names` {message}"):
        checked_class_names(class_names)
