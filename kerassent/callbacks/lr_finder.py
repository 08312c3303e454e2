"""The learning-rate range test: a callback, its curve, one call for both."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerassent.callbacks.one_cycle import check_learning_rate_settable
from kerassent.schedules import exponential, smoothed, valley


@dataclass(frozen=True, eq=False)
class LRCurve:
    """What a range test saw: the loss of a step at each learning rate.

    Args:
        learning_rates: float64 `(num_steps,)`, geometric.
        losses: float64 `(num_steps,)`, each step's own.
        smoothing: The weight of the past in `smoothed_losses`.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothing: float = 0.9

    @property
    def smoothed_losses(self) -> np.ndarray:
        """float64 `(num_steps,)`: the losses' moving average."""
        return smoothed(self.losses, self.smoothing)

    @property
    def suggestion(self) -> float:
        """A `max_lr`: in the middle of the longest fall of the losses.

        The first tenth, where nothing is learned yet, and the last five
        steps, where the loss explodes, are left out.

        Raises:
            ValueError: There are fewer than 20 steps to judge by.
        """
        start, stop = len(self.losses) // 10, len(self.losses) - 5
        if stop - start < 13:
            raise ValueError(
                "A suggestion needs 20 steps or more. Received: "
                f"{len(self.losses)}. Give a larger `num_steps`, or a smaller "
                "`end_lr` if the loss exploded early."
            )
        return valley(
            self.learning_rates[start:stop], self.smoothed_losses[start:stop]
        )


class LRFinder(keras.callbacks.Callback):
    """Raises the learning rate step by step and records the loss of each.

    It ends `fit` after `num_steps`, or earlier when the smoothed loss is
    `stop_factor` times its best or not finite. The model is left trained by
    the test: `find_lr` puts it back.

    Args:
        start_lr: The first rate, above 0.
        end_lr: The last rate, above `start_lr`.
        num_steps: How many steps, 2 or more.
        smoothing: The weight of the past in the smoothed loss, 0 to below 1.
        stop_factor: How many times its best the loss may be.

    Reference:
        [Smith, 2015](https://arxiv.org/abs/1506.01186), section 3.3.
    """

    def __init__(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 1.0,
        num_steps: int = 100,
        *,
        smoothing: float = 0.9,
        stop_factor: float = 4.0,
    ) -> None:
        super().__init__()
        if not 0 < start_lr < end_lr:
            raise ValueError(
                "`start_lr` must be above 0 and below `end_lr`. "
                f"Received: start_lr={start_lr}, end_lr={end_lr}"
            )
        if num_steps < 2:
            raise ValueError(
                f"`num_steps` must be 2 or more. Received: {num_steps}"
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
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self._losses: list[float] = []
        self._rates: list[float] = []

    @property
    def curve(self) -> LRCurve:
        """What was recorded so far."""
        return LRCurve(
            np.array(self._rates), np.array(self._losses), self.smoothing
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a new curve."""
        check_learning_rate_settable(self.model.optimizer)
        self._losses, self._rates = [], []

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Sets the rate of the step that follows."""
        # Keras reports the mean loss since the epoch began. Starting the mean
        # anew makes it the loss of this step.
        self.model.reset_metrics()
        self.model.optimizer.learning_rate = exponential(
            len(self._losses), self.num_steps, self.start_lr, self.end_lr
        )

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Records the step's loss and decides whether to go on."""
        loss = float((logs or {})["loss"])
        rate = float(self.model.optimizer.learning_rate)
        if not math.isfinite(loss):
            self.model.stop_training = True
            return
        self._losses.append(loss)
        self._rates.append(rate)
        averages = self.curve.smoothed_losses
        if len(self._losses) >= self.num_steps or (
            averages[-1] > self.stop_factor * averages.min() > 0
        ):
            self.model.stop_training = True


def find_lr(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    start_lr: float = 1e-7,
    end_lr: float = 1.0,
    num_steps: int = 100,
    smoothing: float = 0.9,
    stop_factor: float = 4.0,
    verbose: int | str = 0,
) -> LRCurve:
    """Returns the loss at each learning rate; leaves the model as it was.

    Weights, the optimizer's state and its rate are put back, also after an
    error or Ctrl-C.

    Args:
        model: Any compiled Keras 3 model on the TensorFlow backend.
        x: What `model.fit` takes; repeated as often as needed.
        y: Labels, if `x` doesn't hold them.
        batch_size: As in `model.fit`.
        start_lr: The first rate, above 0.
        end_lr: The last rate.
        num_steps: How many steps.
        smoothing: The weight of the past in the smoothed loss.
        stop_factor: The test ends when the smoothed loss is so many times its
            best.
        verbose: As in `model.fit`.

    Returns:
        The curve; its `suggestion` is a `max_lr` for `OneCycle`.

    Raises:
        ValueError: The model isn't compiled, or an argument is out of range.

    Example:
        ```python
        curve = find_lr(model, dataset)
        model.fit(dataset, callbacks=[OneCycle(max_lr=curve.suggestion)])
        ```
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError("`model` must be compiled: call `model.compile()`.")
    finder = LRFinder(
        start_lr,
        end_lr,
        num_steps,
        smoothing=smoothing,
        stop_factor=stop_factor,
    )
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    saved = [variable.numpy() for variable in variables]
    try:
        model.fit(
            x,
            y,
            batch_size=batch_size,
            epochs=num_steps,
            callbacks=[finder],
            shuffle=y is not None,  # Keras warns where it cannot
            verbose=verbose,
        )
    finally:
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        model.stop_training = False
    return finder.curve
