import os

import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.review_stream import ReviewStream
from kerassent.reviews import load_reviews


@pytest.fixture(params=["csv", "tsv", "parquet"])
def path(request, tmp_path):
    """A file of 300 rows, every third positive, some of them duplicates."""
    path = tmp_path / f"reviews.{request.param}"
    frame = pd.DataFrame(
        {
            "id": range(300),
            "text": [f'film "{i % 290}",\nfine' for i in range(300)],
            "label": ["pos" if i % 3 == 0 else "neg" for i in range(300)],
        }
    )
    if request.param == "parquet":
        frame.to_parquet(path, row_group_size=70)
    else:
        separator = "," if request.param == "csv" else "\t"
        frame.to_csv(path, index=False, sep=separator)
    return path


def load(path, **kwargs):
    return load_reviews(path, text="text", label="label", **kwargs)


def test_stream_has_what_reviews_have(path):
    stream, reviews = load(path, stream=True), load(path)
    assert isinstance(stream, ReviewStream)
    assert len(stream) == len(reviews) == 300
    assert tuple(stream.texts) == reviews.texts
    assert tuple(stream.labels) == reviews.labels
    assert len(stream.texts) == len(stream.labels) == 300
    assert stream.class_names == reviews.class_names
    assert stream.label_ids.tolist() == reviews.label_ids.tolist()
    assert stream.source == reviews.source
    assert stream.summary() == reviews.summary()
    assert stream.summary().duplicates == 10
    assert list(stream.iter_rows()) == list(reviews.iter_rows())


def test_texts_can_be_read_again_and_at_once(path):
    texts = load(path, stream=True).texts
    assert list(texts) == list(texts)
    assert all(a == b for a, b in zip(texts, texts, strict=True))


def test_parts_are_those_of_reviews(path):
    stream, reviews = load(path, stream=True), load(path)
    for ours, theirs in zip(
        stream.split(test_size=0.2, seed=3),
        reviews.split(test_size=0.2, seed=3),
        strict=True,
    ):
        assert isinstance(ours, ReviewStream)
        assert tuple(ours.texts) == theirs.texts
        assert tuple(ours.labels) == theirs.labels
        assert ours.summary() == theirs.summary()


def test_parts_of_parts_are_those_of_reviews(path):
    ours = load(path, stream=True).split(seed=1)[0].sample(50).split()[1]
    theirs = load(path).split(seed=1)[0].sample(50).split()[1]
    assert tuple(ours.texts) == theirs.texts
    assert list(ours.iter_rows()) == list(theirs.iter_rows())


def test_sample_of_more_than_there_are_is_the_stream_itself(path):
    stream = load(path, stream=True)
    assert stream.sample(1000) is stream


def test_texts_and_labels_are_not_indexed(path):
    stream = load(path, stream=True)
    for values in (stream.texts, stream.labels):
        with pytest.raises(
            TypeError,
            match="can be iterated over, but not indexed. Load them without",
        ):
            values[0]


def test_unlabelled_stream_has_no_labels(path):
    stream = load_reviews(path, text="text", stream=True)
    assert stream.labels is None
    assert stream.class_names == ()
    assert next(stream.iter_rows())[1] == -1
    assert [len(part) for part in stream.split(test_size=0.1)] == [270, 30]


def test_label_ids_are_read_only(path):
    for part in load(path, stream=True).split():
        with pytest.raises(ValueError, match="read-only"):
            part.label_ids[0] = 1


def test_file_that_changed_is_an_error(path):
    stream = load(path, stream=True)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(
        DataError,
        match=rf"^{path.name} has changed since it was loaded\. Load it again",
    ):
        list(stream.texts)


def test_file_that_changes_during_a_pass_is_an_error(path):
    rows = load(path, stream=True).iter_rows()
    next(rows)
    with path.open("ab") as file:
        file.write(b"\n\n")
    with pytest.raises(DataError, match="has changed since it was loaded"):
        list(rows)


def test_file_that_is_gone_is_an_error(path):
    stream = load(path, stream=True)
    path.unlink()
    with pytest.raises(DataError, match="has changed since it was loaded"):
        list(stream.iter_rows())


def test_what_is_wrong_is_found_when_it_is_loaded(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\na,pos\n ,neg\n")
    with pytest.raises(
        DataError,
        match=r"1 row has an empty text \(line 3\) in column 'text'",
    ):
        load(path, stream=True)


def test_dropped_rows_are_dropped_in_each_pass(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\na,pos\n ,neg\nb,neg\n")
    stream = load(path, stream=True, drop_empty=True)
    assert list(stream.iter_rows()) == [("a", 1), ("b", 0)]
    assert list(stream.texts) == ["a", "b"]
    assert stream.summary().dropped == 1


@pytest.mark.parametrize("name", ["reviews.jsonl", "reviews.xlsx"])
def test_other_files_are_not_streamed(tmp_path, name):
    path = tmp_path / name
    frame = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    if name.endswith("xlsx"):
        frame.to_excel(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    with pytest.raises(
        ValueError,
        match=rf"^`stream=True` reads csv, tsv and parquet files, got {name}",
    ):
        load(path, stream=True)
