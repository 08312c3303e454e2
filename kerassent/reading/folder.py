"""A folder of class folders of .txt files, in the form of aclImdb."""

from collections.abc import Iterator
from pathlib import Path

from kerassent.errors import DataError, listed
from kerassent.reading.columns import nearest
from kerassent.reading.encoding import find_encoding
from kerassent.reading.table import Row, Table

# aclImdb/train/unsup holds reviews without a label.
_UNLABELLED = "unsup"
_PARTS = ("train", "test")


class FolderTable(Table):
    """The files in a folder's class folders: a file's folder is its label.

    Classes and files come in the order of their names. Files beside the class
    folders (aclImdb has word counts and addresses there) are not read, and
    neither is anything hidden, whose name begins with a dot.

    Args:
        path: The folder.
        class_names: The only class folders to read, or `None` for all.
        encoding: The files' encoding, or `None` to find it out, for each.

    Raises:
        DataError: There are no class folders, or there is something in them
            that is not a .txt file.
    """

    def __init__(
        self,
        path: Path,
        *,
        class_names: tuple[str, ...] | None = None,
        encoding: str | None = None,
    ) -> None:
        super().__init__(str(path), None, row_word="file", labelled=True)
        self._path = path
        self._encoding = encoding
        self._classes = self._find_classes(class_names)

    def rows(self, text: int, label: int | None) -> Iterator[Row]:
        """Yields each file's path below the folder, its text and class."""
        for name in self._classes:
            for path in self._text_files(name):
                encoding = find_encoding(path, self._encoding)
                content = path.read_bytes().decode(encoding)
                yield path.relative_to(self._path).as_posix(), content, name

    def _find_classes(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        folders = [path.name for path in _visible(self._path) if path.is_dir()]
        if given is not None:
            for name in given:
                if name not in folders:
                    other = nearest(name, folders)
                    meant = f" Was {other!r} meant?" if other else ""
                    raise DataError(
                        f"{self.name} has no folder {name!r}, which is one of "
                        f"the `class_names`. Its folders are "
                        f"{listed(folders)}.{meant}"
                    )
            return given
        for part in _PARTS:
            if part in folders and not self._text_files(part, check=False):
                raise DataError(
                    f"{self.name} holds the folder {part!r} instead of class "
                    f"folders. Pass {str(self._path / part)!r}."
                )
        if _UNLABELLED in folders:
            others = [name for name in folders if name != _UNLABELLED]
            raise DataError(
                f"{self.name} holds {_UNLABELLED!r}, reviews without a label. "
                f"Pass `class_names={others!r}` to read only these folders."
            )
        if not folders:
            raise DataError(
                f"{self.name} has no class folders. Put the .txt files of "
                "each class into a folder with the class's name."
            )
        return tuple(folders)

    def _text_files(self, name: str, *, check: bool = True) -> list[Path]:
        inside = _visible(self._path / name)
        texts = [
            path for path in inside if path.suffix == ".txt" and path.is_file()
        ]
        if check and len(texts) < len(inside):
            others = sorted(
                {path.name for path in inside}.difference(
                    path.name for path in texts
                )
            )
            raise DataError(
                f"{self.name}: the class folder {name!r} holds {len(others)} "
                f"entries that are not .txt files: {listed(others)}. Move "
                "them away, or pass `class_names` to read other folders only."
            )
        if check and not texts:
            raise DataError(
                f"{self.name}: the class folder {name!r} has no .txt files. "
                "Remove it, or pass `class_names` to read other folders only."
            )
        return texts


def _visible(path: Path) -> list[Path]:
    return sorted(
        entry for entry in path.iterdir() if not entry.name.startswith(".")
    )
