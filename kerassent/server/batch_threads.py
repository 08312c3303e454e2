"""The threads that run batches, of all models' queues in turn.

Reference:
    tensorflow/core/kernels/batching_util/shared_batch_scheduler.h
"""

import collections
import threading
import time
from typing import TYPE_CHECKING

from kerassent.server.batch_tasks import NEVER, Batch

if TYPE_CHECKING:
    from kerassent.server.batch_queue import BatchQueue


class BatchThreads:
    """A few threads that serve any number of queues.

    Args:
        count: How many batches run at once.
    """

    def __init__(self, count: int) -> None:
        # Guards all queues, too.
        self.changed = threading.Condition()
        self._queues: collections.deque[BatchQueue] = collections.deque()
        self._stopped = False
        self._threads = [
            threading.Thread(
                target=self._work, name=f"kerassent-batch-{i}", daemon=True
            )
            for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, queue: "BatchQueue") -> None:
        """Serves one more queue."""
        with self.changed:
            self._queues.append(queue)

    def remove(self, queue: "BatchQueue") -> None:
        """Serves a queue no more; it must be empty."""
        with self.changed:
            self._queues.remove(queue)

    def close(self) -> None:
        """Ends the threads after what is queued."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self.changed:
                taken = self._take()
                while taken is None:
                    if self._stopped and not any(
                        queue.is_waiting for queue in self._queues
                    ):
                        return
                    self.changed.wait(self._seconds_to_next())
                    taken = self._take()
            queue, batch = taken
            queue.process(batch)

    def _take(self) -> "tuple[BatchQueue, Batch] | None":
        now = time.monotonic()
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)
            batch = queue.take(now, flush=self._stopped)
            if batch is not None:
                return queue, batch
        return None

    def _seconds_to_next(self) -> float | None:
        due = min((queue.due for queue in self._queues), default=NEVER)
        return None if due == NEVER else max(0.0, due - time.monotonic())
