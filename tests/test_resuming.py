"""Runs that are killed, and go on as if they had not been."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from kerassent.classifier import SentimentClassifier
from kerassent.run_record import read_info, read_settings
from kerassent.training import train

# Imports TensorFlow once, and forks a process for each run.
PROGRAM = """
    import json, os, sys
    import kerassent.training
    from kerassent.reviews import Reviews

    for line in sys.stdin:
        texts, labels, output, options = json.loads(line)
        child = os.fork()
        if not child:
            kerassent.training.train(
                Reviews(texts, labels), output, **options, verbose=0
            )
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
EPOCHS, STEPS = 12, 36
OPTIONS = {
    "epochs": EPOCHS,
    "batch_size": 4,
    "max_lr": 3e-3,
    "checkpoint_steps": 5,
    "ema": 0.9,
    "class_weight": "balanced",
    "early_stopping": 50,
    "deterministic": True,
}


# This process is to stay as it is.
SAME = OPTIONS | {"resume": True}


@pytest.fixture(scope="module", autouse=True)
def no_determinism_afterwards():
    """Ends what `deterministic` asks of this process, for other tests."""
    yield
    # TensorFlow has no public name for it.
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()


class Runs:
    """Starts runs in other processes."""

    def __init__(self, rows, preset):
        self._texts, self._labels = zip(*rows, strict=True)
        self._preset = str(preset)
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, output, **options):
        """Returns the number of the process."""
        options = OPTIONS | options | {"preset": self._preset}
        line = json.dumps([self._texts, self._labels, str(output), options])
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def result(self):
        """Returns the exit code of what was started."""
        return int(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def runs(easy_rows, tiny_preset):
    runs = Runs(easy_rows, tiny_preset)
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def whole(runs, tmp_path_factory):
    """The directory of a run that nothing happened to."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    runs.start(directory)
    assert runs.result() == 0
    return directory


def newest(checkpoints):
    """Returns the number of the newest checkpoint's step, -1 for none."""
    names = [path.stem for path in checkpoints.glob("step-*.npz")]
    return max((int(name.removeprefix("step-")) for name in names), default=-1)


@pytest.mark.timeout(600)
def test_a_run_killed_ten_times_ends_as_one_that_was_not(runs, whole, tmp_path):
    draw = random.Random(os.environ.get("KERASSENT_KILLS", "7"))
    output = tmp_path / "killed"
    checkpoints = tmp_path / "killed.partial" / "checkpoints"
    kills = []
    for i in range(10):
        before = newest(checkpoints)
        child = runs.start(output, resume=i > 0)
        if i % 3 == 2:  # at any moment of the start
            time.sleep(draw.uniform(0, 3))
        else:  # at any moment after it has come some steps further
            deadline = time.monotonic() + 120
            target = before + draw.randrange(1, 40)
            while newest(checkpoints) < target:
                assert time.monotonic() < deadline
                assert not output.exists(), "it ended before it was killed"
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert runs.result() == -signal.SIGKILL
        kills.append(newest(checkpoints))
    assert len(set(kills)) >= 6, kills
    assert kills[-1] < EPOCHS * STEPS
    runs.start(output, resume=True)
    assert runs.result() == 0
    one, other = (
        SentimentClassifier.from_preset(run) for run in (output, whole)
    )
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs, mine.path)
    assert history_of(output) == history_of(whole)
    mine, theirs = read_info(output), read_info(whole)
    assert mine["valid"] == theirs["valid"]
    assert sorted(p.name for p in output.iterdir()) == sorted(
        p.name for p in whole.iterdir()
    )
    assert not output.with_name("killed.partial").exists()


def history_of(run):
    """Returns the rows without what depends on the machine's load."""
    header, *rows = (
        line.split(",") for line in (run / "history.csv").read_text().split()
    )
    kept = [i for i, name in enumerate(header) if "per_second" not in name]
    return [[row[i] for i in kept] for row in (header, *rows)]


def test_a_finished_run_is_returned_as_it_is(
    whole, easy_reviews, tiny_preset, caplog
):
    caplog.set_level("INFO", "kerassent")
    written = (whole / "train.json").read_bytes()
    options = SAME | {"preset": str(tiny_preset)}
    again = train(easy_reviews, whole, **options)
    assert f"{whole} is finished already" in caplog.text
    assert (whole / "train.json").read_bytes() == written
    saved = SentimentClassifier.from_preset(whole)
    for mine, theirs in zip(again.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_other_settings_or_data_are_refused_with_the_difference(
    whole, easy_reviews, tiny_preset
):
    options = SAME | {"preset": str(tiny_preset)}
    with pytest.raises(
        ValueError,
        match=r"other data or settings, so it cannot be gone on with \(epochs: "
        r"12, now 13; max_lr: 0.003, now \"auto\"\)\. Resume with what it was",
    ):
        train(easy_reviews, whole, **options | {"epochs": 13, "max_lr": "auto"})
    fewer = easy_reviews.sample(150)
    with pytest.raises(ValueError, match=r"\(sha256 of train: \"[0-9a-f]+ …"):
        train(fewer, whole, **options)
    # How often checkpoints are written may change.
    train(easy_reviews, whole, **options | {"checkpoint_steps": None})


def test_what_was_decided_is_kept_to(whole):
    settings = read_settings(whole)
    assert settings["decided"]["precision"] in ("float32", "bfloat16")
    assert settings["decided"]["clean_html"] is False
    assert settings["asked"]["precision"] == "auto"


def test_damaged_settings_are_an_error(easy_reviews, tiny_preset, tmp_path):
    kept = tmp_path / "run.partial" / "checkpoints" / "settings.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"asked": ')
    with pytest.raises(ValueError, match="settings.json is damaged: .* Remove"):
        train(
            easy_reviews,
            tmp_path / "run",
            preset=str(tiny_preset),
            resume=True,
        )
