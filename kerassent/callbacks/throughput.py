"""How fast training goes, and how long it will take."""

import math
import time
from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np

# How much of the past the speed of the moment is of.
_WINDOW_SECONDS: Final = 60.0


class Throughput(keras.callbacks.Callback):
    """Measures tokens a second, and from them the time that is left.

    `logs["tokens_per_second"]` of a step is an average that forgets within
    about a minute; the first step of a `fit`, in which the graph is built, is
    left out as soon as there is another. That of an epoch is the epoch's
    tokens over its time. Waiting for data and writing checkpoints count,
    validation doesn't, nor do the steps that a resumed run passes over.

    Batches of short reviews take less time: that is why tokens are counted and
    not steps. Give `ProgressBar` this callback to see the time left.

    Args:
        tokens_of: Gives the number of tokens of each batch of an epoch, from
            the epoch's number: int `(num_batches,)`. All epochs should have as
            many in sum. `TokenBatches.num_tokens` is one.

    Raises:
        ValueError: When an epoch begins, `tokens_of` gave another number of
            batches than the epoch has.

    Example:
        ```python
        throughput = Throughput(batches.num_tokens)
        model.fit(dataset, callbacks=[throughput, ProgressBar(throughput)])
        ```
    """

    def __init__(self, tokens_of: Callable[[int], np.ndarray]) -> None:
        super().__init__()
        self.tokens_of = tokens_of
        self._begin()

    def _begin(self) -> None:
        self._epoch: int = -1
        self._done: int = 0
        self._seconds: float = 0.0
        self._tokens = np.zeros(0, np.int64)
        self._validated = False
        self._validation_seconds = 0.0
        self._num_measured = 0
        self._recent_tokens = 0.0
        self._recent_seconds = 0.0
        self._clock = time.perf_counter()

    @property
    def tokens_per_second(self) -> float | None:
        """The speed of the moment; `None` before the first step."""
        if not self._recent_seconds:
            return None
        return self._recent_tokens / self._recent_seconds

    @property
    def seconds_left(self) -> float | None:
        """Until `fit` ends; `None` before the second step.

        Validation is in it once an epoch was validated.
        """
        speed = self.tokens_per_second
        if speed is None or self._num_measured < 2:
            return None
        epochs = self.params["epochs"] - self._epoch - 1
        tokens = self._tokens[self._done :].sum() + epochs * self._tokens.sum()
        validations = epochs + (not self._validated)
        return float(tokens / speed + validations * self._validation_seconds)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to measure anew."""
        self._begin()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Asks for the epoch's tokens."""
        self._tokens = np.asarray(self.tokens_of(epoch))
        batches = self.params.get("steps")
        if batches is not None and self._tokens.shape != (batches,):
            raise ValueError(
                f"`tokens_of({epoch})` must have the shape ({batches},): a "
                "number for each batch of the epoch. Received: "
                f"{self._tokens.shape}"
            )
        if epoch != self._epoch:
            self._epoch, self._done, self._seconds = epoch, 0, 0.0
        self._validated = False
        self._clock = time.perf_counter()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Measures a step, or a block of them."""
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        if batch >= self._done:
            tokens = int(self._tokens[self._done : batch + 1].sum())
            self._done = batch + 1
            self._seconds += seconds
            self._measure(tokens, seconds)
        if logs is not None and self.tokens_per_second is not None:
            logs["tokens_per_second"] = self.tokens_per_second

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to time a validation."""
        self._clock = time.perf_counter()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Notes how long a validation takes."""
        self._validation_seconds = time.perf_counter() - self._clock
        self._validated = True

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts the epoch's speed into the history."""
        self._validated = True
        if logs is not None and self._seconds:
            tokens = self._tokens[: self._done].sum()
            logs["tokens_per_second"] = float(tokens / self._seconds)

    def get_state(self) -> dict[str, Any]:
        """Returns where it is in the epoch, and what that took."""
        return {
            "epoch": self._epoch,
            "done": self._done,
            "seconds": self._seconds,
            "validation_seconds": self._validation_seconds,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` returned; the speed is measured anew.

        Args:
            state: Of a run with the same batches.
        """
        self._epoch = state["epoch"]
        self._done = state["done"]
        self._seconds = state["seconds"]
        self._validation_seconds = state["validation_seconds"]

    def _measure(self, tokens: int, seconds: float) -> None:
        self._num_measured += 1
        kept = math.exp(-seconds / _WINDOW_SECONDS)
        if self._num_measured == 2:
            kept = 0.0  # of the step in which the graph was built
        self._recent_tokens = kept * self._recent_tokens + tokens
        self._recent_seconds = kept * self._recent_seconds + seconds
