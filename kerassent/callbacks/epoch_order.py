"""Which epoch's batches come next."""

from collections.abc import Iterator
from typing import Any

import keras


class EpochOrder(keras.callbacks.Callback, Iterator[int]):
    """Gives a dataset the number of the epoch that `fit` is at.

    A shuffled dataset that counts its own passes begins anew in a resumed run,
    and sees the passes of a learning-rate finder too. Put this after
    `BackupAndRestore`, and give it to `token_dataset`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next = 0

    def __next__(self) -> int:
        """Returns the epoch, and counts on outside `fit`."""
        self._next += 1
        return self._next - 1

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Takes `fit`'s number."""
        self._next = epoch
