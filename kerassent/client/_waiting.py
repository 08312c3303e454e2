"""Two ways to wait: a thread that stands still, or an event loop that doesn't.

The client's logic is written once, as coroutines. `Blocking` never suspends
one: what it awaits is done when it returns, so that `run` has the result after
one step, without an event loop. `OnEventLoop` suspends them as usual.
"""

import asyncio
import threading
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")

# Over REST each request that is under way has a thread, in an event loop too.
MAX_THREADS: Final = 64


class Closed(Exception):
    """Whoever waits was closed; never seen outside of the client."""


class Waiting(Protocol):
    """How a client waits."""

    async def begin_turn(self, seconds: float | None) -> None:
        """Waits until `call` has a thread at once.

        Args:
            seconds: How long to wait at most, or `None` for ever.

        Raises:
            Closed: It is closed.
            TimeoutError: There was none in time.
        """

    def end_turn(self) -> None:
        """Gives the thread to the next."""

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function returns that blocks.

        Raises:
            Closed: It is closed.
        """

    async def call_grpc(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns what a `grpc.UnaryUnaryMultiCallable` answers."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Any:
        """Starts work beside the caller's, and returns its handle."""

    async def finish(self, handle: Any) -> Any:
        """Returns what started work returned, when it is done."""

    def abandon(self, handle: Any) -> None:
        """Says that nobody waits for started work any more."""

    def close(self) -> None:
        """Gives back what it holds."""


def run(awaitable: Awaitable[T]) -> T:
    """Returns what a coroutine returns that waits by `Blocking`."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("A blocking client was suspended.")


def iterate(generator: AsyncGenerator[T]) -> Iterator[T]:
    """Yields what an asynchronous generator yields that waits so."""
    try:
        while True:
            try:
                value = run(anext(generator))
            except StopAsyncIteration:
                return
            yield value
    finally:
        run(generator.aclose())


def begin(function: Callable[[], T]) -> "Future[T]":
    """Calls a function in a thread of its own, and returns its result to come.

    The thread doesn't keep Python from ending, as an executor's would: whoever
    presses Ctrl-C does not wait for a server that says nothing.

    Args:
        function: What to call.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


class Blocking:
    """Waits in the caller's thread; started work has threads of its own."""

    async def begin_turn(self, seconds: float | None) -> None:
        """Does nothing: whoever calls has a thread."""

    def end_turn(self) -> None:
        """Does nothing."""

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function returns."""
        return function()

    async def call_grpc(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns what the method answers."""
        return method(*args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Starts a thread."""
        return begin(lambda: run(coroutine))

    async def finish(self, handle: "Future[T]") -> T:
        """Returns what the thread's coroutine returned."""
        return handle.result()

    def abandon(self, handle: "Future[T]") -> None:
        """Does nothing: the request ends by itself, at its deadline."""

    def close(self) -> None:
        """Does nothing."""


class OnEventLoop:
    """Waits in asyncio's way."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_THREADS, "kerassent-client")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = asyncio.Semaphore(MAX_THREADS)
        self._num_kept = 0
        self._closed = False

    async def begin_turn(self, seconds: float | None) -> None:
        """Waits until one of the threads is free."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A semaphore is of one loop. What the last one's tasks have of
            # it, they don't give back.
            self._loop, self._num_kept = loop, 0
            self._turns = asyncio.Semaphore(MAX_THREADS)
        async with asyncio.timeout(seconds):
            await self._turns.acquire()
        if self._closed:
            self._turns.release()  # The next one is to see it, too.
            raise Closed

    def end_turn(self) -> None:
        """Gives the thread to the next, when it is free."""
        if self._num_kept:
            self._num_kept -= 1
        else:
            self._turns.release()

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function returns, which runs in a thread."""
        if self._closed:
            raise Closed
        loop, turns = asyncio.get_running_loop(), self._turns
        work = self._threads.submit(function)

        def free(_: Any) -> None:
            try:
                loop.call_soon_threadsafe(turns.release)
            except RuntimeError:
                pass  # The loop is closed: nobody waits.

        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            if not work.cancel():
                # The turn that ends now leaves its thread at work.
                self._num_kept += 1
                work.add_done_callback(free)
            raise

    async def call_grpc(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns what the method answers; it costs no thread."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        call = method.future(*args, **kwargs)

        def tell(_: Any) -> None:
            try:
                loop.call_soon_threadsafe(done.set)
            except RuntimeError:
                pass  # The loop is closed: nobody waits.

        call.add_done_callback(tell)
        try:
            await done.wait()
        except asyncio.CancelledError:
            call.cancel()
            raise
        return call.result()

    async def sleep(self, seconds: float) -> None:
        """Lets the loop go on."""
        await asyncio.sleep(seconds)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Starts a task."""
        return asyncio.ensure_future(coroutine)

    async def finish(self, handle: "asyncio.Task[T]") -> T:
        """Returns what the task returned."""
        return await handle

    def abandon(self, handle: "asyncio.Task[T]") -> None:
        """Cancels the task."""
        handle.cancel()
        # What it raised meanwhile is nobody's any more.
        handle.add_done_callback(
            lambda task: task.cancelled() or task.exception()
        )

    def close(self) -> None:
        """Lets the threads go when their requests have ended."""
        if not self._closed:
            self._closed = True
            self._threads.shutdown(wait=False)
            self._turns.release()  # Wakes the first of those that wait.
