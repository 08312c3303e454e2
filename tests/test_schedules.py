import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerassent.schedules import (
    exponential,
    linear,
    one_cycle,
    one_cycle_momentum,
    sgdr,
    triangular,
    warmup_decay,
)

TORCH = json.loads(
    pathlib.Path(__file__)
    .with_name("schedules_of_torch.json")
    .read_text("utf-8")
)["cases"]


def of_torch(scheduler):
    """Torch's arguments, and the learning rate and momentum of each step."""
    cases = [case for case in TORCH if case["scheduler"] == scheduler]
    return pytest.mark.parametrize(
        "arguments, rates, momenta",
        [
            (case["arguments"], case["learning_rates"], case["momenta"])
            for case in cases
        ],
    )


def close(values):
    return pytest.approx(values, rel=1e-7, abs=1e-12)


@of_torch("OneCycleLR")
def test_one_cycle_is_torchs(arguments, rates, momenta):
    arguments = dict(arguments)
    total = arguments.pop("total_steps")
    phases = {
        "pct_start": arguments.pop("pct_start", 0.3),
        "anneal": arguments.pop("anneal_strategy", "cos"),
        "three_phase": arguments.pop("three_phase", False),
    }
    cycled = {
        name: arguments.pop(name)
        for name in ("base_momentum", "max_momentum")
        if name in arguments
    }
    assert [
        one_cycle(s, total, **arguments, **phases) for s in range(total)
    ] == close(rates)
    assert [
        one_cycle_momentum(s, total, **cycled, **phases) for s in range(total)
    ] == close(momenta)


@of_torch("CosineAnnealingWarmRestarts")
def test_sgdr_is_torchs(arguments, rates, momenta):
    assert [
        sgdr(
            s,
            arguments["T_0"],
            max_lr=0.1,
            min_lr=arguments.get("eta_min", 0.0),
            cycle_mult=arguments.get("T_mult", 1),
        )
        for s in range(len(rates))
    ] == close(rates)


@of_torch("CyclicLR")
def test_triangular_is_torchs(arguments, rates, momenta):
    cycle = 2 * arguments["step_size_up"]
    decay = 0.5 if arguments.get("mode") == "triangular2" else 1.0
    assert [
        triangular(
            s,
            cycle,
            base=arguments["base_lr"],
            peak=arguments["max_lr"],
            decay=decay,
        )
        for s in range(len(rates))
    ] == close(rates)
    assert [
        triangular(
            s,
            cycle,
            base=arguments.get("max_momentum", 0.9),
            peak=arguments.get("base_momentum", 0.8),
            decay=decay,
        )
        for s in range(len(rates))
    ] == close(momenta)


def test_final_learning_rate_is_max_lr_over_both_factors():
    last = one_cycle(
        49, 50, max_lr=1.0, div_factor=10.0, final_div_factor=100.0
    )
    assert last == pytest.approx(1e-3)


def test_ktrains_cycle_is_the_linear_one_with_its_factors():
    """Up from a tenth in the first half, then down to a thousandth."""
    found = [
        one_cycle(
            s,
            100,
            max_lr=1.0,
            pct_start=0.5,
            div_factor=10.0,
            final_div_factor=100.0,
            anneal="linear",
        )
        for s in (0, 49, 99)
    ]
    assert found == pytest.approx([0.1, 1.0, 0.001])


@given(
    total_steps=st.integers(1, 300),
    pct_start=st.floats(0, 0.5),
    anneal=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_one_cycle_stays_within_its_limits(
    total_steps, pct_start, anneal, three_phase
):
    phases = {
        "pct_start": pct_start,
        "anneal": anneal,
        "three_phase": three_phase,
    }
    steps = range(-1, total_steps + 2)
    rates = [one_cycle(s, total_steps, max_lr=2.0, **phases) for s in steps]
    momenta = [one_cycle_momentum(s, total_steps, **phases) for s in steps]
    # All but clipping: rounding may overstep by an ulp.
    assert min(rates) >= 2.0 / 25 / 1e4 * (1 - 1e-9)
    assert max(rates) <= 2.0 * (1 + 1e-9)
    assert min(momenta) >= 0.85 - 1e-9
    assert max(momenta) <= 0.95 + 1e-9


def test_sgdr_begins_each_cycle_lower_by_decay():
    found = [
        sgdr(s, 2.5, max_lr=1.0, min_lr=0.2, decay=0.5) for s in (0, 5, 10)
    ]
    assert found == pytest.approx([1.0, 0.25, 0.0625])
    half = sgdr(1.25, 2.5, max_lr=1.0, min_lr=0.2)
    assert half == pytest.approx(0.6)


def test_warm_up_and_decay_are_berts():
    def rates(**kwargs):
        return [
            warmup_decay(s, 100, max_lr=1.0, warmup=0.2, **kwargs)
            for s in (0, 10, 20, 60, 100, 120)
        ]

    assert rates() == pytest.approx([0, 0.5, 1, 0.5, 0, 0])
    assert rates(decay="cos") == pytest.approx([0, 0.5, 1, 0.5, 0, 0])
    quarter = warmup_decay(40, 100, max_lr=1.0, warmup=0.2, decay="cos")
    assert quarter == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert warmup_decay(0, 10, max_lr=3.0, warmup=0.0) == 3.0


def test_exponential_is_geometric_and_linear_is_not():
    found = [exponential(s, 5, 1e-4, 1.0) for s in range(5)]
    assert found == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    found = [linear(s, 5, 1.0, 3.0) for s in range(5)]
    assert found == pytest.approx(np.linspace(1, 3, 5))
