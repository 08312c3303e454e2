"""Memory is that of a chunk: six times the rows take no more of it.

`tools/check_scoring_memory.py` shows it for millions of rows and a real model.
"""

import subprocess
import sys

import pytest

from tests.scoring.conftest import write_table

SCORER = """
import sys
sys.path.insert(0, {repository!r})
from kerassent.scoring.local import score_file
from tests.scoring.conftest import WordModel
class Forgetful(WordModel):
    def predict_proba(self, texts, *, batch_size):
        self.batches.clear()
        return super().predict_proba(texts, batch_size=batch_size)
score_file(Forgetful(), sys.argv[1], sys.argv[2], text="Review text")
with open("/proc/self/status") as lines:
    print(*(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_six_times_the_rows_take_no_more_memory(form, tmp_path, repository):
    peaks = []
    for count in (60_000, 360_000):
        rows = [[i, f"{i} {'very good ' * 30}", "n"] for i in range(count)]
        source = write_table(tmp_path / f"in{count}.{form}", rows)
        # `ru_maxrss` would count what pytest itself has, too.
        done = subprocess.run(
            [
                *(sys.executable, "-c"),
                SCORER.format(repository=str(repository)),
                *(str(source), str(tmp_path / f"out{count}.{form}")),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]) >> 10)
    # The texts that came in addition are 90 MiB, before any of Python's own.
    assert peaks[1] - peaks[0] < 25, peaks
