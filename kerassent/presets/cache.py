"""Where converted presets are kept: each is there whole, or not at all."""

import contextlib
import logging
import os
import pathlib
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Final

from kerassent.errors import PresetError
from kerassent.presets.directory import missing_files

HOME_VARIABLE: Final = "KERASSENT_HOME"

# Seconds to wait for another process that builds the same entry. Past that
# this one builds it too: the first to finish wins, and both are right.
_LOCK_TIMEOUT = 900.0
_LOCK_POLL = 0.1

_logger = logging.getLogger("kerassent")


def cache_dir() -> pathlib.Path:
    """Returns the directory of kerassent's files; it may not exist yet.

    `KERASSENT_HOME`, else `kerassent` in the user's cache directory:
    `~/Library/Caches` on macOS, elsewhere `$XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        PresetError: There is no home directory.
    """
    home = os.environ.get(HOME_VARIABLE)
    try:
        if home:
            return pathlib.Path(home).expanduser().absolute()
        if sys.platform == "darwin":
            return pathlib.Path.home() / "Library" / "Caches" / "kerassent"
        # The XDG specification says to ignore a relative path.
        xdg = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = xdg if xdg.is_absolute() else pathlib.Path.home() / ".cache"
    except RuntimeError as error:
        raise PresetError(
            f"There is no home directory to keep presets in ({error}). Set "
            f"{HOME_VARIABLE} to a directory that can be written."
        ) from error
    return base / "kerassent"


def entry_path(entry: str) -> pathlib.Path:
    """Returns the directory of a cache entry; it may not exist yet."""
    return cache_dir() / "presets" / entry


def is_cached(entry: str) -> bool:
    """Returns whether an entry is there, whole."""
    return not missing_files(entry_path(entry))


def cached(
    entry: str, build: Callable[[pathlib.Path, pathlib.Path], None]
) -> pathlib.Path:
    """Returns the directory of a cache entry, built first if need be.

    Safe when several processes or threads ask for the same entry: one builds
    and the others wait. An entry appears by a rename, so that a process that
    is killed leaves nothing that looks like one.

    Args:
        entry: A file name.
        build: Called with a new, empty directory to write the preset to, and
            another for its temporary files.

    Raises:
        PresetError: The cache cannot be written; or whatever `build` raises.
    """
    target = entry_path(entry)
    if is_cached(entry):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_name(f".{entry}.lock")) as locked:
            if is_cached(entry):
                return target
            if locked:
                _remove_remains(target)
            _build(target, build)
    except OSError as error:
        raise PresetError(
            f"The cache {str(target.parent)!r} cannot be written: {error}. "
            f"Set {HOME_VARIABLE} to a directory that can be written."
        ) from error
    return target


def _build(
    target: pathlib.Path, build: Callable[[pathlib.Path, pathlib.Path], None]
) -> None:
    unique = f"{os.getpid()}-{secrets.token_hex(4)}"
    work = target.with_name(f".{target.name}.{unique}.partial")
    work.mkdir()
    try:
        preset, scratch = work / "preset", work / "scratch"
        preset.mkdir()
        scratch.mkdir()
        build(preset, scratch)
        # An entry that is there but not whole lost files to some cleaner.
        if target.exists() and missing_files(target):
            target.rename(work / "remains")
        try:
            preset.rename(target)
        except OSError:
            # Another process may have been first; its entry is as good.
            if missing_files(target):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_remains(target: pathlib.Path) -> None:
    """Removes what killed processes left; call it with the lock held."""
    for path in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[bool]:
    """Holds a lock between processes; yields whether it is held."""
    with open(path, "ab") as file:
        yield _acquire(file)  # closing the file releases the lock


def _acquire(file: IO[bytes]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    deadline = time.monotonic() + _LOCK_TIMEOUT
    waiting = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
        except OSError:  # a file system without locks
            return False
        if not waiting:
            _logger.info("Waiting for another process to make the preset.")
            waiting = True
        time.sleep(_LOCK_POLL)
