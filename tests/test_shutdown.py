import subprocess
import sys

from kerassent.shutdown import until_shutdown

# The thread that draws ahead is in the generator at nearly any time.
PROGRAM = """
import time

import numpy as np
import tensorflow as tf

from kerassent.shutdown import until_shutdown


def slow():
    while True:
        began = time.monotonic()
        while time.monotonic() - began < 0.02:
            pass
        yield np.zeros(1, np.int32)


def fit():
    rows = iter(dataset)
    next(rows)
    raise RuntimeError("the disk is full")


spec = tf.TensorSpec([None], tf.int32)
dataset = tf.data.Dataset.from_generator(
    lambda: until_shutdown(slow()), output_signature=spec
).prefetch(1_000_000)
fit()
"""


def test_all_items_come_in_their_order():
    assert list(until_shutdown(iter("abc"))) == ["a", "b", "c"]


def test_a_process_that_failed_within_an_epoch_ends():
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 1
    assert "RuntimeError: the disk is full" in ended.stderr
