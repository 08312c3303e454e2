"""What the callbacks cost, beside the steps of a MiniLM that they drive.

Run it when the callbacks or Keras change, on a machine that does nothing else:

    python tools/bench/callbacks.py [--steps 100] [--sequence-length 64]

It trains `minilm_l6_en_uncased` on made-up token ids, so that nothing but the
step is timed. `OneCycle` with its momentum is measured by its own hooks, which
is exact where a difference of two noisy runs is not; `find_lr` is compared with
a plain `fit` of as many steps, in turns, both after tracing. The last line is
one JSON object with the seconds and ratios.
"""

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerassent as ks


class TimedOneCycle(ks.OneCycle):
    """A 1cycle that knows how long it took for each step."""

    def __init__(self, max_lr: float) -> None:
        super().__init__(max_lr)
        self.seconds: list[float] = []
        self.steps: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Times the setting of rate and momentum."""
        started = time.perf_counter()
        super().on_train_batch_begin(batch, logs)
        self._ended = time.perf_counter()
        self._took = self._ended - started

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Times the logging; the time between was the step's."""
        started = time.perf_counter()
        super().on_train_batch_end(batch, logs)
        self.steps.append(started - self._ended)
        self.seconds.append(self._took + time.perf_counter() - started)


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--sequence-length", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weights", help="A local file of the preset's.")
    options = parser.parse_args()
    print(json.dumps(measured(options)))


def measured(options: argparse.Namespace) -> dict[str, object]:
    """Returns the figures."""
    classifier = ks.SentimentClassifier.from_preset(
        "minilm_l6_en_uncased",
        class_names=["neg", "pos"],
        sequence_length=options.sequence_length,
        weights=options.weights,
    )
    classifier.preprocessor = None
    classifier.compile(
        ks.LayerDecayAdamW(1e-5, layer_decay=1.0, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    dataset = batches(options)

    def fit(*callbacks: Any) -> float:
        started = time.perf_counter()
        classifier.fit(
            dataset, callbacks=list(callbacks), verbose=0, shuffle=False
        )
        return time.perf_counter() - started

    def find() -> float:
        started = time.perf_counter()
        with warnings.catch_warnings():
            # Labels by chance are learned by no rate.
            warnings.simplefilter("ignore")
            curve = ks.find_lr(
                classifier,
                dataset,
                num_steps=options.steps,
                end_lr=1e-5,
                stop_factor=1e9,
            )
        if len(curve.losses) != options.steps:
            raise RuntimeError(f"find_lr made {len(curve.losses)} steps.")
        return time.perf_counter() - started

    classifier.fit(dataset.take(2), verbose=0, shuffle=False)
    say("traced")
    fits, finds = [], []
    for _ in range(options.repeats):
        fits.append(fit())
        finds.append(find())
        say(f"fit {fits[-1]:.1f} s, find_lr {finds[-1]:.1f} s")
    cycle = TimedOneCycle(1e-5)
    fit(cycle)
    # The first steps are traced.
    hooks = statistics.median(cycle.seconds[5:])
    step = statistics.median(cycle.steps[5:])
    return {
        "steps": options.steps,
        "batch_size": options.batch_size,
        "sequence_length": options.sequence_length,
        "step_ms": round(1000 * step, 2),
        "one_cycle_ms": round(1000 * hooks, 3),
        "one_cycle_share": round(hooks / step, 5),
        "fit_seconds": [round(seconds, 2) for seconds in fits],
        "find_lr_seconds": [round(seconds, 2) for seconds in finds],
        # What else a machine does only ever adds.
        "find_lr_over_fit": round(min(finds) / min(fits), 3),
        "processor": platform.processor() or platform.machine(),
    }


def batches(options: argparse.Namespace) -> tf.data.Dataset:
    """Returns made-up batches of token ids, in memory, all of one shape."""
    rng = np.random.default_rng(0)
    shape = (options.steps * options.batch_size, options.sequence_length)
    tokens = rng.integers(1000, 30000, shape).astype("int32")
    inputs = {"token_ids": tokens, "padding_mask": np.ones(shape, bool)}
    labels = rng.integers(0, 2, len(tokens)).astype("int32")
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(
        options.batch_size, drop_remainder=True
    )


def say(text: str) -> None:
    """Tells whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
