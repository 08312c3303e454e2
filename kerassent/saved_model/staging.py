"""A directory that nobody reads yet, beside the place where it is to be.

Its name is no number, so no server loads it. Whoever writes it holds a lock on
it, which the kernel lets go of when the process ends, however it ends: what a
killed process left is known by that, and goes with the next export.
"""

import errno
import fcntl
import os
import pathlib
import re
import secrets
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from kerassent.errors import ExportError

# A lock is seen by the processes of one kernel only, where a file system is
# shared by several machines. So the name says which one, and which start of it.
_BOOT_ID: Final = pathlib.Path("/proc/sys/kernel/random/boot_id")
_WRITING: Final = ".writing-"
_REMOVING: Final = re.compile(r"\.removing-[0-9]+-[0-9a-f]{16}")

_FULL: Final = (
    "The disk is full. Expected room for the whole export beside what is "
    "there: free some, or choose another path."
)
_DENIED: Final = (
    "Expected a directory that this user may write to: change its owner or "
    "mode, or choose another path."
)
_FIXES: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "A file of it is larger than this process may write: raise "
    "the limit (`ulimit -f`), or choose another file system.",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "The file system is read-only: choose another path.",
    errno.EIO: "The disk reports an error: choose another path.",
}


@contextmanager
def staged(
    target: pathlib.Path, parent: pathlib.Path
) -> Iterator[pathlib.Path]:
    """Gives a directory to write to, removed at the end unless renamed.

    Args:
        target: What an error calls the place of the export.
        parent: Where to make the directory; made if it isn't there.

    Yields:
        The directory, with the mode that the umask and `parent` give it.

    Raises:
        ExportError: The disk is full, read-only, or not for this user.
    """
    made: list[pathlib.Path] = []
    lock = None
    try:
        with _ending_well():
            _make(parent, made)
            _sweep(parent)
            staging, lock = _claimed(parent)
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except Exception as error:
        fix = _fix(error)
        if fix is None or isinstance(error, ExportError):
            raise
        raise ExportError(
            f"The export to {target} failed: {error}. {fix} Nothing was "
            "published."
        ) from error
    finally:
        if lock is not None:
            os.close(lock)
        for directory in reversed(made):
            with suppress(OSError):  # it is in use
                directory.rmdir()


def settle(staging: pathlib.Path) -> None:
    """Gives all files their modes, and flushes them to the disk.

    Libraries choose modes of their own, such as 0600 by way of a temporary
    file; a server often runs as another user.

    Args:
        staging: The directory, whose own mode is the measure.
    """
    mode = stat.S_IMODE(staging.stat().st_mode)
    for directory, _, names in os.walk(staging, topdown=False):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.chmod(path, mode & 0o666)
                flush(path)
        os.chmod(directory, mode)
        flush(directory)


def flush(path: str | os.PathLike[str]) -> None:
    """Returns once a file, or a directory's list of names, is on the disk.

    Args:
        path: The file or directory.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems can't, for a directory, and needn't.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def removing(path: pathlib.Path, number: int) -> pathlib.Path:
    """Returns a name beside a version's: what bears it is to be removed.

    Args:
        path: The version's directory.
        number: The version.
    """
    return path.with_name(f".removing-{number}-{secrets.token_hex(8)}")


def _make(directory: pathlib.Path, made: list[pathlib.Path]) -> None:
    """Makes a directory, and notes which of its parents were not there."""
    if directory.is_dir():
        return
    if os.path.lexists(directory):
        raise ExportError(
            f"{directory} is not a directory. Expected one, or a path where "
            "one can be made: choose another path, or move what is there. "
            "Nothing was published."
        )
    _make(directory.parent, made)
    with suppress(FileExistsError):  # another export was faster
        directory.mkdir()
        made.append(directory)
        flush(directory.parent)


def _claimed(parent: pathlib.Path) -> tuple[pathlib.Path, int | None]:
    """Returns a new directory, and the open descriptor that locks it."""
    boot = _boot()
    while True:
        token = secrets.token_hex(8)
        staging = parent / f"{_WRITING}{boot or 'unlocked'}-{token}"
        staging.mkdir()
        if boot is None:
            return staging, None
        lock = None
        try:
            lock = os.open(staging, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if staging.exists():
                return staging, lock
        except (BlockingIOError, FileNotFoundError):
            pass  # swept by another export before it was locked
        except OSError:  # this file system has no locks
            staging.rmdir()
            boot = None
        if lock is not None:
            os.close(lock)


def _sweep(parent: pathlib.Path) -> None:
    """Removes what is provably nobody's."""
    boot = _boot()
    for name in os.listdir(parent):
        path = parent / name
        if _REMOVING.fullmatch(name):
            shutil.rmtree(path, ignore_errors=True)
        elif boot is not None and name.startswith(f"{_WRITING}{boot}-"):
            _remove_if_unlocked(path)


def _remove_if_unlocked(path: pathlib.Path) -> None:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # By its name: a version that it has become meanwhile has another.
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass  # it is being written
    finally:
        os.close(lock)


def _boot() -> str | None:
    """Returns what tells this start of this machine from all others."""
    try:
        return _BOOT_ID.read_text("utf-8").strip()
    except OSError:
        return None


@contextmanager
def _ending_well() -> Iterator[None]:
    """Makes of SIGTERM, which would end the process at once, an exception."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _fix(error: Exception) -> str | None:
    """Returns what to do about an error of the file system, if it is one."""
    if isinstance(error, OSError) and error.errno is not None:
        return _FIXES.get(error.errno)
    # TensorFlow's and HDF5's errors have the system's words only.
    return next(
        (fix for n, fix in _FIXES.items() if os.strerror(n) in str(error)),
        None,
    )
