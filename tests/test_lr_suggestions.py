import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerassent.lr_suggestions import (
    doubt,
    minimum,
    slide,
    smoothed,
    steepest,
    valley,
)

RATES = np.geomspace(1e-6, 1.0, 100)
# Flat until step 30, a straight fall until step 70, then an explosion.
BROKEN_LINE = np.interp(np.arange(100), [0, 30, 70, 99], [2.0, 2.0, 1.0, 9.0])


def test_smoothing_corrects_its_start():
    assert smoothed(np.array([4.0, 4.0, 4.0]), 0.9) == pytest.approx([4, 4, 4])
    # (0.5 * 0.5 * 2 + 0.5 * 4) / (1 - 0.25)
    assert smoothed(np.array([2.0, 4.0]), 0.5)[1] == pytest.approx(10 / 3)
    assert smoothed(np.array([2.0, 4.0]), 0.0).tolist() == [2.0, 4.0]


def test_valley_is_the_middle_of_the_longest_fall():
    # The fall is the 41 points from 30 to 70: fastai's sections make it
    # 29 + int(41 / 3) + int(41 / 6).
    assert valley(RATES, BROKEN_LINE) == RATES[29 + 13 + 6]


def fastais_valley(losses):
    """The original, line by line; returns the index."""
    n = len(losses)
    max_start, max_end = 0, 0
    lds = [1] * n
    for i in range(1, n):
        for j in range(i):
            if (losses[i] < losses[j]) and (lds[i] < lds[j] + 1):
                lds[i] = lds[j] + 1
            if lds[max_end] < lds[i]:
                max_end = i
                max_start = max_end - lds[max_end]
    sections = (max_end - max_start) / 3
    return max_start + int(sections) + int(sections / 2)


@given(arrays(float, 25, elements=st.integers(0, 30).map(float)))
def test_valley_is_fastais(losses):
    # A fall from the very first point on makes the original count from the end.
    expected = max(fastais_valley(losses), 0)
    assert valley(np.arange(25.0), losses) == expected


def test_steepest_is_where_a_factor_of_the_rate_helps_most():
    # d loss / d ln rate of a logistic fall is least in its middle.
    losses = 1 / (1 + np.exp(np.log(RATES / 1e-3)))
    assert steepest(RATES, losses) == pytest.approx(1e-3, rel=0.08)
    # A linear range has steps of another size in ln rate.
    even = np.linspace(0.01, 1.0, 100)
    assert steepest(even, np.exp(-even)) == pytest.approx(1.0)


def fastais_slide(rates, losses, lr_diff=15, thresh=0.005):
    """The original, line by line, but for its return value."""
    loss_grad = np.gradient(losses)
    r_idx = -1
    l_idx = r_idx - lr_diff
    local_min_lr = rates[l_idx]
    while (l_idx >= -len(losses)) and (
        abs(loss_grad[r_idx] - loss_grad[l_idx]) > thresh
    ):
        local_min_lr = rates[l_idx]
        r_idx -= 1
        l_idx -= 1
    return local_min_lr


def test_slide_is_fastais():
    for losses in (BROKEN_LINE, smoothed(BROKEN_LINE, 0.9), 3 - BROKEN_LINE):
        assert slide(RATES, losses) == fastais_slide(RATES, losses)
    assert slide(RATES[:9], BROKEN_LINE[:9]) in RATES[:9]


@given(arrays(float, 40, elements=st.floats(0, 1)))
def test_slide_is_fastais_on_noise(losses):
    rates = np.arange(1.0, 41.0)
    assert slide(rates, losses) == fastais_slide(rates, losses)


def test_minimum_is_a_tenth_of_the_best_rate():
    assert minimum(RATES, BROKEN_LINE) == RATES[70] / 10


def noise(seed, num_steps=100):
    rng = np.random.default_rng(seed)
    return 1 + 0.05 * rng.normal(size=num_steps)


@pytest.mark.parametrize("num_steps", [60, 100, 200])
def test_noise_carries_a_suggestion_once_in_forty_times(num_steps):
    believed = sum(
        doubt(noise(seed, num_steps), 0.9, num_steps // 10, num_steps - 5)
        is None
        for seed in range(400)
    )
    assert 1 <= believed <= 20  # 10 would be one in forty


def test_a_fall_below_the_noise_is_doubted_and_one_above_it_is_not():
    # A smoothed value's noise is 0.05 * sqrt(0.1 / 1.9), about 0.011.
    fall = np.interp(np.arange(100), [0, 40, 80, 99], [0, 0, -1, -1])
    assert doubt(noise(3) + 0.02 * fall, 0.9).startswith(
        "the curve is too noisy, the loss fell by 0.0"
    )
    for seed in range(20):
        assert doubt(noise(seed) + 0.15 * fall, 0.9) is None


def test_a_flat_curve_is_doubted():
    flat = 0.7 - 0.004 * np.linspace(0, 1, 100)
    assert doubt(flat, 0.9).startswith(
        "the curve is flat, the loss went from 0.69"
    )


def test_a_loss_that_only_rose_is_doubted():
    message = "the loss only rose: give a smaller `start_lr`"
    assert doubt(np.linspace(1, 5, 60), 0.9) == message
    assert "is flat" in doubt(np.linspace(1, 1.001, 60), 0.9)
    assert "is flat" in doubt(np.zeros(60), 0.9)


def test_a_clear_curve_is_not_doubted():
    assert doubt(BROKEN_LINE, 0.9, 10, 95) is None
    assert doubt(BROKEN_LINE - 5.0, 0.9, 10, 95) is None  # below zero, too
