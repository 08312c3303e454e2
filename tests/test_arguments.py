"""What arguments are refused at the door, of all that take such numbers."""

import math

import numpy as np
import pytest

from kerassent.arguments import check_counts, check_positive, check_seed
from kerassent.callbacks.lr_finder import LRFinder
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.sgdr import SGDR
from kerassent.callbacks.triangular import Triangular
from kerassent.callbacks.warmup_decay import WarmupDecay
from kerassent.scoring.ray_engine import score_dataset
from kerassent.server.listening import check_ports


def test_counts_are_whole_numbers_from_1():
    check_counts(epochs=1, batch_size=np.int64(8), keep=None)
    for wrong in (True, 2.0, "2", math.nan, [1]):
        with pytest.raises(TypeError, match="`epochs` must be a whole number"):
            check_counts(epochs=wrong)
    for low in (0, -1):
        with pytest.raises(ValueError, match=f"1 or more. Received: {low}"):
            check_counts(epochs=low)


def test_positive_numbers_are_finite():
    check_positive(max_lr=3e-5, factor=2, decay=np.float32(0.5))
    for wrong in (True, None, "1e-3", [1e-3]):
        with pytest.raises(TypeError, match="`max_lr` must be a number above"):
            check_positive(max_lr=wrong)
    for out in (0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"above 0 and .*: {out}"):
            check_positive(max_lr=out)


def test_seeds_have_32_bits():
    check_seed(0)
    check_seed(np.uint32(2**32 - 1))
    for wrong in (True, 1.0, None, "1"):
        with pytest.raises(TypeError, match="`seed` must be a whole number"):
            check_seed(wrong)
    for out in (-1, 2**32):
        with pytest.raises(ValueError, match=f"from 0 to .*Received: {out}"):
            check_seed(out)


@pytest.mark.parametrize(
    "schedule", [OneCycle, SGDR, Triangular, WarmupDecay, LRFinder]
)
def test_a_schedule_refuses_a_rate_that_is_none(schedule):
    for wrong in ("1e-3", None):
        with pytest.raises(TypeError, match="_lr` must be a number above 0"):
            schedule(wrong)
    with pytest.raises(ValueError, match="_lr` must be above 0 and finite"):
        schedule(math.inf)


@pytest.mark.parametrize("option", ["workers", "batch_size", "chunk_rows"])
def test_ray_is_not_started_with_a_wrong_number(option):
    with pytest.raises(ValueError, match=f"`{option}` must be 1 or more"):
        score_dataset("run", "in", "out", **{option: 0})


@pytest.mark.parametrize("port", ["8500", 8500.0, True])
def test_a_port_is_an_integer(port):
    with pytest.raises(TypeError, match="`rest_api_port` must be an integer"):
        check_ports("127.0.0.1", 0, port)
