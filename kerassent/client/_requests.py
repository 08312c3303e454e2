"""Many texts as requests: several at a time, tried again where that helps.

Whatever happens to a request, its texts are answered in their place or the
whole call fails: no answer is skipped, and none is taken for another.
"""

from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, TypeVar

from kerassent.client._chunks import Chunk, Limits
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure, Remedy, pause_after
from kerassent.client._waiting import Waiting

T = TypeVar("T")
Ask = Callable[[Sequence[bytes], Deadline], Awaitable[T]]
Turn = Callable[[Deadline | None], AbstractAsyncContextManager[None]]


def at_once(deadline: Deadline | None) -> AbstractAsyncContextManager[None]:
    """A turn that nobody waits for."""
    return nullcontext()


@dataclass
class Requests:
    """How requests to one server are made; safe to share by threads.

    Args:
        waiting: How to wait.
        limits: What the server takes.
        timeout: Seconds for a request, with all its attempts and parts.
        retry: Whether there are attempts after the first.
        max_in_flight: The most requests at a time.
        turn: What a request waits for before its seconds begin.

    Attributes:
        closed: Whether nothing is to be tried again.
        has_answered: Whether the server ever has.
    """

    waiting: Waiting
    limits: Limits
    timeout: float
    retry: bool
    max_in_flight: int
    turn: Turn = at_once
    closed: bool = False
    has_answered: bool = field(default=False, init=False)

    async def in_order(
        self, ask: Ask[T], requests: Iterator[Chunk], timeout: float | None
    ) -> AsyncGenerator[T]:
        """Makes several requests at a time, and yields their answers in order.

        Args:
            ask: Makes one request.
            requests: What to ask; read as far ahead as requests are made.
            timeout: Seconds for all of them, or `None` for as many as each
                needs.
        """
        over_all = None if timeout is None else Deadline.after(timeout)
        stopped: list[bool] = []

        async def parts(chunk: Chunk) -> list[T]:
            return await told(self._in_turn(ask, chunk, over_all, stopped))

        ahead = list(islice(requests, 2))
        if len(ahead) == 1:  # The usual case needs no thread and no task.
            for answer in await parts(ahead[0]):
                yield answer
            return
        under_way: deque[Any] = deque()
        try:
            for chunk in chain(ahead, requests):
                under_way.append(self.waiting.start(parts(chunk)))
                while len(under_way) >= self.max_in_flight:
                    for answer in await self.waiting.finish(under_way[0]):
                        yield answer
                    under_way.popleft()
            while under_way:
                for answer in await self.waiting.finish(under_way[0]):
                    yield answer
                under_way.popleft()
        finally:
            stopped.append(True)
            for handle in under_way:
                self.waiting.abandon(handle)

    async def one(self, ask: Callable[[Deadline], Awaitable[T]]) -> T:
        """Makes a request that has no texts."""

        async def in_turn() -> T:
            async with self.turn(None):
                deadline = Deadline.after(self.timeout)
                return await self._attempts(ask, deadline, ())

        return await told(in_turn())

    async def _in_turn(
        self,
        ask: Ask[T],
        chunk: Chunk,
        over_all: Deadline | None,
        stopped: Sequence[bool],
    ) -> list[T]:
        """Returns the answers to a chunk, whose seconds begin with its turn."""
        async with self.turn(over_all):
            deadline = (
                over_all.or_after(self.timeout)
                if over_all
                else Deadline.after(self.timeout)
            )
            return await self._parts(ask, chunk, deadline, stopped)

    async def _parts(
        self,
        ask: Ask[T],
        chunk: Chunk,
        deadline: Deadline,
        stopped: Sequence[bool],
    ) -> list[T]:
        """Returns the answer to a chunk, or to its parts if it is too large."""
        try:
            return [
                await self._attempts(
                    lambda deadline: ask(chunk.texts, deadline),
                    deadline,
                    stopped,
                )
            ]
        except Failure as failure:
            too_large = (Remedy.FEWER_TEXTS, Remedy.FEWER_BYTES)
            if failure.remedy not in too_large:
                raise
            if len(chunk.texts) < 2:
                if failure.remedy is Remedy.FEWER_BYTES:
                    failure.blame(chunk.texts[0])
                raise
            self.limits.lower(chunk, failure.remedy)
        answers = []
        for half in chunk.halves():
            answers += await self._parts(ask, half, deadline, stopped)
        return answers

    async def _attempts(
        self,
        ask: Callable[[Deadline], Awaitable[T]],
        deadline: Deadline,
        stopped: Sequence[bool],
    ) -> T:
        """Asks again where that is useful, until the deadline."""
        attempts = 0
        while True:
            attempts += 1
            try:
                answer = await ask(deadline)
            except Failure as failure:
                pause = pause_after(attempts, failure)
                if (
                    not self._is_temporary(failure)
                    or stopped
                    or pause >= deadline.left()
                ):
                    failure.count(attempts, deadline.timeout)
                    raise
            else:
                self.has_answered = True
                return answer
            await self.waiting.sleep(pause)

    def _is_temporary(self, failure: Failure) -> bool:
        if failure.remedy is Remedy.RETRY:
            self.has_answered = True
        known = failure.remedy is Remedy.RETRY_IF_KNOWN and self.has_answered
        may_help = failure.remedy is Remedy.RETRY or known
        return may_help and self.retry and not self.closed


async def told(asking: Awaitable[T]) -> T:
    """Returns the answer, or raises what the caller is to see."""
    try:
        return await asking
    except Failure as failure:
        raise failure.error from failure.__cause__
