"""A directory that others see whole or not at all.

TensorFlow Serving polls the base path and loads whatever has a number for a
name. `saved_model.pb` without its variables loads as well, and replaces the
good version. So a version is written under a name that is no number, checked
there, and renamed.
"""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from kerassent.errors import ExportError


def versions(base_path: pathlib.Path) -> list[int]:
    """Returns the numbers of the versions in a base path, ascending.

    Args:
        base_path: A model's directory; it need not be there.
    """
    if not base_path.is_dir():
        return []
    return sorted(int(p.name) for p in base_path.iterdir() if _is_version(p))


@contextmanager
def new_version(
    base_path: pathlib.Path, version: int | None
) -> Iterator[tuple[pathlib.Path, list[pathlib.Path]]]:
    """Gives a directory to write to, and publishes it at the end.

    Args:
        base_path: The model's directory, made if it isn't there.
        version: The number to publish as, or `None` for the next one.

    Yields:
        The directory to write to, and a list that holds the published
        directory after the block.

    Raises:
        ExportError: The version is there already.
    """
    if version is not None and (base_path / str(version)).exists():
        raise ExportError(
            f"{base_path / str(version)} is there already. Leave `version` "
            "out for the next free number, or remove that directory."
        )
    published: list[pathlib.Path] = []
    with _staging(base_path) as staging:
        yield staging, published
        published.append(_publish(staging, base_path, version))


@contextmanager
def new_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a directory to write to, and calls it `path` at the end.

    Args:
        path: What it is to be called; an empty directory may be there.

    Yields:
        The directory to write to.

    Raises:
        ExportError: Something is there already.
    """
    target = path.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(
            f"{path} is there already. Choose another path, or remove it first."
        )
    with _staging(target.parent) as staging:
        yield staging
        os.rename(staging, target)


@contextmanager
def _staging(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Makes a directory that is removed unless it was renamed."""
    parent.mkdir(parents=True, exist_ok=True)
    staging = pathlib.Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
    try:
        # mkdtemp's mode is 0700; a server often runs as another user.
        staging.chmod(0o755)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(
    staging: pathlib.Path, base_path: pathlib.Path, version: int | None
) -> pathlib.Path:
    while True:
        number = version or max(versions(base_path), default=0) + 1
        target = base_path / str(number)
        try:
            os.rename(staging, target)
            return target
        except OSError:
            # Somebody else published this number in the meantime.
            if version is not None or not target.exists():
                raise


def _is_version(path: pathlib.Path) -> bool:
    return path.is_dir() and path.name.isascii() and path.name.isdigit()
