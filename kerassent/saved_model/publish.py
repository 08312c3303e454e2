"""A directory that others see whole or not at all.

TensorFlow Serving polls the base path and loads whatever has a number for a
name. `saved_model.pb` without its variables loads as well, and replaces the
good version. So a version is written under a name that is no number, checked
there, flushed to the disk, and renamed.
"""

import errno
import logging
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from kerassent.arguments import check_counts
from kerassent.contract import SAVED_MODEL_FILE
from kerassent.errors import ExportError
from kerassent.saved_model.staging import flush, removing, settle, staged

# TensorFlow Serving's versions are int64, and it reads a name as C++ does.
MAX_VERSION: Final = 2**63 - 1
_INT64: Final = range(-MAX_VERSION - 1, MAX_VERSION + 1)
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)

_log = logging.getLogger("kerassent")


def versions(base_path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns what TensorFlow Serving takes for a version, ascending.

    That is whatever has an int64 for a name, `007` and an empty directory
    included; of `007` and `7` it takes the latter.

    Args:
        base_path: A model's directory; it need not be there.
    """
    if not base_path.is_dir():
        return {}
    found = {
        int(name): base_path / name
        for name in sorted(os.listdir(base_path))
        if _NUMBER.fullmatch(name) and int(name) in _INT64
    }
    return dict(sorted(found.items()))


def check_numbers(version: int | None, keep: int | None) -> None:
    """Raises if one of them is none of `new_version`'s.

    Args:
        version: The number to publish as.
        keep: How many versions to keep.

    Raises:
        TypeError: One is no whole number.
        ValueError: One is out of range.
    """
    check_counts(version=version, keep=keep)
    if version is not None and version > MAX_VERSION:
        raise ValueError(
            "`version` must be an int64, as TensorFlow Serving's are. "
            f"Received: {version}"
        )


@contextmanager
def new_version(
    base_path: pathlib.Path, version: int | None, keep: int | None = None
) -> Iterator[tuple[pathlib.Path, list[pathlib.Path]]]:
    """Gives a directory to write to, and publishes it at the end.

    Args:
        base_path: The model's directory, made if it isn't there.
        version: The number to publish as, or `None` for the next one.
        keep: How many SavedModels to keep, those with the highest numbers and
            the new one. The others are removed after publication. `None`
            keeps all.

    Yields:
        The directory to write to, and a list that holds the published
        directory after the block.

    Raises:
        ExportError: The version is there already, or `base_path` can't be
            written to. Nothing is left behind.
    """
    check_numbers(version, keep)
    published: list[pathlib.Path] = []
    with staged(base_path, base_path) as staging:
        _free_number(base_path, version)  # rather now than after the work
        yield staging, published
        settle(staging)
        published.append(_publish(staging, base_path, version))
        _flush_name(published[0])
    if keep is not None:
        _remove_old(base_path, keep, published[0])


@contextmanager
def new_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a directory to write to, and calls it `path` at the end.

    Args:
        path: What it is to be called; an empty directory may be there.

    Yields:
        The directory to write to.

    Raises:
        ExportError: Something is there already, or can't be written there.
            Nothing is left behind.
    """
    target = path.resolve()
    taken = _is_there(path, "Choose another path, or remove it first.")
    with staged(path, target.parent) as staging:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise taken
        yield staging
        settle(staging)
        if not _renamed(staging, target):
            raise taken
        _flush_name(target)


def _publish(
    staging: pathlib.Path, base_path: pathlib.Path, version: int | None
) -> pathlib.Path:
    # Another export can be faster, again and again.
    while True:
        target = base_path / str(_free_number(base_path, version))
        if _renamed(staging, target):
            return target


def _free_number(base_path: pathlib.Path, version: int | None) -> int:
    taken = versions(base_path)
    # A rename onto an empty directory succeeds, so names are looked at first.
    number = max([0, *taken]) + 1 if version is None else version
    if number in taken:
        raise _is_there(
            taken[number],
            "Leave `version` out for the next free number, or remove it.",
        )
    if number > MAX_VERSION:
        raise ExportError(
            f"{taken[MAX_VERSION]} has the highest number that TensorFlow "
            "Serving knows, so there is no next one. Pass a `version` that is "
            "free, or rename it."
        )
    return number


def _renamed(staging: pathlib.Path, target: pathlib.Path) -> bool:
    """Renames, unless something is there: then it returns `False`."""
    try:
        os.rename(staging, target)
    except OSError as error:
        if error.errno in _TAKEN and os.path.lexists(target):
            return False
        raise
    return True


def _is_there(path: pathlib.Path, fix: str) -> ExportError:
    return ExportError(f"{path} is there already. {fix} Nothing was published.")


def _flush_name(path: pathlib.Path) -> None:
    try:
        flush(path.parent)
    except OSError as error:
        _log.warning(
            "%s is published, but may be gone after a power failure: %s",
            path,
            error,
        )


def _remove_old(
    base_path: pathlib.Path, keep: int, published: pathlib.Path
) -> None:
    models = [
        (number, path)
        for number, path in versions(base_path).items()
        # Not all that has a number for a name is ours to remove.
        if os.path.isfile(path / SAVED_MODEL_FILE)
    ]
    for number, path in models[:-keep]:
        if path == published:
            continue
        try:
            _remove(path, number)
        except OSError as error:
            _log.warning(
                "%s is published; version %d could not be removed: %s",
                published,
                number,
                error,
            )


def _remove(path: pathlib.Path, number: int) -> None:
    """Removes a version of which no reader ever sees a half."""
    doomed = removing(path, number)
    with suppress(FileNotFoundError):  # another export removes it, too
        os.rename(path, doomed)
        if doomed.is_symlink():
            doomed.unlink()
        else:
            shutil.rmtree(doomed)
