"""A local cluster of two nodes, one worker each; one of them is killed."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerassent.scoring.local import score_file

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NUM_FILES, ROWS_PER_FILE = 16, 1500

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
cluster.add_node(num_cpus=2)
cluster.wait_for_nodes()
print("address", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""

# So little would be one block otherwise, which one worker scores.
COMMAND = """
from kerassent.scoring import ray_engine
ray_engine._BLOCK_BYTES = 64 << 10
from kerassent.cli import main
main()
"""


@pytest.fixture
def address():
    """The address of a cluster of two nodes of two processors each."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if line.startswith("address "):
                yield line.split()[1]
                break
        else:
            raise RuntimeError("The cluster did not start.")
        process.stdin.close()
        process.stdout.read()


@pytest.fixture
def source(easy_rows, tmp_path):
    """A directory of parquet files, each of some hundred different texts."""
    directory = tmp_path / "in"
    directory.mkdir()
    for number in range(NUM_FILES):
        texts = [
            f"{easy_rows[(i * 7) % 160][0]} {number} {i % 900}"
            for i in range(ROWS_PER_FILE)
        ]
        texts[number] = None
        first = number * ROWS_PER_FILE
        ids = range(first, first + ROWS_PER_FILE)
        pq.write_table(
            pa.table({"id": ids, "text": texts}),
            directory / f"part-{number:02}.parquet",
        )
    return directory


def workers():
    """Returns the processes of this machine that hold a model for Ray."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            name = path.read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"_Worker" in name:
            found.append(int(path.parent.name))
    return found


def kill_one_at_work(output, killed):
    """Kills a worker once the first rows of all are written."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        running = workers()
        if running and any(output.glob("*.parquet")):
            os.kill(running[-1], signal.SIGKILL)
            files = list(output.glob("*.parquet"))
            killed.append((len(running), len(files)))
            return
        time.sleep(0.02)


def run_predict(model, source, output, address):
    """Runs the command on the cluster."""
    return subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, "predict", model),
            *("--engine", "ray", "--input", source, "--output", output),
            # Chunks enough that a writer which takes them as they come to be
            # ready is found out, whatever else happens.
            *("--text", "text", "--chunk-rows", "50", "--batch-size", "8"),
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=800,
        env=os.environ | {"RAY_ADDRESS": address},
    )


@pytest.mark.parametrize("kills", [0, 1])
def test_the_rows_and_labels_are_those_of_the_local_engine(
    kills, tiny_models, source, address, tmp_path
):
    output, whole = tmp_path / "out", tmp_path / "whole.parquet"
    killed = []
    if kills:
        threading.Thread(
            target=kill_one_at_work, args=(output, killed), daemon=True
        ).start()
    done = run_predict(tiny_models, source, output, address)
    assert done.returncode == 0, done.stderr[-4000:]
    assert len(killed) == kills
    for num_workers, num_files in killed:
        assert num_workers == 2
        # There was work left, of which the dead worker had some.
        assert num_files < len(list(output.glob("*.parquet")))
    # Nothing else, whatever Ray says of its workers.
    said = json.loads(done.stdout)
    joined = tmp_path / "in.parquet"
    pq.write_table(pq.read_table(source), joined)
    score_file(tiny_models, joined, whole, text="text")
    ours, theirs = pq.read_table(output), pq.read_table(whole)
    assert ours.column_names == theirs.column_names
    for name in ("id", "text", "label", "error"):
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name
    for name in ("score", "probability_neg", "probability_pos"):
        figures = (table[name].to_pylist() for table in (ours, theirs))
        for one, other in zip(*figures, strict=True):
            assert one == other or abs(one - other) < 1e-4, name
    assert (output / "_SUCCESS").read_bytes() == b""
    del said["seconds"]
    assert said == {
        "output": str(output),
        "num_rows": NUM_FILES * ROWS_PER_FILE,
        "num_scored": NUM_FILES * (ROWS_PER_FILE - 1),
        "problems": {"an empty text": NUM_FILES},
    }


def test_a_source_that_is_no_parquet_is_refused(tiny_models, address, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("text\ngood\n")
    done = run_predict(tiny_models, source, tmp_path / "out", address)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"Error: There is no parquet to be read at {source}")
    assert said.endswith("a directory of them, which all nodes can read.")


def test_a_source_without_rows_is_refused(tiny_models, address, tmp_path):
    source, output = tmp_path / "in.parquet", tmp_path / "out"
    schema = pa.schema({"id": pa.int64(), "text": pa.string()})
    pq.write_table(schema.empty_table(), source)
    done = run_predict(tiny_models, source, output, address)
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"{source} has no rows. Pass a source with at least one.\n"
    )
    assert not output.exists()
