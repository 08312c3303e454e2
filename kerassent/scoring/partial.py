"""What is scored so far, beside the output, so that a run can be gone on with.

`OUTPUT.partial/` holds `settings.json`, the scored rows in `rows`, and in
`journal.jsonl` a line for each chunk whose rows are on the disk. A chunk that
has no line, whole and with its end, was not scored.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from kerassent.errors import DataError
from kerassent.run_record import check_same, partial_of, write_json
from kerassent.scoring.output import Output
from kerassent.scoring.problems import Problems

_SETTINGS: Final = "settings.json"
_JOURNAL: Final = "journal.jsonl"
_ROWS: Final = "rows"
_OUTPUT: Final = "output"


def check_output(output: Path, *, resume: bool) -> None:
    """Raises if nothing must be written here; cheap, so ask early.

    Args:
        output: The file to be.
        resume: Whether an unfinished one may be there.

    Raises:
        FileExistsError: It is there, or an unfinished one is.
        FileNotFoundError: Its directory is not there.
    """
    partial = partial_of(output)
    if not output.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(output.parent)!r} to write "
            f"{output.name} to. Make it first."
        )
    if partial.exists() and not resume:
        raise FileExistsError(
            f"An unfinished output is there: {partial}. Go on with it by "
            "`resume=True` (`--resume`), or remove it."
        )
    if output.exists() and not partial.exists():
        raise FileExistsError(
            f"{output} is there already, and nothing beside it is unfinished. "
            "Choose another output, or remove this one first."
        )


class Partial:
    """An output that is being written; closed, it stays for the next attempt.

    Args:
        output: The file to be.
        settings: All that decides what will be in it. What an unfinished one
            was begun with has to be the same.

    Raises:
        ValueError: They are not.
        DataError: Another process writes here, or files are missing or
            damaged.
    """

    def __init__(self, output: Path, settings: dict[str, Any]) -> None:
        self.directory = partial_of(output)
        self._output = output
        self.directory.mkdir(exist_ok=True)
        self._journal = (self.directory / _JOURNAL).open("ab+")
        try:
            _lock(self._journal, self.directory)
            path = self.directory / _SETTINGS
            if path.is_file():
                check_same(self.directory, self._begun_with(path), settings)
            else:
                write_json(path, settings)
                _flush(self.directory)
            self._read_journal()
        except BaseException:
            self._journal.close()
            raise

    def _begun_with(self, path: Path) -> dict[str, Any]:
        try:
            settings = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise self._damaged(path, error) from error
        if not isinstance(settings, dict):
            raise self._damaged(path, "it holds no JSON object")
        return settings

    def _damaged(self, path: Path, why: object) -> DataError:
        return DataError(
            f"{path} is damaged: {why!s:.200}. Remove {self.directory} to "
            "begin anew."
        )

    def _read_journal(self) -> None:
        """Reads the chunks that are done, and drops what a kill cut off."""
        self.ends: list[int] = []
        self.num_rows = self.num_scored = 0
        self.problems = Problems()
        self._journal.seek(0)
        whole = 0
        for line in self._journal:
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
                self.ends.append(entry["end"])
                self.num_rows += entry["rows"]
                self.num_scored += entry["scored"]
                self.problems.add_all(entry["problems"])
            except (ValueError, KeyError, TypeError) as error:
                raise self._damaged(self.directory / _JOURNAL, error) from error
            whole += len(line)
        self._journal.truncate(whole)
        self._rows: BinaryIO | None = None
        path = self.directory / _ROWS
        size = path.stat().st_size if path.is_file() else 0
        if self.ends and size < self.ends[-1]:
            if self._output.exists():
                return  # killed after the rename: all is done
            raise DataError(
                f"{path} has {size:,} bytes, and {self.ends[-1]:,} were "
                f"written. Remove {self.directory} to begin anew."
            )
        self._rows = path.open("ab")
        self._rows.truncate(self.ends[-1] if self.ends else 0)

    @property
    def is_published(self) -> bool:
        """Whether the output is whole, and only this directory is left."""
        return self._rows is None

    def add(
        self, rows: bytes, *, num_rows: int, num_scored: int, problems: Problems
    ) -> None:
        """Adds a chunk, which is on the disk when this returns.

        Args:
            rows: The rows as the format has them.
            num_rows: How many they are.
            num_scored: How many of them have an answer.
            problems: What is wrong with some.
        """
        if self._rows is None:
            raise ValueError("The output is published already.")
        self._rows.write(rows)
        self._rows.flush()
        os.fsync(self._rows.fileno())
        entry: dict[str, Any] = {
            "rows": num_rows,
            "scored": num_scored,
            "end": self._rows.tell(),
            "problems": problems.as_list(),
        }
        self._journal.write(json.dumps(entry).encode("ascii") + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self.ends.append(entry["end"])
        self.num_rows += num_rows
        self.num_scored += num_scored
        self.problems.add_all(entry["problems"])

    def publish(self, form: Output) -> None:
        """Makes the output, and removes what it was made of.

        Args:
            form: The output's format.
        """
        if self._rows is not None:
            self._rows.close()
            made = form.finish(
                self.directory / _ROWS, self.ends, self.directory / _OUTPUT
            )
            with made.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(made, self._output)
            _flush(self._output.parent)
        # Whole or not at all: half of it would be an odd thing to resume.
        doomed = self.directory.with_suffix(".removing")
        if doomed.exists():
            shutil.rmtree(doomed)
        os.replace(self.directory, doomed)
        shutil.rmtree(doomed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the files."""
        self._journal.close()
        if self._rows is not None:
            self._rows.close()


def _lock(file: BinaryIO, directory: Path) -> None:
    """Holds a lock until the file is closed, or the process ends."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"Another process is writing to {directory}. Wait until it has "
            "ended, or choose another output."
        ) from None


def _flush(directory: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
