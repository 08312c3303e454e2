"""Where the versions of a model lie: `models/sentiment/1`, `2` and so on."""

import os
import re
from typing import Final

from kerassent.contract import SAVED_MODEL_FILE
from kerassent.errors import ServingError, listed

_VERSION: Final = re.compile(r"[0-9]+")
_MAX_VERSION: Final = 2**63 - 1


def find_versions(model_base_path: str) -> dict[int, str]:
    """Returns the numbered children of a base path by their number.

    As in TensorFlow Serving `007` is 7, and a child need not be a directory.

    Args:
        model_base_path: The directory that holds `1/`, `2/` and so on.

    Raises:
        OSError: If it cannot be listed.
    """
    return {
        int(name): os.path.join(model_base_path, name)
        for name in sorted(os.listdir(model_base_path), key=len, reverse=True)
        if _VERSION.fullmatch(name) and int(name) <= _MAX_VERSION
    }


def check_base_path(model_base_path: str) -> None:
    """Raises unless a base path has a version.

    Args:
        model_base_path: The directory that holds `1/`, `2/` and so on.

    Raises:
        ServingError: If there is none.
    """
    if not os.path.isdir(model_base_path):
        raise ServingError(
            f"There is no directory {model_base_path!r}. Pass the directory "
            "that holds the numbered versions of an exported model, such as "
            "'models/sentiment' with 'models/sentiment/1' in it."
        )
    if os.path.isfile(os.path.join(model_base_path, SAVED_MODEL_FILE)):
        parent, name = os.path.split(os.path.normpath(model_base_path))
        fix = (
            f"Pass its parent, {parent!r}."
            if _VERSION.fullmatch(name)
            else "Move it into a numbered directory below and pass this path "
            f"again: {os.path.join(model_base_path, '1')!r}."
        )
        raise ServingError(
            f"{model_base_path!r} is one SavedModel, not a directory of "
            f"numbered versions. {fix}"
        )
    try:
        versions = find_versions(model_base_path)
        names = sorted(os.listdir(model_base_path))
    except OSError as error:
        raise ServingError(
            f"{model_base_path!r} cannot be read: {error.strerror}."
        ) from error
    if not versions:
        found = f"It holds {listed(names)}." if names else "It is empty."
        raise ServingError(
            f"{model_base_path!r} has no numbered version directory. {found} "
            "Export a model there, or pass the directory that holds '1'."
        )
