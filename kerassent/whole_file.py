"""Files that are there whole, or as they were before."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a path beside a file's; what is written there takes its place.

    It does when it is on the disk. If the writing fails nothing of it is left.

    Args:
        path: The file. The other path has the same ending.
    """
    file = pathlib.Path(path)
    beside = file.with_name(f".writing-{file.name}")
    try:
        yield beside
        with beside.open("r+b") as written:
            os.fsync(written.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
