import numpy as np
import openpyxl
import pandas as pd
import pytest

from kerassent.reviews import Reviews, load_reviews

ROWS = [("a", "neg"), ("", "neg"), ("c", "pos"), ("d", "pos"), ("e", "neg")]
COLUMNS = {"text": "text", "label": "label", "drop_empty": True}


def names(reviews):
    return [reviews.row_name(i) for i in range(len(reviews))]


@pytest.mark.parametrize("stream", [False, True])
def test_lines_of_a_text_file_are_counted_from_its_head(tmp_path, stream):
    file = tmp_path / "reviews.csv"
    pd.DataFrame(ROWS, columns=["text", "label"]).to_csv(file, index=False)
    reviews = load_reviews(file, stream=stream, **COLUMNS)
    assert names(reviews) == ["line 2", "line 4", "line 5", "line 6"]
    rest, test = reviews.split(test_size=2, seed=0)
    by_text = dict(zip(reviews.texts, names(reviews), strict=True))
    for part in (rest, test, rest.sample(2), test):
        assert names(part) == [by_text[text] for text in part.texts]


def test_rows_are_excels_own(tmp_path):
    book = openpyxl.Workbook()
    for row in [("text", "label"), *ROWS]:
        book.active.append(row)
    book.save(tmp_path / "reviews.xlsx")
    found = names(load_reviews(tmp_path / "reviews.xlsx", **COLUMNS))
    assert found == ["Excel row 2", "Excel row 4", "Excel row 5", "Excel row 6"]


@pytest.mark.parametrize(
    "index",
    [[10, 11, 12, 13, 14], list("vwxyz"), [1, 2, "x", 2**70, 1.5]],
)
def test_a_frames_rows_are_its_index(index):
    frame = pd.DataFrame(ROWS, columns=["text", "label"], index=index)
    reviews = load_reviews(frame, **COLUMNS)
    expected = [f"index value {each}" for i, each in enumerate(index) if i != 1]
    assert names(reviews) == expected
    chosen = np.array([False, True, True, False])
    assert names(reviews._take(chosen)) == expected[1:3]


def test_given_texts_are_counted():
    assert names(Reviews(["a", "b"])) == [
        "row 0, counted from 0",
        "row 1, counted from 0",
    ]
