import math

import numpy as np
import pytest

from kerassent.schedules import exponential, one_cycle, smoothed, valley


def rates(total_steps, **kwargs):
    return [one_cycle(s, total_steps, **kwargs) for s in range(total_steps)]


def test_one_cycle_starts_peaks_and_ends_where_torch_does():
    found = rates(100, max_lr=0.5)
    assert found[0] == pytest.approx(0.5 / 25)
    assert found[29] == pytest.approx(0.5)
    assert found[99] == pytest.approx(0.5 / 25 / 1e4)


def test_final_learning_rate_is_max_lr_over_both_factors():
    found = rates(50, max_lr=1.0, div_factor=10.0, final_div_factor=100.0)
    assert found[-1] == pytest.approx(1e-3)


def test_one_cycle_is_half_a_cosine_on_each_side():
    found = rates(101, max_lr=1.0, div_factor=10.0, final_div_factor=10.0)
    peak = 0.3 * 101 - 1
    up = 0.1 + 0.9 * (1 - math.cos(math.pi * 10 / peak)) / 2
    down = (
        0.01 + 0.99 * (1 + math.cos(math.pi * (60 - peak) / (100 - peak))) / 2
    )
    assert found[10] == pytest.approx(up)
    assert found[60] == pytest.approx(down)


def test_linear_anneal_is_halfway_in_the_middle_of_a_phase():
    found = one_cycle(
        19.5, 80, max_lr=1.0, pct_start=0.5, div_factor=5.0, anneal="linear"
    )
    assert found == pytest.approx((0.2 + 1.0) / 2)


def test_three_phases_pass_the_first_rate_again():
    found = rates(100, max_lr=1.0, three_phase=True, anneal="linear")
    assert found[29] == pytest.approx(1.0)
    assert one_cycle(
        58, 100, max_lr=1.0, three_phase=True, anneal="linear"
    ) == pytest.approx(1 / 25)
    assert found[99] == pytest.approx(1 / 25 / 1e4)
    assert np.all(np.diff(found[29:]) < 0)


@pytest.mark.parametrize("total_steps", [1, 2, 3])
def test_one_cycle_survives_a_few_steps(total_steps):
    assert all(0 < rate <= 1.0 for rate in rates(total_steps, max_lr=1.0))


def test_exponential_is_geometric():
    found = [exponential(s, 5, 1e-4, 1.0) for s in range(5)]
    assert found == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_smoothing_corrects_its_start():
    assert smoothed(np.array([4.0, 4.0, 4.0]), 0.9) == pytest.approx([4, 4, 4])
    # (0.5 * 0.5 * 2 + 0.5 * 4) / (1 - 0.25)
    assert smoothed(np.array([2.0, 4.0]), 0.5)[1] == pytest.approx(10 / 3)


def test_valley_lies_in_the_middle_of_the_longest_fall():
    rate = np.arange(1.0, 31.0)
    loss = np.concatenate([np.full(6, 9.0), 9 - np.arange(12.0), [0, 5] * 6])
    # The fall is the 12 or 13 points from index 5 or 6: its middle is 11.
    assert 10 <= valley(rate, loss) - 1 <= 12
