"""Schedules and curve reading as pure functions of numbers: no Keras here."""

import math
from typing import Literal

import numpy as np

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
    last = first / final_div_factor
    peak_at = pct_start * total_steps - 1
    end = total_steps - 1
    if three_phase:
        knots = [
            (0.0, first),
            (peak_at, max_lr),
            (2 * peak_at, first),
            (end, last),
        ]
    else:
        knots = [(0.0, first), (peak_at, max_lr), (end, last)]
    step = min(max(step, 0.0), end)
    for (x0, y0), (x1, y1) in zip(knots, knots[1:], strict=False):
        if step <= x1:
            share = (step - x0) / (x1 - x0) if x1 > x0 else 1.0
            if anneal == "cos":
                share = (1.0 - math.cos(math.pi * share)) / 2.0
            return y0 + (y1 - y0) * share
    return last


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


def smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """Returns the exponential moving average, corrected for its start.

    Args:
        values: float `(num_steps,)`.
        smoothing: The weight of the past, from 0 (none) to below 1.
    """
    averages = np.empty(len(values))
    average = 0.0
    for i, value in enumerate(values):
        average = smoothing * average + (1 - smoothing) * value
        averages[i] = average / (1 - smoothing ** (i + 1))
    return averages


def valley(learning_rates: np.ndarray, losses: np.ndarray) -> float:
    """Returns the rate two thirds down the longest fall of the losses.

    The longest decreasing subsequence is the stretch in which a larger rate
    helps. Its middle third still falls and is far from where it diverges.

    Args:
        learning_rates: float `(num_steps,)`, increasing.
        losses: float `(num_steps,)`, smoothed.

    Reference:
        The `valley` suggestion of [fastai](https://docs.fast.ai), by
        ESRI.
    """
    n = len(losses)
    lengths = np.ones(n, np.int64)
    for i in range(1, n):
        falls = lengths[:i][losses[:i] > losses[i]]
        if len(falls):
            lengths[i] = falls.max() + 1
    end = int(lengths.argmax())
    start = end - int(lengths[end])
    third = (end - start) / 3
    index = start + int(third) + int(third / 2)
    return float(learning_rates[max(index, 0)])
