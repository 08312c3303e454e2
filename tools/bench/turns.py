"""Rows of a benchmark that take turns, in processes that others can measure.

Standard library only: the peers run it where kerassent is not.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self


def take_turns(rows: dict[str, tuple[Callable[[], Any], ...]]) -> None:
    """Does what the other end, a `Turns`, asks for.

    Args:
        rows: What each row does before its first turn, and in each turn; it
            returns how long it took, or `None` for the whole call.
    """
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        name, turn = json.loads(line)
        start = time.perf_counter()
        measured = rows[name][turn]()
        seconds = measured or time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Kilobytes, but bytes on macOS.
        peak *= 1 if sys.platform == "darwin" else 1024
        print(json.dumps([seconds, peak]), file=answers, flush=True)


class Turns:
    """A process that runs `take_turns`.

    Args:
        command: What starts it.
    """

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ,
        )
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def warm_up(self, row: str) -> float:
        """Returns how long it took what a row does first."""
        return self._asked(row, 0)

    def run(self, row: str) -> float:
        """Returns how long a row's turn took."""
        return self._asked(row, 1)

    def _asked(self, row: str, turn: int) -> float:
        try:
            print(json.dumps([row, turn]), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            status = self._process.wait()
            raise SystemExit(
                f"{row} ended with {status}; -9 may mean: out of memory."
            ) from error
        seconds, self.peak_bytes = answer
        return seconds
