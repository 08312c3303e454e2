"""One file that holds arrays and plain values, whole or not at all."""

import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

_STATE: Final = "state.json"
_FORMAT: Final = 1


def write_checkpoint(
    path: pathlib.Path,
    state: dict[str, Any],
    arrays: Iterable[tuple[str, np.ndarray]],
) -> None:
    """Writes a checkpoint beside, flushes it to the disk, and renames it.

    It is an `.npz` file with a `state.json` in it; `numpy.load` opens it. The
    zip format keeps a CRC-32 of each part.

    Args:
        path: The file to be.
        state: What JSON can hold.
        arrays: Names and values, taken one at a time.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    beside = path.with_name(path.name + ".writing")
    try:
        with beside.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                names = []
                for name, array in arrays:
                    names.append(name)
                    with archive.open(
                        f"{name}.npy", "w", force_zip64=True
                    ) as member:
                        np.lib.format.write_array(
                            member, np.asarray(array), allow_pickle=False
                        )
                archive.writestr(
                    _STATE,
                    json.dumps(
                        {"format": _FORMAT, "state": state, "arrays": names}
                    ),
                )
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def read_checkpoint(
    path: pathlib.Path,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns what `write_checkpoint` wrote, every byte of it checked.

    Args:
        path: The file.

    Raises:
        ValueError: It cannot be read, or isn't what was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # First, so that no damaged header is believed.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the CRC-32 of {damaged} is wrong")
            content = json.loads(archive.read(_STATE))
            arrays = {}
            for name in content.get("arrays", ()):
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = np.lib.format.read_array(
                        member, allow_pickle=False
                    )
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        EOFError,
        OSError,
        NotImplementedError,  # compressed in a way that zipfile doesn't know
        RuntimeError,  # encrypted, it thinks
    ) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if content.get("format") != _FORMAT:
        raise ValueError(
            f"{path.name} is of another version of kerassent: its format is "
            f"{content.get('format')!r}, this one reads {_FORMAT}"
        )
    return content["state"], arrays


def _flush(directory: pathlib.Path) -> None:
    """Makes a rename outlast a power failure."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
