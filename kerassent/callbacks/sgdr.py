"""Cosine annealing with warm restarts as a Keras callback."""

from kerassent.arguments import check_positive
from kerassent.callbacks.step_schedule import StepSchedule
from kerassent.schedules import sgdr


class SGDR(StepSchedule):
    """Sets the learning rate of each step by cosine cycles with restarts.

    In each cycle the rate falls from its maximum towards `min_lr` as half a
    cosine, then jumps up. The momentum stays as it is.

    Args:
        max_lr: The first cycle's first rate. Above 0.
        cycle_len: How many epochs the first cycle has. Above 0.
        cycle_mult: How many times as long each cycle is as the one before; a
            whole number, 1 or more.
        decay: How many times as high each cycle begins as the one before.
            Above 0.
        min_lr: What each cycle falls towards; from 0 to below `max_lr`.

    Raises:
        ValueError: An argument is out of its range; or, when `fit` starts,
            the number of steps is unknown.
        TypeError: A rate or a factor is no number; or, when `fit` starts, the
            optimizer has a schedule of its own.

    Example:
        Cycles of 1, 2 and 4 epochs:

        ```python
        model.fit(dataset, epochs=7, callbacks=[SGDR(1e-3, cycle_mult=2)])
        ```

    Reference:
        [Loshchilov and Hutter, 2016](https://arxiv.org/abs/1608.03983).
    """

    def __init__(
        self,
        max_lr: float,
        *,
        cycle_len: float = 1,
        cycle_mult: int = 1,
        decay: float = 1.0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        check_positive(max_lr=max_lr, cycle_len=cycle_len, decay=decay)
        if not isinstance(cycle_mult, int) or cycle_mult < 1:
            raise ValueError(
                "`cycle_mult` must be a whole number, 1 or more. "
                f"Received: {cycle_mult}"
            )
        if not 0 <= min_lr < max_lr:
            raise ValueError(
                "`min_lr` must be from 0 to below `max_lr`. Received: "
                f"min_lr={min_lr}, max_lr={max_lr}"
            )
        self.max_lr = max_lr
        self.cycle_len = cycle_len
        self.cycle_mult = cycle_mult
        self.decay = decay
        self.min_lr = min_lr

    def learning_rate(self, step: float) -> float:
        """Returns the rate of a step.

        Args:
            step: From 0 on.
        """
        return sgdr(
            step,
            self.cycle_len * self.steps_per_epoch,
            max_lr=self.max_lr,
            min_lr=self.min_lr,
            cycle_mult=self.cycle_mult,
            decay=self.decay,
        )
