import copy
import os
import pathlib
import subprocess
import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest

from kerassent.errors import DataError
from kerassent.reviews import Reviews, load_reviews

TEXTS = ("A gem.", "A bore.", "Fine, really; fine.", "Dull\nand long.")
LABELS = ("pos", "neg", "pos", "neg")


@pytest.fixture
def frame():
    return pd.DataFrame({"id": range(4), "Text": TEXTS, "Label": LABELS})


def write_folder(frame, path):
    for number, text, label in frame.itertuples(index=False):
        file = path / label / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


WRITERS = {
    "reviews.xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "reviews.csv": lambda frame, path: frame.to_csv(path, index=False),
    "reviews.tsv": lambda frame, path: frame.to_csv(
        path, index=False, sep="\t"
    ),
    "reviews.parquet": lambda frame, path: frame.to_parquet(path),
    "reviews.jsonl": lambda frame, path: frame.to_json(
        path, orient="records", lines=True
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_file_format_gives_the_same_reviews(frame, tmp_path, name):
    path = tmp_path / name
    WRITERS[name](frame, path)
    reviews = load_reviews(path, text="Text", label="Label")
    assert reviews == Reviews(TEXTS, LABELS)
    assert reviews.source == name


def test_folder_gives_the_reviews_class_by_class(frame, tmp_path):
    write_folder(frame, tmp_path)
    reviews = load_reviews(tmp_path)
    assert reviews.texts == (TEXTS[1], TEXTS[3], TEXTS[0], TEXTS[2])
    assert reviews.labels == ("neg", "neg", "pos", "pos")


def test_frame_gives_the_same_reviews(frame):
    reviews = load_reviews(frame, text="Text", label="Label")
    assert reviews == Reviews(TEXTS, LABELS)


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series])
def test_arrays_give_the_same_reviews(make):
    reviews = load_reviews((make(TEXTS), make(LABELS)))
    assert reviews == Reviews(TEXTS, LABELS)
    assert load_reviews(make(TEXTS)) == Reviews(TEXTS)


def test_reviews_are_tuples_and_indices():
    reviews = Reviews(list(TEXTS), list(LABELS))
    assert reviews.texts == TEXTS
    assert reviews.labels == LABELS
    assert reviews.class_names == ("neg", "pos")
    assert reviews.label_ids.tolist() == [1, 0, 1, 0]
    assert reviews.label_ids.dtype == np.int32
    assert len(reviews) == 4
    assert list(reviews.iter_rows()) == [*zip(TEXTS, [1, 0, 1, 0], strict=True)]
    assert repr(reviews) == (
        "Reviews(4 texts, class_names=('neg', 'pos'), source='the given texts')"
    )


def test_unlabelled_reviews_have_no_labels():
    reviews = Reviews(TEXTS)
    assert reviews.labels is None
    assert reviews.class_names == ()
    assert reviews.label_ids.tolist() == [-1] * 4
    assert repr(reviews) == "Reviews(4 texts, source='the given texts')"


def test_given_class_names_decide_the_order():
    reviews = Reviews(TEXTS, LABELS, class_names=["pos", "neg"])
    assert reviews.class_names == ("pos", "neg")
    assert reviews.label_ids.tolist() == [0, 1, 0, 1]


def test_numbers_as_labels_are_classes_by_their_text():
    reviews = Reviews(TEXTS, np.array([1.0, 0, 1, 0]), class_names=[0, 1])
    assert reviews.class_names == ("0", "1")
    assert reviews.labels == ("1", "0", "1", "0")


def test_reviews_cannot_be_changed():
    reviews = Reviews(TEXTS, LABELS)
    for name in ("texts", "labels", "class_names", "label_ids", "source"):
        with pytest.raises(AttributeError):
            setattr(reviews, name, ())
    with pytest.raises(ValueError, match="read-only"):
        reviews.label_ids[0] = 0
    with pytest.raises(AttributeError):
        reviews.extra = 1


