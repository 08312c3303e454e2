"""What decides an output: the file, the model, and how it is asked."""

import hashlib
from pathlib import Path
from typing import Any

from kerassent import contract
from kerassent.client import Client
from kerassent.prediction import Model
from kerassent.version import __version__


def output_settings(
    model: Model, path: Path | None, source: Path, **options: Any
) -> dict[str, Any]:
    """Returns what an unfinished output must have been begun with.

    Files are told by their content: a copy is as good. Of a server counts what
    it is asked, but not where it is; of an object only the classes.

    Args:
        model: The model.
        path: The run or export that it was opened from, or `None`.
        source: The file to be scored.
        **options: What else decides the output.
    """
    return {
        "kerassent": __version__,
        "source": _file_hash(source),
        "model": _model_name(model, path),
        "class_names": list(model.class_names),
        **options,
    }


def _model_name(model: Model, path: Path | None) -> str | None:
    if isinstance(model, Client):
        return model.model_spec
    if path is None:
        return None
    # TensorFlow is here already if the model is.
    from kerassent.saved_model.loading import is_export, version_directory

    directory = version_directory(path) if is_export(path) else path
    found = hashlib.sha256()
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory)
        if file.is_file() and name.parts[0] != contract.CHECKPOINTS:
            found.update(f"{name.as_posix()}\0{_file_hash(file)}\n".encode())
    return found.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
