"""Batches: requests that come close together run as one.

TensorFlow's shared batch scheduler in Python: a queue for each pair of inputs
and outputs, a few threads that serve all queues in turn. A batch is closed
when it is full, and taken when it is full or has waited long enough.

Reference:
    tensorflow/core/kernels/batching_util/shared_batch_scheduler.h and
    tensorflow_serving/batching/batching_session.cc
"""

import collections
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.merging import count_rows, merge_feeds, split_outputs
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array

_NEVER: Final = float("inf")
# Each distinct set of tensors has a queue; a client could ask for any subset.
MAX_QUEUES: Final = 1000


class Session(Protocol):
    """What runs a graph."""

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[Array]:
        """Returns the fetched tensors' values."""


class _Task:
    """A request that waits for its answer, perhaps in several pieces."""

    def __init__(
        self, feeds: Mapping[str, Array], rows: int, deadline: float
    ) -> None:
        self.feeds = feeds
        self.rows = rows
        self.deadline = deadline
        self.pieces = 1
        self.answers: dict[int, list[Array]] = {}
        self.error: StatusError | None = None
        self._lock = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def finish_piece(
        self, index: int, answer: list[Array] | StatusError
    ) -> None:
        with self._lock:
            if isinstance(answer, StatusError):
                self.error = self.error or answer
                answer = []
            self.answers[index] = answer
            if len(self.answers) == self.pieces:
                self._done.release()

    def wait(self) -> list[Array]:
        # Whoever took the task always finishes it.
        self._done.acquire()
        if self.error is not None:
            # An error has one traceback, and may have many who wait for it.
            raise StatusError(self.error.code, self.error.message)
        parts = [self.answers[index] for index in range(self.pieces)]
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


@dataclass
class _Piece:
    task: _Task
    index: int
    feeds: Mapping[str, Array]
    rows: int


@dataclass
class _Batch:
    opened: float
    pieces: list[_Piece] = field(default_factory=list)
    rows: int = 0


class BatchThreads:
    """The threads that run batches, of all models' queues in turn.

    Args:
        count: How many batches run at once.
    """

    def __init__(self, count: int) -> None:
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

    def _take(self) -> "tuple[BatchQueue, _Batch] | None":
        now = time.monotonic()
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)
            batch = queue.take(now, flush=self._stopped)
            if batch is not None:
                return queue, batch
        return None

    def _seconds_to_next(self) -> float | None:
        due = min((queue.due for queue in self._queues), default=_NEVER)
        return None if due == _NEVER else max(0.0, due - time.monotonic())


