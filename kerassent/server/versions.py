"""Where the versions of a model lie: `models/sentiment/1`, `2` and so on."""

import os
import re
from typing import Final

from kerassent.contract import SAVED_MODEL_FILE
from kerassent.errors import ServingError, listed

_VERSION: Final = re.compile(r"[0-9]+")


def find_newest_version(model_base_path: str) -> tuple[int, str]:
    """Returns the highest version below a base path, and its directory.

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
    names = sorted(os.listdir(model_base_path))
    versions = {
        int(name): os.path.join(model_base_path, name)
        for name in names
        if _VERSION.fullmatch(name)
        and os.path.isdir(os.path.join(model_base_path, name))
    }
    if not versions:
        found = f"It holds {listed(names)}." if names else "It is empty."
        raise ServingError(
            f"{model_base_path!r} has no numbered version directory. {found} "
            "Export a model there, or pass the directory that holds '1'."
        )
    newest = max(versions)
    return newest, versions[newest]
