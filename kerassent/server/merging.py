"""Several requests as one run: inputs are joined on axis 0, outputs parted."""

from collections.abc import Mapping, Sequence

import numpy as np

from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array


def count_rows(feeds: Mapping[str, Array]) -> int:
    """Returns how many rows a request has, by which it is merged.

    Args:
        feeds: Arrays by tensor name.

    Raises:
        StatusError: If the arrays have no common first axis.
    """
    sizes = set()
    for array in feeds.values():
        if array.ndim == 0:
            raise invalid_argument(
                "Batching Run() input tensors must have at least one dimension"
            )
        sizes.add(array.shape[0])
    if len(sizes) != 1:
        raise invalid_argument(
            "Batching Run() input tensors must have equal 0th-dimension size"
            if sizes
            else "Batching Run() must have at least one input tensor"
        )
    return int(sizes.pop())


def merge_feeds(
    tasks: Sequence[Mapping[str, Array]], *, pad: bool, padded_rows: int
) -> dict[str, Array]:
    """Returns all tasks' arrays, joined on axis 0.

    Args:
        tasks: Each task's arrays by tensor name; the same names.
        pad: Whether other axes are padded with zeros to the longest.
        padded_rows: Rows to add at the end: the last task's first, repeated.

    Raises:
        StatusError: If other axes differ and `pad` is false.
    """
    merged = {}
    for name in tasks[0]:
        arrays = [task[name] for task in tasks]
        if pad:
            arrays = _padded(name, arrays)
        elif any(array.shape[1:] != arrays[0].shape[1:] for array in arrays):
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have "
                "different shapes and padding is turned off."
                "Set pad_variable_length_inputs to true, or ensure that all "
                "tensors with the same name"
                "have equal dimensions starting with the first dim.",
            )
        if len({array.dtype for array in arrays}) > 1:
            # numpy would find a common type; TensorFlow does not.
            raise StatusError(
                Code.INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: All "
                "tensors must have the same data type",
            )
        if padded_rows and arrays[-1].shape[0]:
            arrays = [*arrays, *[arrays[-1][:1]] * padded_rows]
        merged[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return merged


def _padded(name: str, arrays: list[Array]) -> list[Array]:
    if len({array.ndim for array in arrays}) > 1:
        raise invalid_argument(
            f"Tensors with name '{name}' from different tasks have different "
            "ranks, which no padding mends"
        )
    longest = np.max([array.shape[1:] for array in arrays], axis=0)
    padded = []
    for array in arrays:
        missing = longest - array.shape[1:]
        if missing.any():
            filler = b"" if array.dtype == object else 0
            array = np.pad(
                array,
                [(0, 0), *((0, int(count)) for count in missing)],
                constant_values=filler,
            )
        padded.append(array)
    return padded


def split_outputs(
    outputs: Sequence[Array], sizes: Sequence[int], total: int
) -> list[list[Array]]:
    """Returns each task's part of the outputs.

    Args:
        outputs: What the merged run returned.
        sizes: Each task's rows, in order.
        total: Rows that were run, with those that were added.

    Raises:
        StatusError: If an output has no batch axis, or another size.
    """
    for output in outputs:
        if output.ndim == 0:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor has 0 dimensions",
            )
        if output.shape[0] != total:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum "
                "of the 0th dimension sizes of the input tensors",
            )
    parts = []
    start = 0
    for size in sizes:
        parts.append([output[start : start + size] for output in outputs])
        start += size
    return parts
