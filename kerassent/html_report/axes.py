"""A chart's axes: a range, and the round numbers in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Axis:
    """A range of numbers, and which of them are written.

    Args:
        label: What the numbers are.
        low: The first.
        high: The last, larger than the first.
        ticks: Numbers, and how they are written.
        log: Whether equal ways are equal ratios.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, values: np.ndarray) -> np.ndarray:
        """Returns how far along the axis values are: 0 at `low`, 1 at `high`.

        Args:
            values: Any numbers; those outside are below 0 or above 1.
        """
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log(values), math.log(low), math.log(high)
        share: np.ndarray = (values - low) / (high - low)
        return share


def linear_axis(label: str, low: float, high: float) -> Axis:
    """Returns an axis with about five round numbers.

    Args:
        label: What the numbers are.
        low: The first.
        high: The last.
    """
    from matplotlib.ticker import MaxNLocator

    if not high > low:
        low, high = low - 0.5, low + 0.5
    found = np.array(
        MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    )
    room = 1e-9 * (high - low)
    ticks = [t for t in found.tolist() if low - room <= t <= high + room]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, digits) != round(step, digits + 2):
        digits += 1  # 0.25
    return Axis(
        label, low, high, tuple((t, f"{t + 0.0:,.{digits}f}") for t in ticks)
    )


def log_axis(label: str, low: float, high: float) -> Axis:
    """Returns a logarithmic axis with powers of ten.

    Args:
        label: What the numbers are.
        low: The first, above 0.
        high: The last.
    """
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = tuple((10.0**power, f"1e{power}") for power in powers)
    return Axis(label, low, high, ticks, log=True)


def named_axis(label: str, names: Sequence[str]) -> Axis:
    """Returns an axis of things: the first at 0, the second at 1.

    Args:
        label: What the things are.
        names: At least one.
    """
    return Axis(label, -0.5, len(names) - 0.5, tuple(enumerate(names)))


def share_axis(label: str) -> Axis:
    """Returns an axis from 0 to 1, written in percent.

    Args:
        label: What the shares are, with a "%".
    """
    ticks = tuple((t / 4, f"{25 * t}") for t in range(5))
    return Axis(label, 0.0, 1.0, ticks)
