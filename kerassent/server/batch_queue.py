"""A queue of batches: what is merged, when it is due, and when it is full.

Reference:
    tensorflow/core/kernels/batching_util/shared_batch_scheduler.h
"""

import collections
import time
from collections.abc import Callable

from kerassent.server.batch_tasks import NEVER, Batch, Piece, Task
from kerassent.server.batch_threads import BatchThreads
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.status import Code, StatusError, invalid_argument


class BatchQueue:
    """Batches of one set of inputs and outputs.

    A batch is closed when it is full, and taken when it is full or has waited
    long enough.

    Args:
        parameters: How to merge.
        threads: Who runs the batches; its condition guards this queue.
        process: Runs a batch and answers all who are in it.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        threads: BatchThreads,
        process: Callable[[Batch], None],
    ) -> None:
        self.process = process
        self._parameters = parameters
        self._limit = parameters.execution_batch_size
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._threads = threads
        self._batches: collections.deque[Batch] = collections.deque()

    @property
    def is_waiting(self) -> bool:
        """Whether a batch waits for a thread, or to be filled."""
        return bool(self._batches)

    @property
    def due(self) -> float:
        """When the next batch may be taken, by `time.monotonic`."""
        if not self._batches:
            return NEVER
        first = self._batches[0]
        if len(self._batches) > 1 or first.rows >= self._limit:
            return 0.0
        return first.opened + self._timeout

    def take(self, now: float, *, flush: bool) -> Batch | None:
        """Returns the oldest batch if it is full or old enough."""
        if self._batches and (flush or self.due <= now):
            return self._batches.popleft()
        return None

    def schedule(self, task: Task) -> None:
        """Puts a request into batches.

        Args:
            task: The request.

        Raises:
            StatusError: If it is too large, or the queue is full.
        """
        parameters = self._parameters
        if task.rows > parameters.max_batch_size:
            raise invalid_argument(
                f"Task size {task.rows} is larger than maximum input batch "
                f"size {parameters.max_batch_size}"
            )
        with self._threads.changed:
            self._check_room(task)
            waiting = len(self._batches)
            self._put(task)
            # A new batch must be timed; a full one is due at once.
            if len(self._batches) != waiting or self.due == 0.0:
                self._threads.changed.notify()

    def _check_room(self, task: Task) -> None:
        most = self._parameters.max_enqueued_batches
        count = len(self._batches)
        tail = self._batches[-1].rows if self._batches else 0
        if self._parameters.enable_large_batch_splitting:
            free = (most - count) * self._limit
            if count:
                free += self._limit - tail
            if task.rows > free:
                raise StatusError(
                    Code.UNAVAILABLE,
                    "The batch scheduling queue to which this task was "
                    f"submitted is full; task size is {task.rows} but "
                    f"scheduling capacity is only {free} "
                    f"(num_enqueued_batches={count}, max_enqueued_batches="
                    f"{most}, open_batch_size={tail}, "
                    f"max_execution_batch_size={self._limit})",
                )
        elif count >= most and tail + task.rows > self._limit:
            raise StatusError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted "
                f"is full; currently {count} batches enqueued and "
                f"max_enqueued_batches is {most}",
            )

    def _put(self, task: Task) -> None:
        sizes = self._piece_sizes(task.rows)
        task.pieces = len(sizes)
        start = 0
        for index, size in enumerate(sizes):
            feeds = task.feeds
            if len(sizes) > 1:
                feeds = {
                    name: array[start : start + size]
                    for name, array in feeds.items()
                }
            start += size
            tail = self._batches[-1] if self._batches else None
            if tail is None or tail.rows + size > self._limit:
                tail = Batch(time.monotonic())
                self._batches.append(tail)
            tail.add(Piece(task, index, feeds, size))

    def _piece_sizes(self, rows: int) -> list[int]:
        if not self._parameters.enable_large_batch_splitting:
            return [rows]
        free = self._limit - (self._batches[-1].rows if self._batches else 0)
        sizes = [min(rows, free or self._limit)]
        rows -= sizes[0]
        while rows:
            sizes.append(min(rows, self._limit))
            rows -= sizes[-1]
        return sizes
