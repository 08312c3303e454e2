import json

import pytest

from kerassent.classifier_presets import DEFAULT_SEQUENCE_LENGTH
from kerassent.data_checks import check_data
from kerassent.data_checks.checking import SEQUENCE_LENGTH, estimated_tokens
from kerassent.errors import DataError

COLUMNS = {"text": "Reviews", "label": "Sentiment"}


def where(finding):
    return [example.where for example in finding.examples]


def test_clean_files_have_nothing(writer, book):
    train = book("train.xlsx", writer.rows(200))
    test = book("test.xlsx", writer.rows(100))
    found = check_data(train, test, **COLUMNS)
    assert [f.name for f in found.findings if f.severity != "good"] == []
    assert found.severity == "good"
    assert [file.name for file in found.files] == ["train.xlsx", "test.xlsx"]
    assert found.files[0].class_counts == {"neg": 100, "pos": 100}
    assert (found.files[1].num_reviews, found.files[1].num_rows) == (100, 100)
    assert found.files[0].median_words == 60
    json.dumps(found.to_dict(), allow_nan=False)


def test_copies_leaks_and_contradictions_name_their_rows(writer, book):
    rows = writer.rows(100)
    rows += [
        (rows[4][0].upper(), "pos"),  # a copy, Excel row 102
        (writer.edited(rows[6][0], 2), "pos"),  # nearly one, row 103
        (rows[8][0], "neg"),  # with another label, row 104
    ]
    test = writer.rows(50)
    test[10] = (rows[20][0] + "!", "pos")
    test[11] = (writer.edited(rows[21][0], 2), "neg")
    found = check_data(
        book("train.xlsx", rows), book("test.xlsx", test), **COLUMNS
    )
    copies = found.finding("copies")
    assert copies.count == 3
    assert copies.total == 153
    assert copies.figures == {"same_words": 2, "nearly_the_same": 1}
    assert where(copies) == [
        "train.xlsx, Excel row 6 and train.xlsx, Excel row 102",
        "train.xlsx, Excel row 10 and train.xlsx, Excel row 104",
        "train.xlsx, Excel row 8 and train.xlsx, Excel row 103",
    ]
    leaks = found.finding("leaks")
    assert (leaks.count, leaks.total, leaks.severity) == (2, 50, "bad")
    assert where(leaks) == [
        "train.xlsx, Excel row 22 and test.xlsx, Excel row 12",
        "train.xlsx, Excel row 23 and test.xlsx, Excel row 13",
    ]
    assert leaks.examples[0].note == "the same words"
    # 6 of 58 triples are others: 52 / 64.
    assert leaks.examples[1].note == "81 % alike"
    contradictions = found.finding("contradictions")
    assert contradictions.count == 1
    assert where(contradictions) == [
        "train.xlsx, Excel row 10 and train.xlsx, Excel row 104"
    ]
    assert contradictions.examples[0].note == "pos and neg, the same words"
    assert found.severity == "bad"
    assert found.findings[0].severity == "bad"


def test_rows_that_cannot_be_read_are_findings(writer, book):
    rows = writer.rows(40)
    rows[3] = (None, "neg")
    rows[5] = ("   ", "neg")
    rows[7] = ("#N/A", "neg")
    rows[9] = (rows[9][0], None)
    file = book("train.xlsx", rows)
    found = check_data(file, **COLUMNS)
    unusable = found.finding("unusable")
    assert unusable.figures == {"empty": 2, "unreadable": 1}
    assert where(unusable) == [
        "train.xlsx, Excel row 5",
        "train.xlsx, Excel row 7",
        "train.xlsx, Excel row 9",
    ]
    assert "error value #N/A" in unusable.examples[2].note
    missing = found.finding("missing_labels")
    assert where(missing) == ["train.xlsx, Excel row 11"]
    assert (found.files[0].num_rows, found.files[0].num_reviews) == (40, 37)


def test_labels_that_are_likely_wrong_are_named(writer, book):
    rows = writer.rows(600)
    rows[100] = ("a wonderful film, moving and superb, brilliant", "neg")
    rows[201] = ("it is so boring and dull, a stupid film", "pos")
    found = check_data(book("train.xlsx", rows), **COLUMNS)
    errors = found.finding("label_errors")
    assert {"train.xlsx, Excel row 102", "train.xlsx, Excel row 203"} <= set(
        where(errors)
    )
    by_row = {example.where: example.note for example in errors.examples}
    assert by_row["train.xlsx, Excel row 102"].startswith(
        "labelled neg, pos 0."
    )
    assert errors.figures["agreement"] > 0.9


