"""The learning-rate range test as a Keras callback."""

import math
from typing import Any, Literal, get_args

import keras
import numpy as np

from kerassent.arguments import check_counts, check_positive
from kerassent.callbacks.model_state import ModelState
from kerassent.callbacks.step_schedule import check_learning_rate_settable
from kerassent.lr_curve import LRCurve, StopReason
from kerassent.schedules import exponential, linear

Mode = Literal["exponential", "linear"]


class LRFinder(keras.callbacks.Callback):
    """Raises the learning rate step by step and records the loss of each.

    It ends `fit` after `num_steps`, or earlier when the smoothed loss is
    `stop_factor` times its best or the loss is not finite. When `fit` ends the
    model is put back as it was. `fit` tells no callback that it failed: after
    an error or Ctrl-C call `restore()`, or use `find_lr`, which does.

    A step is an update: with gradient accumulation its loss is the mean of the
    batches that made it. With `steps_per_execution` a step is a whole block
    (`find_lr` takes blocks apart).

    Args:
        start_lr: The first rate, above 0.
        end_lr: The last rate, above `start_lr`.
        num_steps: How many steps, 2 or more.
        mode: How the rate grows: `"exponential"` or `"linear"`.
        smoothing: The weight of the past in the smoothed loss, 0 to below 1.
        stop_factor: How many times its best the loss may be, above 1.
        validation_data: As in `fit`. If given, the loss on all of it after each
            step is what is judged. It costs as much as it has batches, so give
            a few hundred examples.

    Raises:
        ValueError: An argument is out of its range.
        TypeError: An argument is no number; or, when `fit` starts, the
            optimizer has a schedule of its own.

    Example:
        ```python
        finder = LRFinder()
        model.fit(dataset, epochs=10, callbacks=[finder])
        finder.curve.plot()
        ```

    Reference:
        [Smith, 2015](https://arxiv.org/abs/1506.01186), section 3.3.
    """

    def __init__(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 1.0,
        num_steps: int = 100,
        *,
        mode: Mode = "exponential",
        smoothing: float = 0.9,
        stop_factor: float = 4.0,
        validation_data: Any = None,
    ) -> None:
        super().__init__()
        check_positive(start_lr=start_lr, end_lr=end_lr)
        check_counts(num_steps=num_steps)
        if not start_lr < end_lr:
            raise ValueError(
                "`start_lr` must be below `end_lr`. "
                f"Received: start_lr={start_lr}, end_lr={end_lr}"
            )
        if num_steps < 2:
            raise ValueError(
                f"`num_steps` must be 2 or more. Received: {num_steps}"
            )
        if mode not in get_args(Mode):
            raise ValueError(
                f"`mode` must be 'exponential' or 'linear'. Received: {mode!r}"
            )
        if not 0 <= smoothing < 1:
            raise ValueError(
                "`smoothing` must be 0 or more and below 1. "
                f"Received: {smoothing}"
            )
        if not stop_factor > 1:
            raise ValueError(
                f"`stop_factor` must be above 1. Received: {stop_factor}"
            )
        self.start_lr = start_lr
        self.end_lr = end_lr
        self.num_steps = num_steps
        self.mode = mode
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self.validation_data = validation_data
        self._state: ModelState | None = None
        self._updates = -1
        self._begin()

    @property
    def curve(self) -> LRCurve:
        """What was recorded so far."""
        return LRCurve(
            np.array(self._rates),
            np.array(self._losses),
            None
            if self.validation_data is None
            else np.array(self._val_losses),
            self.smoothing,
            self._stop_reason,
        )

    def restore(self) -> None:
        """Puts the model back as it was. Calling it again does no harm."""
        if self._state is not None:
            self._state.restore()
            self._state = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a new curve."""
        check_learning_rate_settable(self.model.optimizer)
        self.restore()  # if a `fit` before this one failed
        self._state = ModelState(self.model)
        self._begin()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Notes how far it is."""
        self._recorded_before = len(self._losses)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Sets the rate of the step that follows."""
        updates = self._made()
        if updates == self._updates:
            return  # a later batch of the same update
        self._updates = updates
        # Keras reports the mean loss since the epoch began. Starting the mean
        # anew makes it the loss of this step.
        self.model.reset_metrics()
        curve = exponential if self.mode == "exponential" else linear
        self._rate = curve(
            len(self._losses), self.num_steps, self.start_lr, self.end_lr
        )
        self.model.optimizer.learning_rate = self._rate

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Records the step's loss and decides whether to go on."""
        if "loss" not in (logs or {}):
            raise ValueError(
                "The model's `train_step` reports no 'loss' to judge by. "
                f"Received: {sorted(logs or {})}"
            )
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            self._stop("not_finite")
            return
        if self._made() == self._updates:
            return
        if self.validation_data is not None:
            val_loss = self._validation_loss()
            if not math.isfinite(val_loss):
                self._stop("not_finite")
                return
            self._val_losses.append(val_loss)
        self._losses.append(loss)
        self._rates.append(self._rate)
        if len(self._losses) >= self.num_steps:
            self._stop("finished")
        elif self._has_diverged():
            self._stop("diverged")

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Ends where an epoch had no data for a step."""
        if len(self._losses) == self._recorded_before:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the model back as it was."""
        self.restore()

    def _made(self) -> int:
        # `int()` refuses a variable that several devices have.
        return int(self.model.optimizer.iterations.numpy())

    def _begin(self) -> None:
        self._losses: list[float] = []
        self._val_losses: list[float] = []
        self._rates: list[float] = []
        self._stop_reason: StopReason = "ran_out"
        self._updates = -1
        self._recorded_before = 0
        self._average, self._best = 0.0, math.inf

    def _stop(self, reason: StopReason) -> None:
        self._stop_reason = reason
        self.model.stop_training = True

    def _has_diverged(self) -> bool:
        """Follows the average, as `smoothed` makes it, by the last value."""
        values = self._val_losses or self._losses
        self._average = (
            self.smoothing * self._average + (1 - self.smoothing) * values[-1]
        )
        average = self._average / (1 - self.smoothing ** len(values))
        self._best = min(self._best, average)
        # The same as `stop_factor` times the best where that is above 0.
        limit = self._best + (self.stop_factor - 1) * abs(self._best)
        return average > limit

    def _validation_loss(self) -> float:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(
            self.validation_data
        )
        found = self.model.evaluate(
            x, y, sample_weight=sample_weight, verbose=0, return_dict=True
        )
        return float(found["loss"])
