"""Checkpoints in the middle of an epoch, and going on from them."""

import errno
import logging
import os
import pathlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from kerassent.callbacks.checkpoint_file import (
    read_checkpoint,
    write_checkpoint,
)
from kerassent.callbacks.model_state import training_variables
from kerassent.replicas import assign, is_writer, read

_log = logging.getLogger("kerassent")


@runtime_checkable
class Stateful(Protocol):
    """A callback that remembers something from step to step."""

    def get_state(self) -> dict[str, Any]:
        """Returns what JSON can hold, and numpy arrays, by name."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes it back after `on_train_begin`."""


class Checkpoints(keras.callbacks.Callback):
    """Writes all that a `fit` has come to, and lets another go on from it.

    A checkpoint has the model's weights and seed generators, the metrics'
    sums, the optimizer's variables, the position in the epoch, and the state
    of each callback that has `get_state` and `set_state`. It is written beside
    and renamed, every so often and after each epoch. Of several processes that
    train together one writes, and all read.

    Make it the last of the callbacks. A `fit` that is to go on needs
    `initial_epoch=checkpoints.initial_epoch`, and data that begins where
    `position` says: the steps of the epoch that were made are passed over
    without asking for data.

    Args:
        directory: Where the checkpoints are; it need not be there yet.
        every_steps: A checkpoint after so many steps, or `None`.
        every_seconds: A checkpoint when the last is so many seconds old, or
            `None`.
        keep: How many of the newest are kept.

    Raises:
        ValueError: Checkpoints are there, and none of them can be read.

    Example:
        ```python
        checkpoints = Checkpoints("runs/imdb.partial/checkpoints")
        model.fit(
            token_dataset(batches, lambda: checkpoints.position),
            epochs=2,
            initial_epoch=checkpoints.initial_epoch,
            callbacks=[OneCycle(5e-5), checkpoints],
        )
        ```
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        every_steps: int | None = None,
        every_seconds: float | None = 300.0,
        keep: int = 2,
    ) -> None:
        super().__init__()
        for name, value in (
            ("every_steps", every_steps),
            ("every_seconds", every_seconds),
            ("keep", keep),
        ):
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received: {value}")
        self._directory = pathlib.Path(directory)
        self._every_steps = every_steps
        self._every_seconds = every_seconds
        self._keep = keep
        self._state: dict[str, Any] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._load()
        self._epoch = self.initial_epoch
        self._written_at = time.monotonic()
        self._callbacks: list[tuple[str, Stateful]] = []
        self._passed_over: Callable[[Any], Any] | None = None

    @property
    def initial_epoch(self) -> int:
        """The epoch to go on with; 0 if there is no checkpoint."""
        return int(self._state.get("epoch", 0))

    @property
    def has_stopped(self) -> bool:
        """Whether the run that is gone on with had been stopped early."""
        return bool(self._state.get("stopped", False))

    @property
    def position(self) -> tuple[int, int]:
        """The epoch, and the batch that the data of it must begin with."""
        resumed = self._state.get("epoch") == self._epoch
        return self._epoch, int(self._state["batch"]) if resumed else 0

    def set_callbacks(self, callbacks: list[Any]) -> None:
        """Says whose state is kept.

        Args:
            callbacks: All of the `fit`'s.
        """
        seen: Counter[str] = Counter()
        self._callbacks = []
        for callback in callbacks:
            name = type(callback).__name__
            if callback is not self and isinstance(callback, Stateful):
                self._callbacks.append((f"{name}-{seen[name]}", callback))
                seen[name] += 1

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts back what the checkpoint has."""
        optimizer = self.model.optimizer
        if not optimizer.built:
            with self.model.distribute_strategy.scope():
                optimizer.build(self.model.trainable_variables)
        self._check_room()
        self._written_at = time.monotonic()
        if not self._state:
            return
        self._restore_variables()
        for name, callback in self._callbacks:
            prefix = f"callbacks/{name}/"
            callback.set_state(
                self._state["callbacks"][name]
                | {
                    key.removeprefix(prefix): array
                    for key, array in self._arrays.items()
                    if key.startswith(prefix)
                }
            )

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Goes to where the epoch was left."""
        self._epoch = epoch
        start = self.position[1]
        if not start:
            return
        # `fit` has reset the metrics.
        self._restore_variables({id(v) for v in self.model.metrics_variables})
        self._arrays = {}
        made = self.model.get_metrics_result()
        made = {name: float(value) for name, value in made.items()}
        step = self.model.train_function
        left = start

        def pass_over(iterator: Any) -> Any:
            nonlocal left
            if left <= 0:
                return step(iterator)
            left -= self.model.steps_per_execution
            return dict(made)

        self.model.train_function = pass_over
        self._passed_over = step

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Writes a checkpoint if it is time."""
        done = batch + 1
        if done <= self.position[1]:
            return
        age = time.monotonic() - self._written_at
        if (self._every_steps and not done % self._every_steps) or (
            self._every_seconds is not None and age >= self._every_seconds
        ):
            self._write(self._epoch, done)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Writes a checkpoint."""
        self._state, self._arrays = {}, {}
        if self._passed_over is not None:
            self.model.train_function = self._passed_over
            self._passed_over = None
        self._write(epoch + 1, 0)

    def _write(self, epoch: int, batch: int) -> None:
        if not is_writer(self.model.distribute_strategy):
            return
        steps = self.params.get("steps") or 0
        states = {name: each.get_state() for name, each in self._callbacks}
        plain = {
            name: {
                key: value
                for key, value in state.items()
                if not isinstance(value, np.ndarray)
            }
            for name, state in states.items()
        }

        def arrays() -> Iterator[tuple[str, np.ndarray]]:
            for name, variable in self._variables():
                yield name, read(variable)
            for name, state in states.items():
                for key, value in state.items():
                    if isinstance(value, np.ndarray):
                        yield f"callbacks/{name}/{key}", value

        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"step-{epoch * steps + batch:09d}.npz"
        state = {
            "epoch": epoch,
            "batch": batch,
            "stopped": bool(self.model.stop_training),
            "callbacks": plain,
        }
        try:
            write_checkpoint(path, state, arrays())
        except OSError as error:
            raise OSError(
                error.errno,
                f"The checkpoint {path} cannot be written: {error.strerror}. "
                f"{free_bytes(self._directory) / 1e6:,.1f} MB are free. What "
                "was there before is still whole: make room, and go on with "
                "`resume=True` (`--resume`).",
            ) from error
        for old in self._there()[self._keep :]:
            old.unlink()
        self._written_at = time.monotonic()

    def _check_room(self) -> None:
        """Refuses to begin what could not be kept."""
        self._directory.mkdir(parents=True, exist_ok=True)
        size = sum(read(each).nbytes for _, each in self._variables())
        # One more than is kept, while it is written.
        count = self._keep + 1 - len(self._there())
        free = free_bytes(self._directory)
        if free < count * size:
            raise OSError(
                errno.ENOSPC,
                f"{free / 1e6:,.1f} MB are free, and there must be room for "
                f"{count} checkpoints of {size / 1e6:,.1f} MB in "
                f"{self._directory}. Make room, or choose an output directory "
                "on another disk.",
            )

    def _there(self) -> list[pathlib.Path]:
        """Returns the checkpoints, the newest first."""
        return sorted(self._directory.glob("step-*.npz"), reverse=True)

    def _load(self) -> None:
        for left_over in self._directory.glob("step-*.npz.writing"):
            left_over.unlink()
        reasons = []
        for path in self._there():
            try:
                self._state, self._arrays = read_checkpoint(path)
            except ValueError as error:
                reasons.append(str(error))
                _log.warning("%s. Trying the one before it.", error)
                continue
            _log.info(
                "Going on from %s: epoch %d, %d batches done",
                path.name,
                self._state["epoch"] + 1,
                self._state["batch"],
            )
            return
        if reasons:
            raise ValueError(
                f"None of the checkpoints in {self._directory} can be read: "
                f"{'; '.join(reasons)}. Remove that directory to begin anew."
            )

    def _variables(self) -> Iterator[tuple[str, Any]]:
        """Yields them by number and shape: Keras counts its names on."""
        for i, variable in enumerate(training_variables(self.model)):
            shape = "x".join(str(size) for size in variable.shape)
            yield f"variables/{i:04d} {shape} {variable.dtype}", variable

    def _restore_variables(self, only: Container[int] | None = None) -> None:
        variables = dict(self._variables())
        saved = {name for name in self._arrays if name.startswith("variables/")}
        if saved != set(variables):
            odd = sorted(saved ^ set(variables))
            raise ValueError(
                "The checkpoint is of another model or another optimizer: "
                f"{len(saved)} variables there, {len(variables)} here; the "
                f"first that differs is {odd[0]!r}."
            )
        for name, variable in variables.items():
            if only is None or id(variable) in only:
                assign(variable, self._arrays[name])


def free_bytes(directory: pathlib.Path) -> int:
    """Returns how much may be written to a directory's disk.

    Args:
        directory: The directory.
    """
    return shutil.disk_usage(directory).free
