"""Batches: requests that come close together run as one.

TensorFlow's shared batch scheduler in Python: a queue for each set of inputs
and outputs, and a few threads that serve all queues in turn.

Reference:
    tensorflow_serving/batching/batching_session.cc
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from kerassent.server.batch_queue import BatchQueue
from kerassent.server.batch_tasks import NEVER, Batch, Task
from kerassent.server.batch_threads import BatchThreads
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.merging import count_rows, merge_feeds, split_outputs
from kerassent.server.metrics import Metrics
from kerassent.server.status import Code, StatusError
from kerassent.server.tensors import Array

# Each distinct set of tensors has a queue; a client could ask for any subset.
MAX_QUEUES: Final = 1000
# What TensorFlow Serving's metrics call the threads of its batching sessions.
_THREAD_POOL: Final = ""


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


class BatchingSession:
    """A session whose runs are merged.

    Args:
        session: What runs the merged feeds.
        parameters: How to merge.
        threads: Who runs the batches.
        metrics: Where sizes and waits are counted.
    """

    def __init__(
        self,
        session: Session,
        parameters: BatchingParameters,
        threads: BatchThreads,
        metrics: Metrics,
    ) -> None:
        self._session = session
        self._parameters = parameters
        self._threads = threads
        self._metrics = metrics
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
        ordered = sorted(set(fetches))
        queue = self._queue(frozenset(feeds), tuple(ordered))
        for _ in feeds:  # TensorFlow Serving counts each tensor.
            self._metrics.input_batch_size.observe(rows)
        deadline = NEVER
        if timeout_ms is not None:
            deadline = time.monotonic() + timeout_ms / 1000
        task = Task(feeds, rows, deadline)
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
                queue = BatchQueue(
                    self._parameters,
                    self._threads,
                    lambda batch: self._process(batch, fetches),
                )
                self._queues[key] = queue
                self._threads.add(queue)
            return queue

    def _process(self, batch: Batch, fetches: Sequence[str]) -> None:
        """Runs a batch and answers all who are in it."""
        now = time.monotonic()
        for piece in batch.pieces:
            self._metrics.queuing_latency.observe(
                (now - piece.task.created) * 1e6, _THREAD_POOL
            )
        try:
            answers: Sequence[list[Array] | StatusError] = self._answers(
                batch, fetches
            )
        except StatusError as error:
            # As in TensorFlow Serving, an error is everybody's.
            answers = [error] * len(batch.pieces)
        except Exception as error:
            # Nobody may wait for ever.
            failure = StatusError(Code.INTERNAL, f"{error!r} in a batch")
            answers = [failure] * len(batch.pieces)
        for piece, answer in zip(batch.pieces, answers, strict=True):
            piece.task.finish_piece(piece.index, answer)

    def _answers(
        self, batch: Batch, fetches: Sequence[str]
    ) -> list[list[Array]]:
        timeout_ms = _timeout_ms(batch)
        rows = batch.rows
        allowed = self._parameters.allowed_batch_sizes
        total = next((size for size in allowed if size >= rows), rows)
        self._metrics.padding_size.observe(total - rows, str(total))
        self._metrics.processed_batch_size.observe(total)
        feeds = merge_feeds(
            [piece.feeds for piece in batch.pieces],
            pad=self._parameters.pad_variable_length_inputs,
            padded_rows=total - rows,
        )
        try:
            outputs = self._session.run(feeds, fetches, timeout_ms=timeout_ms)
        finally:
            self._metrics.wrapped_run_count.increase()
        if rows == 0:
            total = 0  # there is no row to repeat
        return split_outputs(
            outputs, [piece.rows for piece in batch.pieces], total
        )

    def close(self) -> None:
        """Gives its queues back; no run may be under way."""
        with self._lock:
            for queue in self._queues.values():
                self._threads.remove(queue)
            self._queues.clear()


def _timeout_ms(batch: Batch) -> int | None:
    """Returns the longest time that is left to one of a batch.

    Raises:
        StatusError: If none is left to any.
    """
    deadline = max(piece.task.deadline for piece in batch.pieces)
    if deadline == NEVER:
        return None
    timeout_ms = int((deadline - time.monotonic()) * 1000)
    if timeout_ms <= 0:
        raise StatusError(
            Code.RESOURCE_EXHAUSTED,
            "Run() timeout exceeded while waiting in batching queue",
        )
    return timeout_ms
