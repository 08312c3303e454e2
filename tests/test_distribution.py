"""What one device comes to, several come to: real ones, of one machine."""

import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from kerassent.replicas import is_writer

PROGRAM = pathlib.Path(__file__).with_name("distribution_program.py")

# How far weights are apart after ten steps of AdamW with a rate of 0.003, when
# their gradients were summed up in another order. AdamW divides a gradient by
# its size: where it is next to none, rounding is what a weight learns from.
ROUNDING = 1e-5


def run(*arguments):
    subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        check=True,
        capture_output=True,
        timeout=280,
    )


def result(out):
    return json.loads(out.with_name(out.name + ".json").read_text("utf-8"))


def apart(a, b):
    """The largest difference between two files of weights."""
    with np.load(a) as a, np.load(b) as b:
        assert a.files == b.files
        return max(float(np.abs(a[k] - b[k]).max()) for k in a.files)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    out = tmp_path_factory.mktemp("use") / "use"
    run("use", str(out))
    return out, result(out)


def test_two_devices_come_to_the_weights_of_one(used):
    out, _ = used
    names = ("divisible", "five_over", "one_over")
    for name in names:
        one, mirrored = (f"{out}.{s}.{name}.npz" for s in ("one", "mirrored"))
        assert apart(one, mirrored) < ROUNDING, name
    for name, then in itertools.pairwise(names):  # each has learned something
        assert apart(f"{out}.one.{name}.npz", f"{out}.one.{then}.npz") > 1e-3


def test_two_devices_come_to_the_history_of_one(used):
    one, mirrored = used[1]["one"], used[1]["mirrored"]
    assert mirrored["history"].keys() == one["history"].keys()
    for name, values in one["history"].items():
        assert mirrored["history"][name] == pytest.approx(values, abs=1e-6)
    assert mirrored["evaluated"] == pytest.approx(one["evaluated"], abs=1e-6)
    np.testing.assert_allclose(mirrored["proba"], one["proba"], atol=1e-6)


def test_sums_of_two_devices_are_put_back(used):
    # 37 rows: a count that two devices don't have in equal parts.
    mirrored = used[1]["mirrored"]
    assert mirrored["restored"] == mirrored["evaluated"]


def test_each_device_has_dropout_of_its_own(used):
    [alone] = used[1]["one"]["dropped"]
    first, second = used[1]["mirrored"]["dropped"]
    assert first == alone
    assert not np.allclose(first, second, atol=1e-3)


