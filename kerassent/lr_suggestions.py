"""What a curve of losses says about the learning rate: pure functions."""

import math

import numpy as np

# A fall must be this many times the noise of the smoothed losses. Of curves
# that are nothing but noise, about 1 in 40 fall as far as that
# (tests/test_lr_suggestions.py).
NOISE_FACTOR = 4.0
# Nobody sees a fall in the loss of less than one part in a hundred.
FLAT_FALL = 0.01


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
    """Returns the rate in the middle of the longest fall of the losses.

    The longest decreasing subsequence is the stretch in which a larger rate
    helps. Its middle still falls and is far from where the loss diverges.

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


def steepest(learning_rates: np.ndarray, losses: np.ndarray) -> float:
    """Returns the rate at which the loss falls fastest.

    That is where the derivative of the loss by the log of the rate is least.

    Args:
        learning_rates: float `(num_steps,)`, increasing.
        losses: float `(num_steps,)`, smoothed.
    """
    slopes = np.gradient(losses, np.log(learning_rates))
    return float(learning_rates[slopes.argmin()])


def slide(
    learning_rates: np.ndarray,
    losses: np.ndarray,
    *,
    width: int = 15,
    threshold: float = 0.005,
) -> float:
    """Returns the largest rate before the loss begins to change quickly.

    A window of `width` steps slides down from the largest rate until the
    losses change about as fast at its left end as at its right.

    Args:
        learning_rates: float `(num_steps,)`, increasing.
        losses: float `(num_steps,)`, smoothed.
        width: How many steps the window has.
        threshold: How different the changes a step may be, in units of the
            loss.

    Reference:
        The `slide` suggestion of [fastai](https://docs.fast.ai), by Novetta.
    """
    changes = np.gradient(losses)
    right = len(losses) - 1
    left = found = right - width
    while left >= 0 and abs(changes[right] - changes[left]) > threshold:
        found = left
        right, left = right - 1, left - 1
    return float(learning_rates[max(found, 0)])


def minimum(learning_rates: np.ndarray, losses: np.ndarray) -> float:
    """Returns a tenth of the rate at which the loss is least.

    Args:
        learning_rates: float `(num_steps,)`, increasing.
        losses: float `(num_steps,)`, smoothed.
    """
    return float(learning_rates[losses.argmin()]) / 10


def doubt(
    losses: np.ndarray,
    smoothing: float,
    start: int = 0,
    stop: int | None = None,
) -> str | None:
    """Returns why a curve carries no suggestion; `None` if it carries one.

    Args:
        losses: float `(num_steps,)`, each step's own.
        smoothing: The weight of the past in the smoothed losses.
        start: The first step that suggestions look at.
        stop: The first step that they don't look at any more.
    """
    averages = smoothed(losses, smoothing)[start:stop]
    lowest = int(averages.argmin())
    until = losses[: start + lowest + 1]
    level = float(until[: start + lowest // 2 + 1].mean())
    fall = level - float(averages[lowest])
    flat = FLAT_FALL * abs(level)
    if fall <= 0 and averages[-1] - level > flat:
        return "the loss only rose: give a smaller `start_lr`"
    if fall <= flat:
        return (
            f"the curve is flat, the loss went from {level:.4g} to "
            f"{averages[lowest]:.4g} at best: give a larger `end_lr`, or look "
            "at the model and its labels"
        )
    # Neighbours differ by twice the variance of one; averaging lessens it.
    noise = math.sqrt(float(np.mean(np.diff(until) ** 2)) / 2)
    noise *= math.sqrt((1 - smoothing) / (1 + smoothing))
    if fall < NOISE_FACTOR * noise:
        return (
            f"the curve is too noisy, the loss fell by {fall:.2g} where chance "
            f"makes it go up and down by {noise:.2g}: give a larger "
            "`batch_size`, more `num_steps`, or more `smoothing`"
        )
    return None
