"""The 1cycle policy as a Keras callback."""

from kerassent.arguments import check_positive
from kerassent.callbacks.step_schedule import (
    StepSchedule,
    check_momenta,
)
from kerassent.schedules import Anneal, one_cycle, one_cycle_momentum


class OneCycle(StepSchedule):
    """Sets learning rate and momentum of each step by the 1cycle policy.

    The rate rises for `pct_start` of the steps and falls for the rest, far
    below where it started; the momentum does the opposite. One `fit` is one
    cycle; the next `fit` is a new one, and `initial_epoch` goes on in the
    middle of one. Afterwards the momentum is again what the optimizer was made
    with, and the learning rate stays where the cycle ended.

    Args:
        max_lr: The peak, as `LRCurve.suggestion` gives it. Above 0.
        pct_start: The share of steps in which the rate rises, 0 to 1.
        div_factor: `max_lr` over the first rate.
        final_div_factor: The first rate over the last.
        anneal: The form of each phase, `"cos"` or `"linear"`.
        three_phase: Whether the rate falls back to the first rate, in as many
            steps as it rose, before it falls to the last.
        cycle_momentum: Whether the momentum is cycled: `beta_1` of Adam, AdamW,
            Nadam, Lamb and their like, `momentum` of SGD and RMSprop.
        base_momentum: The momentum at the peak of the learning rate.
        max_momentum: The momentum at both ends; below 1.

    Raises:
        ValueError: An argument is out of its range; or, when `fit` starts,
            the number of steps is unknown.
        TypeError: A rate or a factor is no number; or, when `fit` starts, the
            optimizer has a schedule of its own.

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
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
    ) -> None:
        super().__init__(cycle_momentum=cycle_momentum)
        check_positive(
            max_lr=max_lr,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
        )
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
        check_momenta(base_momentum, max_momentum)
        self.max_lr = max_lr
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.anneal: Anneal = anneal
        self.three_phase = three_phase
        self.base_momentum = base_momentum
        self.max_momentum = max_momentum

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

    def momentum(self, step: float) -> float:
        """Returns the momentum of a step of the cycle that `fit` began.

        Args:
            step: From 0 to `total_steps - 1`.
        """
        return one_cycle_momentum(
            step,
            self.total_steps,
            base_momentum=self.base_momentum,
            max_momentum=self.max_momentum,
            pct_start=self.pct_start,
            anneal=self.anneal,
            three_phase=self.three_phase,
        )
