"""What the schedules share: they follow the optimizer's count of updates."""

import warnings
from typing import Any

import keras

from kerassent.callbacks.momentum import (
    CycledMomentum,
    inner_optimizer,
    momentum_name,
)


class StepSchedule(keras.callbacks.Callback):
    """Sets the learning rate, and maybe the momentum, of each step of `fit`.

    A subclass says what they are at a step. The step is the optimizer's count
    of updates since the first epoch of the schedule began: with
    `initial_epoch`, and when `BackupAndRestore` resumes a run, a schedule goes
    on where it was; the next `fit` begins a new one; with gradient accumulation
    a step is an update. With `steps_per_execution` all steps of a block are
    made with what its first step has.

    `logs["learning_rate"]` and `logs["momentum"]` are those of the step just
    made, or of the block's first step. Callbacks that come later in the list
    see them, as do the history and the progress bar.

    Args:
        cycle_momentum: Whether `momentum` is followed as well.
    """

    def __init__(self, *, cycle_momentum: bool = False) -> None:
        super().__init__()
        self.cycle_momentum = cycle_momentum
        self.total_steps = 0
        self.steps_per_epoch = 0.0
        self._first_iteration: int | None = None
        self._momentum: CycledMomentum | None = None
        self._in_force: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._num_made = -1

    def learning_rate(self, step: float) -> float:
        """Returns the learning rate of a step of the `fit` that began.

        Args:
            step: From 0 to `total_steps - 1`.
        """
        raise NotImplementedError

    def momentum(self, step: float) -> float:
        """Returns the momentum of a step; asked with `cycle_momentum` only.

        Args:
            step: From 0 to `total_steps - 1`.
        """
        raise NotImplementedError

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Learns how many steps there are, and makes the momentum movable."""
        optimizer = self.model.optimizer
        check_learning_rate_settable(optimizer)
        batches = self.params.get("steps")
        if not batches:
            raise ValueError(
                f"{type(self).__name__} needs to know how many steps an epoch "
                "has, and this dataset doesn't say. Pass `steps_per_epoch` to "
                "`fit`."
            )
        accumulated = (
            inner_optimizer(optimizer).gradient_accumulation_steps or 1
        )
        self.steps_per_epoch = batches / accumulated
        self.total_steps = max(
            self.params["epochs"] * batches // accumulated, 1
        )
        self._first_iteration = None
        self._in_force = self._shown = {}
        self._num_made = -1
        self._momentum = self._movable_momentum()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Finds the iteration count at which the schedule began."""
        if self._first_iteration is None:
            done = int(epoch * self.steps_per_epoch)
            self._first_iteration = self._iterations() - done

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Sets the learning rate and the momentum of the step to come."""
        step = self.step()
        rate = self.learning_rate(step)
        self.model.optimizer.learning_rate = rate
        self._in_force = {"learning_rate": rate}
        if self._momentum is not None:
            self._momentum.value = self._in_force["momentum"] = self.momentum(
                step
            )

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts what the step was made with into the logs."""
        # A resumed run passes over steps that were made before.
        if (num_made := self._num_steps_made()) != self._num_made:
            self._num_made = num_made
            self._shown = self._in_force
        if logs is not None:
            logs.update(self._shown)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts what the epoch's last step was made with into the history."""
        if logs is not None:
            logs.update(self._shown)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the optimizer's own momentum back."""
        if self._momentum is not None:
            self._momentum.remove()
            self._momentum = None

    def get_state(self) -> dict[str, Any]:
        """Returns where the schedule began and what was last in force."""
        return {
            "first_iteration": self._first_iteration,
            "shown": self._shown,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with a schedule that began in another `fit`.

        Args:
            state: What `get_state` returned there.
        """
        self._first_iteration = state["first_iteration"]
        self._shown = state["shown"]
        self._num_made = self._num_steps_made()

    def step(self) -> int:
        """Returns how many steps of the schedule have been made."""
        return self._iterations() - (self._first_iteration or 0)

    def _iterations(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    def _num_steps_made(self) -> int:
        """Counts those that only accumulate gradients, too."""
        return int(inner_optimizer(self.model.optimizer)._iterations.numpy())

    def _movable_momentum(self) -> CycledMomentum | None:
        if not self.cycle_momentum:
            return None
        optimizer = inner_optimizer(self.model.optimizer)
        name = momentum_name(optimizer)
        if name is None:
            compiled = getattr(optimizer, "momentum", None)
            has = "no momentum" if compiled is None else "`momentum=0.0`"
            warnings.warn(
                f"{type(self).__name__} cycles the learning rate only: "
                f"{type(optimizer).__name__} was made with {has}. Make it with "
                "one, such as `SGD(momentum=0.9)`, or pass "
                "`cycle_momentum=False`.",
                stacklevel=2,
            )
            return None
        return CycledMomentum(self.model, name)


def check_learning_rate_settable(optimizer: Any) -> None:
    """Raises `TypeError` if there is no one learning rate to be set.

    Args:
        optimizer: A compiled model's Keras optimizer.
    """
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        raise TypeError(
            "A MultiOptimizer has no learning rate of its own to set. Compile "
            "the model with one optimizer; `kerassent.LayerDecayAdamW` is one "
            "that trains lower layers more slowly."
        )
    rate = getattr(inner_optimizer(optimizer), "_learning_rate", None)
    if not isinstance(rate, keras.Variable):
        raise TypeError(
            "The optimizer's learning rate is a schedule, which a callback "
            f"cannot set. Received: {rate or optimizer!r}. Compile the "
            "model with a number, such as `learning_rate=1e-3`; the callback "
            "does the scheduling."
        )


def check_momenta(base_momentum: float, max_momentum: float) -> None:
    """Raises `ValueError` unless 0 <= base <= max < 1.

    Args:
        base_momentum: The least momentum of a cycle.
        max_momentum: The largest.
    """
    if not 0 <= base_momentum <= max_momentum < 1:
        raise ValueError(
            "`base_momentum` must be from 0 to `max_momentum`, and that below "
            f"1. Received: base_momentum={base_momentum}, "
            f"max_momentum={max_momentum}"
        )
