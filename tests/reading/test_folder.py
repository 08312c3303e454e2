import re

import pytest

from kerassent.errors import DataError
from kerassent.reading.folder import FolderTable


@pytest.fixture
def write(tmp_path):
    """A function that writes files below a folder and returns it."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "imdb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
        return tmp_path / "imdb"

    return write


def read(path, **kwargs):
    return list(FolderTable(path, **kwargs).rows(0, 1))


def test_files_are_rows_in_the_order_of_their_names(write):
    path = write(
        {
            "pos/1_9.txt": "good\r\n",
            "pos/0_10.txt": "café ",
            "neg/0_1.txt": "bad",
        }
    )
    assert read(path) == [
        ("neg/0_1.txt", "bad", "neg"),
        ("pos/0_10.txt", "café ", "pos"),
        ("pos/1_9.txt", "good\r\n", "pos"),
    ]


def test_files_beside_the_class_folders_and_hidden_ones_are_not_read(write):
    path = write(
        {
            "pos/1.txt": "good",
            "pos/.DS_Store": "x",
            "neg/1.txt": "bad",
            ".git/config": "x",
            "urls_pos.txt": "http://…",
            "labeledBow.feat": "9 0:9",
        }
    )
    assert [row for row, _, _ in read(path)] == ["neg/1.txt", "pos/1.txt"]


def test_unlabelled_folder_is_an_error(write):
    path = write({"neg/1.txt": "a", "pos/1.txt": "b", "unsup/1.txt": "c"})
    with pytest.raises(
        DataError,
        match=re.escape(
            f"{path} holds 'unsup', reviews without a label. Pass "
            "`class_names=['neg', 'pos']` to read only these folders."
        ),
    ):
        FolderTable(path)


def test_only_folders_of_class_names_are_read(write):
    path = write({"neg/1.txt": "a", "pos/1.txt": "b", "unsup/1.txt": "c"})
    rows = read(path, class_names=("pos", "neg"))
    assert [label for _, _, label in rows] == ["pos", "neg"]


def test_missing_class_folder_is_named_with_the_nearest(write):
    with pytest.raises(
        DataError,
        match=r"has no folder 'Pos', which is one of the `class_names`\. Its "
        r"folders are 'neg', 'pos'\. Was 'pos' meant\?$",
    ):
        FolderTable(
            write({"neg/1.txt": "a", "pos/1.txt": "b"}),
            class_names=("neg", "Pos"),
        )


def test_parts_instead_of_classes_are_an_error(write):
    path = write({"train/neg/1.txt": "a", "test/neg/1.txt": "b"})
    with pytest.raises(
        DataError,
        match=re.escape(
            f"{path} holds the folder 'train' instead of class folders. Pass "
            f"{str(path / 'train')!r}."
        ),
    ):
        FolderTable(path)


def test_other_files_in_a_class_folder_are_an_error(write):
    path = write(
        {
            "neg/1.txt": "a",
            "neg/2.html": "b",
            "neg/x/3.txt": "c",
            "pos/1.txt": "",
        }
    )
    with pytest.raises(
        DataError,
        match=r"the class folder 'neg' holds 2 entries that are not \.txt "
        r"files: '2\.html', 'x'\. Move them away",
    ):
        read(path)


def test_class_folder_without_texts_is_an_error(write):
    path = write({"neg/1.txt": "a"})
    (path / "pos").mkdir()
    with pytest.raises(
        DataError, match=r"the class folder 'pos' has no \.txt files\. Remove"
    ):
        read(path)


def test_folder_without_class_folders_is_an_error(write):
    with pytest.raises(DataError, match="has no class folders. Put the .txt"):
        FolderTable(write({"1.txt": "a"}))


def test_file_in_another_encoding_is_named(write):
    path = write({"neg/1.txt": "a", "pos/1.txt": "b"})
    (path / "pos" / "2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"^2\.txt is not UTF-8: line 1 has"):
        read(path)
    assert read(path, encoding="latin-1")[2][1] == "café"
