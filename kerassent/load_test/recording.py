"""What happened to each request, kept while it happens."""

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Event(NamedTuple):
    """One request. Times are seconds from the beginning.

    Args:
        intended: When it should have been sent.
        ready: When there was a client free to send it.
        sent: When it was sent.
        done: When the answer or the error was there.
        error: Kind and message, or `None` for an answer.
    """

    intended: float
    ready: float
    sent: float
    done: float
    error: tuple[str, str] | None


class Recording:
    """Runs threads that send, and keeps what they say.

    Attributes:
        events: Of every request that ended.
        processor_share: Seconds of processor time of this process in a second.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []  # appending is atomic
        self.processor_share = 0.0
        self._stopped = threading.Event()
        self._start = 0.0
        self._failures: list[BaseException] = []

    def now(self) -> float:
        """Returns the seconds since the beginning, negative before it."""
        return time.perf_counter() - self._start

    def wait_until(self, moment: float) -> bool:
        """Sleeps until a moment; False if all shall stop instead."""
        left = moment - self.now()
        if left > 0:
            return not self._stopped.wait(left)
        return not self._stopped.is_set()

    def run(self, work: Callable[[int], None], num_threads: int) -> None:
        """Calls `work` with the number of each thread, and waits for all.

        Args:
            work: Returns when it has nothing more to send.
            num_threads: How many threads.

        Raises:
            BaseException: What a thread raised first.
        """

        def guarded(number: int) -> None:
            try:
                work(number)
            except BaseException as error:
                self._failures.append(error)
                self._stopped.set()

        threads = [
            threading.Thread(target=guarded, args=(number,), daemon=True)
            for number in range(num_threads)
        ]
        # Until then all threads are there.
        self._start = time.perf_counter() + 0.01 + 0.0003 * num_threads
        before = _processor_seconds()
        begun = time.perf_counter()
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:  # Ctrl-C: don't wait for answers
            self._stopped.set()
            raise
        taken = time.perf_counter() - begun
        self.processor_share = (_processor_seconds() - before) / taken
        if self._failures:
            raise self._failures[0]


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system
