"""The tensors of a checkpoint's safetensors files, under one set of names."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kerassent.errors import PresetError

_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class Tensors:
    """Tensors by name, read one at a time.

    Args:
        files: The safetensors files.
        found: Each tensor's name to its open file, its key there and the
            file's path.
    """

    files: Sequence[pathlib.Path]
    found: dict[str, tuple[Any, str, pathlib.Path]]

    def check(self, name: str, shape: tuple[int | None, ...]) -> None:
        """Checks that a tensor of floats is there and fits.

        Args:
            name: The tensor's name.
            shape: Its shape; `None` for any positive size.

        Raises:
            PresetError: It is not there or does not fit.
        """
        if name not in self.found:
            files = ", ".join(str(path) for path in self.files[:2])
            raise PresetError(
                f"There is no tensor {name!r} in {files}. The checkpoint's "
                "config.json is of another model, or a file is missing."
            )
        file, key, path = self.found[name]
        tensor = file.get_slice(key)
        actual = tuple(tensor.get_shape())
        if len(actual) != len(shape) or any(
            size < 1 if expected is None else size != expected
            for size, expected in zip(actual, shape, strict=True)
        ):
            raise PresetError(
                f"{path}: tensor {key!r} has the shape {actual}; config.json "
                f"asks for {shape}. They are not of one checkpoint."
            )
        if tensor.get_dtype() not in _FLOATS:
            raise PresetError(
                f"{path}: tensor {key!r} holds {tensor.get_dtype()}; expected "
                f"one of {', '.join(_FLOATS)}. Pass a checkpoint that is not "
                "quantized."
            )

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """Returns a tensor that `check` has found fit, as float32."""
        file, key, _ = self.found[name]
        return np.asarray(file.get_tensor(key)).astype(np.float32)


@contextlib.contextmanager
def open_tensors(files: Sequence[pathlib.Path]) -> Iterator[Tensors]:
    """Opens safetensors files.

    The prefixes `bert.` and `distilbert.` of checkpoints with a head are left
    out of the names, and the old names of a layer norm's weights, `gamma` and
    `beta`, become `weight` and `bias`.

    Args:
        files: Safetensors files.

    Raises:
        PresetError: A file cannot be read or is damaged.
    """
    # safetensors reads bfloat16 once ml_dtypes, which comes with TensorFlow,
    # has told numpy of it.
    import ml_dtypes  # noqa: F401
    from safetensors import SafetensorError, safe_open

    found: dict[str, tuple[Any, str, pathlib.Path]] = {}
    with contextlib.ExitStack() as stack:
        for path in files:
            try:
                file: Any = stack.enter_context(
                    safe_open(path, framework="numpy")
                )
            except (OSError, SafetensorError) as error:
                raise PresetError(
                    f"{path} is not a whole safetensors file ({error}). "
                    "Download it again."
                ) from error
            for key in file.keys():
                found[_own_name(key)] = (file, key, path)
        yield Tensors(files, found)


def _own_name(key: str) -> str:
    name = key.removeprefix("bert.").removeprefix("distilbert.")
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return name
