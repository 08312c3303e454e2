"""A scorer that is killed with -9, again and again, and gone on with."""

import csv
import json
import random
import signal
import subprocess
import sys
import time

import pytest

from kerassent.scoring.local import score_file
from tests.scoring.conftest import WordModel, write_table

CHUNK_ROWS = 40

# A model that says what it is asked, and takes its time.
SLOW_SCORER = """
import sys, time
sys.path.insert(0, {repository!r})
from kerassent.scoring.local import score_file
from tests.scoring.conftest import WordModel

class Slow(WordModel):
    def predict_proba(self, texts, *, batch_size):
        print(len(texts), flush=True)
        time.sleep(0.004)
        return super().predict_proba(texts, batch_size=batch_size)

score_file(
    Slow(), {source!r}, {output!r}, text="Review text",
    chunk_rows={chunk_rows}, batch_size=8, resume=True,
)
"""


def rows_of(count):
    rows = [
        [i, f"film {i} {'very ' * (i * 7 % 13)}good", "n"] for i in range(count)
    ]
    for i in range(0, count, 97):
        rows[i][1] = ""
    return rows


def kill_at_random(command, output, kills, seed):
    """Starts a command again until it ends, and kills it so many times.

    Each time it has done a chunk more, at least, when it is killed.
    """
    journal = output.with_name(output.name + ".partial") / "journal.jsonl"
    moments = random.Random(seed)
    talk = []
    while True:
        before = journal.stat().st_size if journal.exists() else 0
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if kills:
            deadline = time.monotonic() + 120
            while not journal.exists() or journal.stat().st_size <= before:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.001)
            time.sleep(moments.random() * 0.15)
            process.send_signal(signal.SIGKILL)
            kills -= 1
        talk.append(process.communicate(timeout=120)[0])
        if process.returncode == 0:
            assert kills == 0, "it was done before it was killed often enough"
            return talk
        assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("form, kills", [("csv", 10), ("xlsx", 3)])
def test_killed_at_random_the_output_is_that_of_an_undisturbed_run(
    form, kills, tmp_path, repository
):
    rows = rows_of(4000 if kills > 5 else 1500)
    source = write_table(tmp_path / "in.csv", rows)
    output, whole = tmp_path / f"out.{form}", tmp_path / f"whole.{form}"
    code = SLOW_SCORER.format(
        repository=str(repository),
        source=str(source),
        output=str(output),
        chunk_rows=CHUNK_ROWS,
    )
    talk = kill_at_random([sys.executable, "-c", code], output, kills, seed=5)
    score_file(
        *(WordModel(), source, whole),
        text="Review text",
        chunk_rows=CHUNK_ROWS,
        batch_size=8,
    )
    assert output.read_bytes() == whole.read_bytes()
    asked = sum(int(line) for text in talk for line in text.split())
    texts = sum(bool(row[1]) for row in rows)
    # The undisturbed run asks for each once; a kill costs a chunk at most.
    assert texts <= asked <= texts + kills * CHUNK_ROWS
    assert not output.with_name(output.name + ".partial").exists()


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_command_killed_at_random_gives_the_same_bytes(
    kills, tiny_models, tmp_path
):
    source = write_table(tmp_path / "in.csv", rows_of(2500 * kills))
    output, whole = tmp_path / "out.csv", tmp_path / "whole.csv"

    def command(path):
        return [
            *(sys.executable, "-c", "from kerassent.cli import main; main()"),
            *("predict", str(tiny_models), "--input", str(source)),
            *("--text", "Review text", "--output", str(path), "--resume"),
            *("--chunk-rows", str(CHUNK_ROWS), "--json"),
        ]

    talk = kill_at_random(command(output), output, kills, seed=kills)
    said = json.loads(talk[-1])
    done = subprocess.run(command(whole), capture_output=True, check=True)
    undisturbed = json.loads(done.stdout)
    assert output.read_bytes() == whole.read_bytes()
    for one in (said, undisturbed):
        del one["seconds"], one["output"]
    assert said == undisturbed
    with output.open(newline="") as file:
        ids = [int(row["id"]) for row in csv.DictReader(file)]
    assert ids == list(range(2500 * kills))