def test_a_run_judges_instead(easy_rows, tiny_run, book):
    classifier, run = tiny_run
    rows = [list(row) for row in easy_rows]
    rows[7][1] = "pos" if rows[7][1] == "neg" else "neg"
    file = book("train.xlsx", rows)
    found = check_data(file, model=run, **COLUMNS)
    errors = found.finding("label_errors")
    assert where(errors)[0] == "train.xlsx, Excel row 9"
    # Its own tokenizer counts, and it reads 32 tokens.
    truncation = found.finding("truncation")
    assert truncation.title == "Texts of more than 32 tokens"
    text = easy_rows[0][0]
    counted = classifier.preprocessor.tokenizer([text]).row_lengths()
    tokens = int(counted[0]) + 2  # [CLS] and [SEP]
    short = check_data(
        book("one.xlsx", [(text, "neg"), (text, "pos")]),
        model=run,
        sequence_length=tokens,
        **COLUMNS,
    ).finding("truncation")
    assert short.count == 0
    assert short.figures["p50"] == tokens
    with pytest.raises(ValueError, match="doesn't know the labels 'odd'"):
        check_data(
            book("odd.xlsx", [("a", "odd"), ("b", "pos")]), model=run, **COLUMNS
        )


def test_classes_are_counted(writer, book):
    train = [(writer.text(), "pos") for _ in range(90)]
    train += [(writer.text("neg"), "neg") for _ in range(30)]
    test = [(writer.text(), "pos") for _ in range(20)]
    test += [(writer.text("neg"), "neg") for _ in range(20)]
    test += [(writer.text(), "Pos")]
    found = check_data(
        book("train.xlsx", train), book("test.xlsx", test), **COLUMNS
    )
    balance = found.finding("balance")
    # A class of the test that the training lacks is another check's.
    assert balance.title == "Reviews of the rarest class of train.xlsx, 'neg'"
    assert (balance.count, balance.total, balance.severity) == (30, 120, "mind")
    assert "3.0 times" in balance.explanation
    unknown = found.finding("unknown_labels")
    assert where(unknown) == ["test.xlsx, Excel row 42"]
    assert unknown.severity == "bad"
    proportions = found.finding("proportions")
    assert proportions.figures["distance"] == pytest.approx(
        (abs(0.75 - 20 / 41) + abs(0.25 - 20 / 41) + 1 / 41) / 2
    )


def test_odd_texts_are_named(writer, book):
    rows = writer.rows(100)
    rows[0] = ("ok", "pos")
    rows[1] = (" ".join(writer.text() for _ in range(40)), "neg")
    rows[2] = (f"<p><b><i><u>{'<br/>' * 40}fine film and good</p>", "pos")
    rows[3] = ("Ein sehr guter Film, den man gesehen haben muss, weil er "
               "schön ist und man lange daran denkt", "pos")  # fmt: skip
    rows[4] = ("Отличный фильм, всем советую", "pos")
    rows[5] = ("Très bon film", "pos")
    found = check_data(book("train.xlsx", rows), **COLUMNS)
    assert where(found.finding("tiny")) == ["train.xlsx, Excel row 2"]
    huge = found.finding("huge")
    assert where(huge) == ["train.xlsx, Excel row 3"]
    assert huge.examples[0].note == "2,400 words"
    markup = found.finding("markup")
    assert where(markup) == ["train.xlsx, Excel row 4"]
    languages = found.finding("languages")
    assert where(languages) == [
        "train.xlsx, Excel row 6",
        "train.xlsx, Excel row 5",
    ]
    assert "cyrillic" in languages.examples[0].note
    truncation = found.finding("truncation")
    assert where(truncation) == ["train.xlsx, Excel row 3"]


def test_what_is_usual_is_learnt_from_the_texts():
    """Reviews that are all in Japanese are in no other language."""
    texts = [
        f"この映画はとても良かったです。{n}回も見ました。" for n in range(30)
    ]
    found = check_data([*texts, "A film that I liked a lot"])
    languages = found.finding("languages")
    assert where(languages) == ["the given texts, row 30"]


def test_texts_alone_are_checked_too(writer, tmp_path):
    texts = [writer.text() for _ in range(20)]
    found = check_data([*texts, texts[3]])
    names = {finding.name for finding in found.findings}
    assert "label_errors" not in names and "leaks" not in names
    assert found.finding("copies").count == 1
    file = tmp_path / "reviews.csv"
    file.write_text("\n".join(["Reviews", *texts, texts[3]]))
    copies = check_data(file).finding("copies")
    assert where(copies) == ["reviews.csv, line 5 and reviews.csv, line 22"]


def test_tokens_are_estimated():
    assert SEQUENCE_LENGTH == DEFAULT_SEQUENCE_LENGTH
    words = "A wonderful film, with actors! " * 100
    assert estimated_tokens([words])[0] == pytest.approx(700 * 1.06 + 2, abs=1)


def test_nonsense_is_refused(book):
    with pytest.raises(ValueError, match="one file or more"):
        check_data()
    with pytest.raises(ValueError, match="`num_examples`"):
        check_data(["a"], num_examples=0)
    with pytest.raises(ValueError, match="`sequence_length`"):
        check_data(["a"], sequence_length=0)
    with pytest.raises(DataError, match="no row has a text"):
        check_data(book("a.xlsx", [(" ", "pos"), (None, "neg")]), **COLUMNS)
    with pytest.raises(DataError, match="no column 'Review'"):
        check_data(book("b.xlsx", [("a", "pos")]), text="Review")
