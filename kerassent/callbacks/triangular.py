"""Triangular cycles as a Keras callback."""

from kerassent.arguments import check_positive
from kerassent.callbacks.step_schedule import (
    StepSchedule,
    check_momenta,
)
from kerassent.schedules import triangular


class Triangular(StepSchedule):
    """Sets learning rate and momentum of each step by triangular cycles.

    In each cycle the rate goes in a line from `max_lr / div_factor` to `max_lr`
    and back, and the momentum from `max_momentum` to `base_momentum` and back.
    Good for training whose length is not known beforehand: any end of a cycle
    is a good one to stop at.

    Args:
        max_lr: The peak of the first cycle. Above 0.
        div_factor: `max_lr` over the rate where a cycle begins and ends; 1 or
            more.
        cycle_len: How many epochs a cycle has. Above 0; 0.5 is half an epoch.
        decay: How many times as high each cycle is as the one before, above 0,
            for momentum as well; 0.5 is Smith's `triangular2`.
        cycle_momentum: As in `OneCycle`.
        base_momentum: The momentum at the peak of the learning rate.
        max_momentum: The momentum where a cycle begins and ends; below 1.

    Raises:
        ValueError: As in `OneCycle`.
        TypeError: As in `OneCycle`.

    Example:
        ```python
        model.fit(dataset, epochs=8, callbacks=[Triangular(1e-3, cycle_len=2)])
        ```

    Reference:
        [Smith, 2015](https://arxiv.org/abs/1506.01186).
    """

    def __init__(
        self,
        max_lr: float,
        *,
        div_factor: float = 10.0,
        cycle_len: float = 1,
        decay: float = 1.0,
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
    ) -> None:
        super().__init__(cycle_momentum=cycle_momentum)
        check_positive(max_lr=max_lr, cycle_len=cycle_len, decay=decay)
        if not div_factor >= 1:
            raise ValueError(
                f"`div_factor` must be 1 or more. Received: {div_factor}"
            )
        check_momenta(base_momentum, max_momentum)
        self.max_lr = max_lr
        self.div_factor = div_factor
        self.cycle_len = cycle_len
        self.decay = decay
        self.base_momentum = base_momentum
        self.max_momentum = max_momentum

    def learning_rate(self, step: float) -> float:
        """Returns the rate of a step.

        Args:
            step: From 0 on.
        """
        return triangular(
            step,
            self.cycle_len * self.steps_per_epoch,
            base=self.max_lr / self.div_factor,
            peak=self.max_lr,
            decay=self.decay,
        )

    def momentum(self, step: float) -> float:
        """Returns the momentum of a step.

        Args:
            step: From 0 on.
        """
        return triangular(
            step,
            self.cycle_len * self.steps_per_epoch,
            base=self.max_momentum,
            peak=self.base_momentum,
            decay=self.decay,
        )