def test_reviews_are_equal_by_what_they_hold():
    reviews = Reviews(TEXTS, LABELS)
    assert reviews == copy.deepcopy(reviews)
    assert reviews != Reviews(TEXTS)
    assert reviews != Reviews(TEXTS, LABELS, class_names=["pos", "neg"])
    assert reviews != Reviews(TEXTS[::-1], LABELS)
    assert reviews != "reviews"


def test_split_is_stratified_complete_and_in_order():
    labels = ["pos"] * 30 + ["neg"] * 70
    reviews = Reviews([f"text {i:03}" for i in range(100)], labels)
    train, test = reviews.split(test_size=0.2, seed=5)
    assert [train.labels.count("pos"), train.labels.count("neg")] == [24, 56]
    assert [test.labels.count("pos"), test.labels.count("neg")] == [6, 14]
    assert sorted(train.texts + test.texts) == list(reviews.texts)
    assert list(train.texts) == sorted(train.texts)
    assert list(test.texts) == sorted(test.texts)
    for part in (train, test):
        for text, label in zip(part.texts, part.labels, strict=True):
            assert labels[int(text.split()[1])] == label
        assert part.class_names == ("neg", "pos")
        assert not part.label_ids.flags.writeable
        assert part.source == reviews.source


def test_split_is_seeded():
    reviews = Reviews([f"text {i}" for i in range(100)])
    assert reviews.split(seed=1) == reviews.split(seed=1)
    assert reviews.split(seed=1) != reviews.split(seed=2)
    assert [len(part) for part in reviews.split()] == [90, 10]


def test_class_with_too_few_rows_cannot_be_split():
    with pytest.raises(DataError, match="^The class 'neg' has 1 row"):
        Reviews(TEXTS, ["pos", "pos", "pos", "neg"]).split(test_size=2)


def test_part_keeps_class_names_that_have_no_rows():
    reviews = Reviews(TEXTS, LABELS, ["neg", "neutral", "pos"])
    train, test = reviews.split(test_size=0.5)
    assert train.class_names == test.class_names == reviews.class_names
    assert sorted(test.labels) == ["neg", "pos"]


def test_sample_is_stratified_and_seeded():
    reviews = Reviews(
        [f"text {i}" for i in range(100)], ["pos"] * 30 + ["neg"] * 70
    )
    sample = reviews.sample(10, seed=1)
    assert [sample.labels.count("pos"), sample.labels.count("neg")] == [3, 7]
    assert sample == reviews.sample(10, seed=1)
    assert sample != reviews.sample(10, seed=2)
    assert reviews.sample(100) is reviews
    assert reviews.sample(101) is reviews


def test_dates_are_text_and_counted(tmp_path):
    path = tmp_path / "reviews.xlsx"
    days = pd.to_datetime(["2024-02-29 00:00", "2024-03-01 13:05"])
    pd.DataFrame({"text": days, "label": [1, 2]}).to_excel(path, index=False)
    reviews = load_reviews(path, text="text", label="label")
    assert reviews.texts == ("2024-02-29", "2024-03-01T13:05:00")
    assert reviews.summary().dates == 2
    assert "dates       2 read as ISO 8601 text" in str(reviews.summary())


def test_values_are_read_as_excel_writes_them(tmp_path):
    path = tmp_path / "reviews.xlsx"
    book = openpyxl.Workbook()
    for row in (["text", "label"], [5.0, True], [3.5, False], [1e20, True]):
        book.active.append(row)
    book.save(path)
    reviews = load_reviews(path, text="text", label="label")
    assert reviews.texts == ("5", "3.5", "1E+20")
    assert reviews.labels == ("TRUE", "FALSE", "TRUE")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("reviews.xlsx", "Excel row 3"),
        ("reviews.csv", "line 3"),
        ("reviews.tsv", "line 3"),
        ("reviews.parquet", "row 1, counted from 0"),
        ("reviews.jsonl", "line 2"),
    ],
)
def test_empty_text_names_file_column_and_row(frame, tmp_path, name, rows):
    frame.loc[1, "Text"] = None
    path = tmp_path / name
    WRITERS[name](frame, path)
    with pytest.raises(
        DataError,
        match=rf"^{name}: 1 row has an empty text \({rows}\) in column 'Text'"
        r"\. Pass `drop_empty=True` to leave it out\.$",
    ):
        load_reviews(path, text="Text", label="Label")
    reviews = load_reviews(path, text="Text", label="Label", drop_empty=True)
    assert reviews.texts == (TEXTS[0], *TEXTS[2:])
    assert reviews.summary().dropped == 1
    assert "dropped     1 with an empty text" in str(reviews.summary())