class BatchQueue:
    """Batches of one set of inputs and outputs.

    Args:
        parameters: How to merge.
        threads: Who runs the batches; its condition guards this queue.
        run: Runs merged feeds and returns the outputs.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        threads: BatchThreads,
        run: Callable[[Mapping[str, Array], int | None], list[Array]],
    ) -> None:
        self._parameters = parameters
        self._limit = parameters.execution_batch_size
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._threads = threads
        self._run = run
        self._batches: collections.deque[_Batch] = collections.deque()

    @property
    def is_waiting(self) -> bool:
        """Whether a batch waits for a thread, or to be filled."""
        return bool(self._batches)

    @property
    def due(self) -> float:
        """When the next batch may be taken, by `time.monotonic`."""
        if not self._batches:
            return _NEVER
        first = self._batches[0]
        if len(self._batches) > 1 or first.rows >= self._limit:
            return 0.0
        return first.opened + self._timeout

    def take(self, now: float, *, flush: bool) -> "_Batch | None":
        """Returns the oldest batch if it is full or old enough."""
        if self._batches and (flush or self.due <= now):
            return self._batches.popleft()
        return None

    def schedule(self, task: _Task) -> None:
        """Puts a request into batches.

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

    def _check_room(self, task: _Task) -> None:
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

    def _put(self, task: _Task) -> None:
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
                tail = _Batch(time.monotonic())
                self._batches.append(tail)
            tail.pieces.append(_Piece(task, index, feeds, size))
            tail.rows += size

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

    def process(self, batch: _Batch) -> None:
        """Runs a batch and answers all who are in it."""
        pieces = batch.pieces
        try:
            answers: Sequence[list[Array] | StatusError] = self._answers(batch)
        except StatusError as error:
            # As in TensorFlow Serving, an error is everybody's.
            answers = [error] * len(pieces)
        except Exception as error:
            # Nobody may wait for ever.
            failure = StatusError(Code.INTERNAL, f"{error!r} in a batch")
            answers = [failure] * len(pieces)
        for piece, answer in zip(pieces, answers, strict=True):
            piece.task.finish_piece(piece.index, answer)

    def _answers(self, batch: _Batch) -> list[list[Array]]:
        deadline = max(piece.task.deadline for piece in batch.pieces)
        timeout_ms = None
        if deadline != _NEVER:
            timeout_ms = int((deadline - time.monotonic()) * 1000)
            if timeout_ms <= 0:
                raise StatusError(
                    Code.RESOURCE_EXHAUSTED,
                    "Run() timeout exceeded while waiting in batching queue",
                )
        rows = batch.rows
        allowed = self._parameters.allowed_batch_sizes
        total = next((size for size in allowed if size >= rows), rows)
        feeds = merge_feeds(
            [piece.feeds for piece in batch.pieces],
            pad=self._parameters.pad_variable_length_inputs,
            padded_rows=total - rows,
        )
        outputs = self._run(feeds, timeout_ms)
        if rows == 0:
            total = 0  # there is no row to repeat
        return split_outputs(
            outputs, [piece.rows for piece in batch.pieces], total
        )


class BatchingSession:
    """A session whose runs are merged.

    Args:
        session: What runs the merged feeds.
        parameters: How to merge.
        threads: Who runs the batches.
    """

    def __init__(
        self,
        session: Session,
        parameters: BatchingParameters,
        threads: BatchThreads,
    ) -> None:
        self._session = session
        self._parameters = parameters
        self._threads = threads
        self._queues: dict[
            tuple[frozenset[str], tuple[str, ...]], BatchQueue
        ] = {}
        self._lock = threading.Lock()

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[Array]:
        """Returns the fetched tensors' values, from a batch of several runs.

        Args:
            feeds: Arrays by tensor name, all with the same first axis.
            fetches: Tensor names.
            timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

        Raises:
            StatusError: With TensorFlow Serving's code and message.
        """
        rows = count_rows(feeds)
        deadline = _NEVER
        if timeout_ms is not None:
            deadline = time.monotonic() + timeout_ms / 1000
        ordered = sorted(set(fetches))
        queue = self._queue(frozenset(feeds), tuple(ordered))
        task = _Task(feeds, rows, deadline)
        queue.schedule(task)
        values = dict(zip(ordered, task.wait(), strict=True))
        return [values[name] for name in fetches]

    def _queue(
        self, names: frozenset[str], fetches: tuple[str, ...]
    ) -> BatchQueue:
        key = names, fetches
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                if len(self._queues) >= MAX_QUEUES:
                    raise StatusError(
                        Code.RESOURCE_EXHAUSTED,
                        f"{MAX_QUEUES} sets of outputs have a batching queue "
                        "already; ask for one of them",
                    )

                def run(
                    feeds: Mapping[str, Array], timeout_ms: int | None
                ) -> list[Array]:
                    return self._session.run(
                        feeds, fetches, timeout_ms=timeout_ms
                    )

                queue = BatchQueue(self._parameters, self._threads, run)
                self._queues[key] = queue
                self._threads.add(queue)
            return queue

    def close(self) -> None:
        """Gives its queues back; no run may be under way."""
        with self._lock:
            for queue in self._queues.values():
                self._threads.remove(queue)
            self._queues.clear()
