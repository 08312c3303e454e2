"""What waits in a batching queue: requests, their pieces, and batches."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kerassent.server.status import StatusError
from kerassent.server.tensors import Array

NEVER: Final = float("inf")


class Task:
    """A request that waits for its answer, perhaps in several pieces.

    Args:
        feeds: Arrays by tensor name.
        rows: Their common first axis.
        deadline: By `time.monotonic`, or `NEVER`.
    """

    def __init__(
        self, feeds: Mapping[str, Array], rows: int, deadline: float = NEVER
    ) -> None:
        self.feeds = feeds
        self.rows = rows
        self.deadline = deadline
        self.created = time.monotonic()
        self.pieces = 1
        self._answers: dict[int, list[Array]] = {}
        self._error: StatusError | None = None
        self._lock = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def finish_piece(
        self, index: int, answer: list[Array] | StatusError
    ) -> None:
        """Notes what a piece came to; the last one ends the wait.

        Args:
            index: The piece's.
            answer: The outputs' rows, or why there are none.
        """
        with self._lock:
            if isinstance(answer, StatusError):
                self._error = self._error or answer
                answer = []
            self._answers[index] = answer
            if len(self._answers) == self.pieces:
                self._done.release()

    def wait(self) -> list[Array]:
        """Returns the outputs, put together.

        Raises:
            StatusError: If a piece failed.
        """
        # Whoever took the task always finishes it.
        self._done.acquire()
        if self._error is not None:
            # An error has one traceback, and may have many who wait for it.
            raise StatusError(self._error.code, self._error.message)
        parts = [self._answers[index] for index in range(self.pieces)]
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


@dataclass
class Piece:
    """As much of a request as goes into one batch.

    Args:
        task: The request.
        index: Which of its pieces.
        feeds: The piece's rows.
        rows: How many.
    """

    task: Task
    index: int
    feeds: Mapping[str, Array]
    rows: int


@dataclass
class Batch:
    """Pieces that will run together.

    Args:
        opened: When the first came, by `time.monotonic`.
        pieces: In the order they came.
        rows: How many they have together.
    """

    opened: float
    pieces: list[Piece] = field(default_factory=list)
    rows: int = 0

    def add(self, piece: Piece) -> None:
        """Takes one more in."""
        self.pieces.append(piece)
        self.rows += piece.rows
