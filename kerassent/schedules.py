"""Learning rates and momenta as pure functions of the step: no Keras here."""

import math
from typing import Literal

Anneal = Literal["cos", "linear"]


def one_cycle(
    step: float,
    total_steps: int,
    *,
    max_lr: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: Anneal = "cos",
    three_phase: bool = False,
) -> float:
    """Returns the learning rate of a step of the 1cycle policy.

    It rises from `max_lr / div_factor` to `max_lr`, which it reaches at step
    `pct_start * total_steps - 1`, and falls to
    `max_lr / div_factor / final_div_factor` at the last step. With
    `three_phase` it first falls back to `max_lr / div_factor`, in as many
    steps as it rose.

    Args:
        step: The step, from 0 to `total_steps - 1`; outside it is clipped.
        total_steps: How many steps the cycle has.
        max_lr: The peak.
        pct_start: The share of steps in which the rate rises, 0 to 1.
        div_factor: The peak over the first rate.
        final_div_factor: The first rate over the last.
        anneal: The form of each phase, `"cos"` or `"linear"`.
        three_phase: Whether the fall has two parts.

    Reference:
        [Smith, 2018](https://arxiv.org/abs/1803.09820), in the form of
        `torch.optim.lr_scheduler.OneCycleLR`.
    """
    first = max_lr / div_factor
    levels = (first, max_lr, first, first / final_div_factor)
    return _in_phases(step, total_steps, levels, pct_start, anneal, three_phase)


def one_cycle_momentum(
    step: float,
    total_steps: int,
    *,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    pct_start: float = 0.3,
    anneal: Anneal = "cos",
    three_phase: bool = False,
) -> float:
    """Returns the momentum of a step of the 1cycle policy.

    It is `base_momentum` where the learning rate has its peak, and goes there
    from `max_momentum` and back again.

    Args:
        step: As in `one_cycle`.
        total_steps: As in `one_cycle`.
        base_momentum: The momentum at the peak of the learning rate.
        max_momentum: The momentum at both ends.
        pct_start: As in `one_cycle`.
        anneal: As in `one_cycle`.
        three_phase: As in `one_cycle`; the last phase keeps `max_momentum`.
    """
    levels = (max_momentum, base_momentum, max_momentum, max_momentum)
    return _in_phases(step, total_steps, levels, pct_start, anneal, three_phase)


def triangular(
    step: float,
    cycle_steps: float,
    *,
    base: float,
    peak: float,
    decay: float = 1.0,
) -> float:
    """Returns what goes in straight lines from `base` to `peak` and back.

    Args:
        step: The step, 0 or more.
        cycle_steps: How many steps make a cycle; the peak is in its middle.
        base: The value where a cycle begins and ends.
        peak: The first cycle's value in the middle. Below `base` for a
            momentum.
        decay: How many times as far from `base` each cycle's peak is as the
            one before's.

    Reference:
        [Smith, 2015](https://arxiv.org/abs/1506.01186): `triangular`, and
        `triangular2` with a decay of 0.5.
    """
    cycle, within = divmod(step, cycle_steps)
    height = 1.0 - abs(2.0 * within / cycle_steps - 1.0)
    return float(base + (peak - base) * height * decay**cycle)


def sgdr(
    step: float,
    cycle_steps: float,
    *,
    max_lr: float,
    min_lr: float = 0.0,
    cycle_mult: int = 1,
    decay: float = 1.0,
) -> float:
    """Returns the learning rate of stochastic gradient descent with restarts.

    Each cycle is half a cosine from its maximum towards `min_lr`:
    `min_lr + (max_lr - min_lr) * (1 + cos(pi * within / cycle_steps)) / 2`.

    Args:
        step: The step, 0 or more.
        cycle_steps: How many steps the first cycle has.
        max_lr: The first cycle's first rate.
        min_lr: What each cycle falls towards.
        cycle_mult: How many times as long each cycle is as the one before.
        decay: How many times as high each cycle begins as the one before.

    Reference:
        [Loshchilov and Hutter, 2016](https://arxiv.org/abs/1608.03983), in the
        form of `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
    """
    within = step
    if cycle_mult == 1:
        cycle, within = divmod(step, cycle_steps)
    else:
        cycle = 0
        while within >= cycle_steps:
            within -= cycle_steps
            cycle_steps *= cycle_mult
            cycle += 1
    highest: float = max_lr * decay**cycle
    return (
        min_lr
        + (highest - min_lr)
        * (1 + math.cos(math.pi * within / cycle_steps))
        / 2
    )


def warmup_decay(
    step: float,
    total_steps: int,
    *,
    max_lr: float,
    warmup: float = 0.1,
    decay: Anneal = "linear",
) -> float:
    """Returns the learning rate of a linear warm-up and a fall to 0.

    With `warmup_steps = warmup * total_steps` it is
    `max_lr * step / warmup_steps` before that step, so 0 at step 0, and after
    it falls so as to be 0 at step `total_steps`, the first that is not made.

    Args:
        step: The step, from 0 to `total_steps - 1`; outside it is clipped.
        total_steps: How many steps there are.
        max_lr: The peak.
        warmup: The share of steps in which the rate rises, 0 to below 1.
        decay: The form of the fall, `"linear"` or `"cos"`.

    Reference:
        [Devlin et al., 2018](https://arxiv.org/abs/1810.04805), whose fall is
        linear.
    """
    step = min(max(step, 0.0), total_steps)
    warmup_steps = warmup * total_steps
    if step < warmup_steps:
        return max_lr * step / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return _annealed(max_lr, 0.0, share, decay)


def exponential(
    step: float, total_steps: int, start: float, end: float
) -> float:
    """Returns `start` at step 0, `end` at the last step, geometric between.

    Args:
        step: The step, from 0 to `total_steps - 1`.
        total_steps: How many steps there are, 2 or more.
        start: The first value, above 0.
        end: The last value, above 0.
    """
    return float(start * (end / start) ** (step / (total_steps - 1)))


def linear(step: float, total_steps: int, start: float, end: float) -> float:
    """Returns `start` at step 0, `end` at the last step, on a line between.

    Args:
        step: The step, from 0 to `total_steps - 1`.
        total_steps: How many steps there are, 2 or more.
        start: The first value.
        end: The last value.
    """
    return start + (end - start) * step / (total_steps - 1)


def _in_phases(
    step: float,
    total_steps: int,
    levels: tuple[float, float, float, float],
    pct_start: float,
    anneal: Anneal,
    three_phase: bool,
) -> float:
    """Goes from level to level; two phases leave the third level out."""
    peak_at, end = pct_start * total_steps - 1, total_steps - 1
    knots = [(0.0, levels[0]), (peak_at, levels[1])]
    if three_phase:
        knots.append((2 * peak_at, levels[2]))
    knots.append((end, levels[3]))
    step = min(max(step, 0.0), end)
    for (x0, y0), (x1, y1) in zip(knots, knots[1:], strict=False):
        if step <= x1:
            share = (step - x0) / (x1 - x0) if x1 > x0 else 1.0
            return _annealed(y0, y1, share, anneal)
    return levels[3]


def _annealed(start: float, end: float, share: float, anneal: Anneal) -> float:
    if anneal == "cos":
        share = (1.0 - math.cos(math.pi * share)) / 2.0
    return start + (end - start) * share
