"""A linear warm-up and a fall to 0, as a Keras callback."""

from kerassent.arguments import check_positive
from kerassent.callbacks.step_schedule import StepSchedule
from kerassent.schedules import Anneal, warmup_decay


class WarmupDecay(StepSchedule):
    """Sets the learning rate of each step by BERT's schedule.

    It rises from 0 to `max_lr` in a line and falls to 0. Beside Keras's own
    `LearningRateSchedule`s it needs no number of steps, which it learns from
    `fit`, and the optimizer's rate stays settable.

    Args:
        max_lr: The peak. Above 0.
        warmup: The share of steps in which the rate rises, 0 to below 1.
        decay: The form of the fall, `"linear"` or `"cos"`.

    Raises:
        ValueError: An argument is out of its range; or, when `fit` starts,
            the number of steps is unknown.
        TypeError: A rate or a factor is no number; or, when `fit` starts, the
            optimizer has a schedule of its own.

    Example:
        ```python
        model.fit(dataset, epochs=3, callbacks=[WarmupDecay(2e-5)])
        ```

    Reference:
        [Devlin et al., 2018](https://arxiv.org/abs/1810.04805).
    """

    def __init__(
        self, max_lr: float, *, warmup: float = 0.1, decay: Anneal = "linear"
    ) -> None:
        super().__init__()
        check_positive(max_lr=max_lr)
        if not 0 <= warmup < 1:
            raise ValueError(
                f"`warmup` must be from 0 to below 1. Received: {warmup}"
            )
        if decay not in ("cos", "linear"):
            raise ValueError(
                f"`decay` must be 'cos' or 'linear'. Received: {decay!r}"
            )
        self.max_lr = max_lr
        self.warmup = warmup
        self.decay: Anneal = decay

    def learning_rate(self, step: float) -> float:
        """Returns the rate of a step.

        Args:
            step: From 0 to `total_steps - 1`.
        """
        return warmup_decay(
            step,
            self.total_steps,
            max_lr=self.max_lr,
            warmup=self.warmup,
            decay=self.decay,
        )