def test_empty_text_in_a_frame_names_the_index(frame):
    frame = frame.set_index(pd.Index(["a", "b", "c", "d"]))
    frame.loc["c", "Text"] = np.nan
    with pytest.raises(
        DataError,
        match=r"^the DataFrame: 1 row has an empty text \(index value 'c'\) in "
        "column 'Text'",
    ):
        load_reviews(frame, text="Text", label="Label")


def test_empty_file_in_a_folder_is_named(frame, tmp_path):
    frame.loc[1, "Text"] = ""
    write_folder(frame, tmp_path)
    with pytest.raises(
        DataError, match=r"1 row has an empty text \(file 'neg/1\.txt'\)\. Pass"
    ):
        load_reviews(tmp_path)


@pytest.mark.parametrize("name", WRITERS)
def test_empty_label_is_an_error_in_every_format(frame, tmp_path, name):
    frame.loc[[0, 3], "Label"] = None
    path = tmp_path / name
    WRITERS[name](frame, path)
    with pytest.raises(
        DataError,
        match=rf"^{name}: 2 rows have an empty label \(.*\) in column 'Label'"
        r"\. Give each row a label, or take them out\.$",
    ):
        load_reviews(path, text="Text", label="Label", drop_empty=True)


@pytest.mark.parametrize("name", WRITERS)
def test_missing_column_is_an_error_in_every_format(frame, tmp_path, name):
    path = tmp_path / name
    WRITERS[name](frame, path)
    with pytest.raises(
        DataError,
        match=rf"^{name} has no column 'Texts'\. Its columns are 'id', 'Text', "
        r"'Label'\. Pass `text='Text'`\?$",
    ):
        load_reviews(path, text="Texts", label="Label")


@pytest.mark.parametrize("name", ["reviews.xlsx", "reviews.csv", "reviews.tsv"])
def test_duplicate_header_is_an_error(frame, tmp_path, name):
    path = tmp_path / name
    WRITERS[name](frame.set_axis(["Text", "Text", "Label"], axis=1), path)
    with pytest.raises(
        DataError, match=rf"^{name} has more than one column 'Text'"
    ):
        load_reviews(path, text="Text", label="Label")


@pytest.mark.parametrize("name", WRITERS)
def test_header_without_rows_is_an_error(frame, tmp_path, name):
    path = tmp_path / name
    WRITERS[name](frame[:0], path)
    with pytest.raises(DataError, match=rf"^{name} has no rows"):
        load_reviews(path, text="Text", label="Label")


def test_unknown_label_is_an_error(frame, tmp_path):
    path = tmp_path / "reviews.xlsx"
    WRITERS[path.name](frame, path)
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx: 2 rows have the unknown label 'pos' \(Excel "
        r"rows 2, 4\) in column 'Label'\. `class_names` are 'neg', 'Pos'\. Was "
        r"'Pos' meant\?$",
    ):
        load_reviews(
            path, text="Text", label="Label", class_names=["neg", "Pos"]
        )


def test_one_class_only_is_an_error(frame, tmp_path):
    path = tmp_path / "reviews.csv"
    frame["Label"] = "pos"
    WRITERS[path.name](frame, path)
    with pytest.raises(
        DataError,
        match=r"^reviews\.csv: all 4 rows have the label 'pos' in column "
        "'Label', and a classifier needs two classes or more",
    ):
        load_reviews(path, text="Text", label="Label")
    given = load_reviews(
        path, text="Text", label="Label", class_names=("neg", "pos")
    )
    assert given.label_ids.tolist() == [1] * 4


