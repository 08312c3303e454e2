"""Where a path is looked at so that an integral over it comes out right.

Clenshaw and Curtis's rule: its points are Chebyshev's, and those of a coarse
rule are among those of a finer one, so that nothing is looked at twice.
"""

from typing import NamedTuple

import numpy as np


class PathPoints(NamedTuple):
    """The points of several rules, each with twice the intervals of the last.

    Args:
        points: float64 `(num_points,)` from 0 to 1: both ends, then the other
            points of the first rule, then those that each rule adds.
        counts: How many of them each rule has.
        weights: float64 `(num_rules, num_points)`: what each rule weighs a
            point by; 0 where it doesn't have it.
    """

    points: np.ndarray
    counts: tuple[int, ...]
    weights: np.ndarray


def path_points(intervals: int, num_rules: int) -> PathPoints:
    """Returns the points and weights of rules.

    Args:
        intervals: How many the first rule has; even.
        num_rules: How many rules there are.

    Reference:
        [Clenshaw and Curtis, 1960](https://doi.org/10.1007/BF01386223).
    """
    finest = intervals << (num_rules - 1)
    order = [0, finest]  # in steps of the finest rule
    counts, weights = [], np.zeros((num_rules, finest + 1))
    for rule in range(num_rules):
        stride = finest // (intervals << rule)
        order += [k for k in range(0, finest + 1, stride) if k not in order]
        counts.append(len(order))
        weights[rule, ::stride] = _weights(intervals << rule)
    points = (1 - np.cos(np.pi * np.arange(finest + 1) / finest)) / 2
    return PathPoints(points[order], tuple(counts), weights[:, order])


def _weights(intervals: int) -> np.ndarray:
    """Returns Clenshaw and Curtis's weights for an integral from 0 to 1."""
    j = np.arange(1, intervals // 2 + 1)
    factor = np.where(j == intervals // 2, 1, 2) / (4 * j**2 - 1)
    angle = 2 * np.pi * np.outer(np.arange(intervals + 1), j) / intervals
    weights = (1 - np.cos(angle) @ factor) / intervals
    weights[[0, -1]] /= 2
    return weights
