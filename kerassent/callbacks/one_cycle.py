"""The 1cycle policy as a Keras callback."""

from typing import Any

import keras

from kerassent.schedules import Anneal, one_cycle


class OneCycle(keras.callbacks.Callback):
    """Sets the learning rate of each step by the 1cycle policy.

    The rate rises for `pct_start` of the steps and falls for the rest, far
    below where it started. One `fit` is one cycle; the next `fit` is a new
    one. The step is counted by the optimizer, so `initial_epoch` goes on in
    the middle of a cycle, and with gradient accumulation a step is an update.
    With `steps_per_execution` the steps of a block share its first step's
    rate. `logs["learning_rate"]` is the rate of the step.

    Args:
        max_lr: The peak, as `LRCurve.suggestion` gives it. Above 0.
        pct_start: The share of steps in which the rate rises, 0 to 1.
        div_factor: `max_lr` over the first rate.
        final_div_factor: The first rate over the last.
        anneal: The form of each phase, `"cos"` or `"linear"`.
        three_phase: Whether the rate falls back to the first rate, in as many
            steps as it rose, before it falls to the last.

    Raises:
        ValueError: An argument is out of its range; or, when `fit` starts,
            the number of steps is unknown.
        TypeError: When `fit` starts, the optimizer has a schedule of its own.

    Example:
        ```python
        model.fit(dataset, epochs=2, callbacks=[OneCycle(max_lr=5e-5)])
        ```

    Reference:
        [Smith, 2018](https://arxiv.org/abs/1803.09820). Names, values and
        meaning are those of `torch.optim.lr_scheduler.OneCycleLR`.
    """

    def __init__(
        self,
        max_lr: float,
        *,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal: Anneal = "cos",
        three_phase: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (
            ("max_lr", max_lr),
            ("div_factor", div_factor),
            ("final_div_factor", final_div_factor),
        ):
            if not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received: {value}")
        if not 0 <= pct_start <= 1:
            raise ValueError(
                f"`pct_start` must be from 0 to 1. Received: {pct_start}"
            )
        if three_phase and pct_start > 0.5:
            raise ValueError(
                "`pct_start` must be at most 0.5 with `three_phase`, which "
                f"needs it twice. Received: {pct_start}"
            )
        if anneal not in ("cos", "linear"):
            raise ValueError(
                f"`anneal` must be 'cos' or 'linear'. Received: {anneal!r}"
            )
        self.max_lr = max_lr
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.anneal: Anneal = anneal
        self.three_phase = three_phase
        self.total_steps = 0
        self._first_iteration: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Learns how many steps the cycle has."""
        steps = self.params.get("steps")
        if not steps:
            raise ValueError(
                "OneCycle needs to know how many steps an epoch has, and this "
                "dataset doesn't say. Pass `steps_per_epoch` to `fit`."
            )
        check_learning_rate_settable(self.model.optimizer)
        updates = steps // (
            getattr(self.model.optimizer, "gradient_accumulation_steps", None)
            or 1
        )
        self._steps_per_epoch = max(updates, 1)
        self.total_steps = self.params["epochs"] * self._steps_per_epoch
        self._first_iteration = None

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Finds the iteration count at which the cycle began."""
        if self._first_iteration is None:
            self._first_iteration = (
                self._iterations() - epoch * self._steps_per_epoch
            )

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Sets the rate of the step that follows."""
        self.model.optimizer.learning_rate = self.learning_rate(
            self._iterations() - (self._first_iteration or 0)
        )

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts the step's rate into the logs."""
        self._log(logs)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts the last step's rate into the history."""
        self._log(logs)

    def learning_rate(self, step: float) -> float:
        """Returns the rate of a step of the cycle that `fit` began.

        Args:
            step: From 0 to `total_steps - 1`.
        """
        return one_cycle(
            step,
            self.total_steps,
            max_lr=self.max_lr,
            pct_start=self.pct_start,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
            anneal=self.anneal,
            three_phase=self.three_phase,
        )

    def _iterations(self) -> int:
        return int(self.model.optimizer.iterations)

    def _log(self, logs: dict[str, Any] | None) -> None:
        if logs is not None:
            rate = self.model.optimizer.learning_rate
            logs["learning_rate"] = float(rate)


def check_learning_rate_settable(optimizer: Any) -> None:
    """Raises `TypeError` if the optimizer has a schedule of its own.

    Args:
        optimizer: A compiled model's Keras optimizer.
    """
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(
        schedule, keras.optimizers.schedules.LearningRateSchedule
    ) or not hasattr(optimizer, "learning_rate"):
        raise TypeError(
            "The optimizer's learning rate is a schedule, which a callback "
            f"cannot set. Received: {schedule or optimizer!r}. Compile the "
            "model with a number, such as `learning_rate=1e-3`; the callback "
            "does the scheduling."
        )