@pytest.mark.slow
def test_two_devices_come_to_the_weights_of_one_in_any_way(tmp_path):
    out = tmp_path / "fits"
    run("fits", str(out))
    names = {path.name.split(".")[2] for path in tmp_path.glob("*.npz")}
    assert len(names) == 6
    for name in names:
        found = apart(f"{out}.one.{name}.npz", f"{out}.mirrored.{name}.npz")
        # bfloat16 has 8 bits, and each device rounds what it sums up.
        assert found < (2e-3 if name == "bfloat16" else ROUNDING), name
    one, mirrored = result(out)["one"], result(out)["mirrored"]
    assert mirrored["untouched"] is True
    np.testing.assert_allclose(
        mirrored["lr_losses"][:10], one["lr_losses"][:10], rtol=1e-4
    )
    np.testing.assert_allclose(
        np.sort(mirrored["predicted"], 0), np.sort(one["predicted"], 0), 1e-4
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run on two devices of one process that nothing happened to."""
    out = tmp_path_factory.mktemp("whole") / "run"
    run("checkpointed", out, out.with_name("checkpoints"), "mirrored")
    return f"{out}.mirrored.npz"


@pytest.mark.slow
def test_a_run_on_two_devices_goes_on_where_it_was_killed(whole, tmp_path):
    out, log = tmp_path / "run", tmp_path / "log"
    arguments = ["checkpointed", out, tmp_path / "checkpoints", "mirrored"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, *arguments], stdout=file
        )
    while "step 3\n" not in log.read_text("utf-8"):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    run(*arguments)
    assert apart(whole, f"{out}.mirrored.npz") == 0


class Workers:
    """Two processes of one job, each with files for what it says."""

    def __init__(self, directory, *arguments):
        sockets = [socket.socket() for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = ["{}:{}".format(*each.getsockname()) for each in sockets]
        for each in sockets:
            each.close()
        directory.mkdir()
        self.outs = [directory / str(index) for index in range(2)]
        self.processes = []
        for index, out in enumerate(self.outs):
            config = {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
            with out.with_suffix(".log").open("w") as log:
                self.processes.append(
                    subprocess.Popen(
                        [
                            sys.executable,
                            PROGRAM,
                            "checkpointed",
                            out,
                            *(each.format(index) for each in arguments),
                        ],
                        env=os.environ | {"TF_CONFIG": json.dumps(config)},
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def log(self, index):
        return self.outs[index].with_suffix(".log").read_text("utf-8")

    def wait(self, timeout):
        until = time.monotonic() + timeout
        return [
            process.wait(until - time.monotonic()) for process in self.processes
        ]

    def weights(self, index):
        return f"{self.outs[index]}.workers.npz"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_of_two_processes_outlives_its_workers(whole, tmp_path):
    with Workers(tmp_path / "job", f"{tmp_path}/by{{}}") as job:
        assert job.wait(280) == [0, 0], job.log(0)
    # The same batches, masks and sums, in the same order; one has written.
    for index in range(2):
        assert apart(whole, job.weights(index)) == 0
    assert len(list((tmp_path / "by0").glob("*.npz"))) == 2
    assert list((tmp_path / "by1").glob("*.npz")) == []

    checkpoints = tmp_path / "checkpoints"
    for victim in (1, 0):
        with Workers(tmp_path / f"killed{victim}", str(checkpoints)) as job:
            begun = len(list(checkpoints.glob("*.npz")))
            while len(re.findall("^step", job.log(victim), re.M)) < 2:
                assert job.processes[victim].poll() is None, job.log(victim)
                time.sleep(0.05)
            job.processes[victim].send_signal(signal.SIGKILL)
            # Noticed: it does not wait for ever.
            assert job.processes[1 - victim].wait(200) == 1
            assert "Collective ops is aborted" in job.log(1 - victim)
        assert begun == (0 if victim else 2)
    with Workers(tmp_path / "resumed", str(checkpoints)) as resumed:
        assert resumed.wait(280) == [0, 0], resumed.log(0)
    steps = re.findall(r"^step (\d+)", resumed.log(0), re.M)
    assert int(steps[-1]) == 10
    assert len(set(steps)) < 10
    for index in range(2):
        assert apart(whole, resumed.weights(index)) == 0


@pytest.mark.parametrize(
    ("jobs", "task", "writes"),
    [
        ({"worker": ["a:1", "b:1"]}, ("worker", 0), True),
        ({"worker": ["a:1", "b:1"]}, ("worker", 1), False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("chief", 0), True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("worker", 0), False),
    ],
)
def test_one_process_of_a_job_writes(jobs, task, writes):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs), task_type=task[0], task_id=task[1]
    )
    assert is_writer(SimpleNamespace(cluster_resolver=resolver)) is writes


def test_without_a_job_this_process_writes():
    assert is_writer(tf.distribute.get_strategy())
    assert is_writer(tf.distribute.MirroredStrategy(["CPU:0"]))


def test_the_gradient_of_a_repeated_token_is_one_sum(make_classifier):
    classifier = make_classifier()
    x = classifier.preprocessor(tf.constant(["very very good"]))
    table = classifier.backbone.token_embedding.embeddings.value
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(classifier(x, training=False))
    # Not slices, which Adam would square one by one.
    assert isinstance(tape.gradient(loss, table), tf.Tensor)
