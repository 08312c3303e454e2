import numpy as np
import pytest

from kerassent.path_points import path_points


@pytest.fixture(scope="module", params=[(4, 3), (12, 2), (6, 1)])
def rules(request):
    return *request.param, path_points(*request.param)


def test_polynomials_are_integrated_exactly(rules):
    intervals, num_rules, found = rules
    for rule in range(num_rules):
        for power in range((intervals << rule) + 1):
            integral = found.weights[rule] @ found.points**power
            assert integral == pytest.approx(1 / (power + 1), abs=1e-12)


def test_a_finer_rule_keeps_the_points_of_a_coarser(rules):
    intervals, num_rules, found = rules
    assert found.counts == tuple(
        (intervals << rule) + 1 for rule in range(num_rules)
    )
    assert found.points[:2].tolist() == [0, 1]
    assert len(set(found.points)) == len(found.points) == found.counts[-1]
    for rule, count in enumerate(found.counts):
        assert (found.weights[rule, :count] > 0).all()
        assert (found.weights[rule, count:] == 0).all()


def test_twice_the_points_are_far_more_exact(rules):
    _, num_rules, found = rules
    errors = [
        abs(
            found.weights[rule] @ np.exp(-9 * found.points) * 9 - 1 + np.exp(-9)
        )
        for rule in range(num_rules)
    ]
    assert all(b < a / 30 for a, b in zip(errors, errors[1:], strict=False))