def test_formula_without_a_value_names_its_rows(frame, tmp_path):
    path = tmp_path / "reviews.xlsx"
    frame.loc[2, "Text"] = "=Text!A3"
    WRITERS[path.name](frame, path)
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx: 1 row has a formula without a stored value "
        r"\(Excel row 4\) in column 'Text'\. Open the file in Excel",
    ):
        load_reviews(path, text="Text", label="Label", drop_empty=True)


def test_a_text_that_was_stored_as_a_formula_is_read_as_that_text(
    frame, tmp_path
):
    path = tmp_path / "reviews.xlsx"
    frame.loc[2, "Text"] = "== spoilers & all == A gem."
    WRITERS[path.name](frame, path)
    reviews = load_reviews(path, text="Text", label="Label")
    assert reviews.texts[2] == "== spoilers & all == A gem."


def test_formula_without_a_value_is_no_label(frame, tmp_path):
    path = tmp_path / "reviews.xlsx"
    frame.loc[2, "Label"] = "=B2"
    WRITERS[path.name](frame, path)
    with pytest.raises(
        DataError, match=r"a formula without .* \(Excel row 4\) in column 'La"
    ):
        load_reviews(path, text="Text", label="Label", drop_empty=True)


def test_nested_json_names_its_lines(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_text('{"a": "x"}\n{"a": ["y"]}\n{"a": {}}\n')
    with pytest.raises(
        DataError,
        match=r"^reviews\.jsonl: 2 rows have an object or list instead of a "
        r"text \(lines 2, 3\) in column 'a'\. Flatten them, or choose",
    ):
        load_reviews(path)


def test_locked_file_is_an_error(frame, tmp_path):
    path = tmp_path / "reviews.xlsx"
    WRITERS[path.name](frame, path)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read every file
    try:
        with pytest.raises(
            DataError,
            match=r"^reviews\.xlsx is locked, or you may not read it "
            r"\(Permission denied\)\. Close it in the program that has it op",
        ):
            load_reviews(path, text="Text", label="Label")
    finally:
        os.seteuid(user)


def test_path_that_is_no_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="^There is no file '.*a.xlsx'"):
        load_reviews(tmp_path / "a.xlsx", text="Text")


def test_nothing_is_left_open_after_an_error(frame, tmp_path):
    path = tmp_path / "reviews.xlsx"
    WRITERS[path.name](frame, path)
    with pytest.raises(DataError, match="has no column 'x'"):
        load_reviews(path, text="x")
    open_files = [
        os.readlink(link)
        for link in pathlib.Path("/proc/self/fd").glob("*")
        if link.is_symlink()
    ]
    assert str(path) not in open_files


def test_sources_in_memory_are_not_streamed():
    with pytest.raises(
        ValueError,
        match="^`stream=True` reads csv, tsv and parquet files, got the given",
    ):
        load_reviews(["a", "b"], stream=True)


@pytest.fixture
def imdb(repository):
    default = repository.parent / "shared" / "data" / "imdb"
    folder = pathlib.Path(os.environ.get("KERASSENT_IMDB", default))
    if not (folder / "train.xlsx").exists():
        pytest.skip("needs train.xlsx; set KERASSENT_IMDB to its folder")
    return folder


def test_imdb_spreadsheet_is_read_whole(imdb):
    reviews = load_reviews(
        imdb / "train.xlsx", text="Reviews", label="Sentiment"
    )
    assert reviews.texts[10_081 - 2].startswith("===minor spoilers===")
    summary = reviews.summary()
    assert summary.class_counts == {"neg": 12_500, "pos": 12_498}
    assert summary.length_quantiles[1.0] == 13_704
    assert summary.duplicates == 96
    assert summary.dropped == 0


def test_reading_imports_neither_tensorflow_nor_keras(frame, tmp_path):
    for name, write in WRITERS.items():
        write(frame, tmp_path / name)
    program = (
        "import sys; from kerassent.reviews import load_reviews\n"
        "for path in sys.argv[1:]:\n"
        "    load_reviews(path, text='Text', label='Label')\n"
        "print(sorted({'tensorflow', 'keras'}.intersection(sys.modules)))"
    )
    paths = [str(tmp_path / name) for name in WRITERS]
    result = subprocess.run(
        [sys.executable, "-c", program, *paths],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout == "[]\n"
