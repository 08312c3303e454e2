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
_MAX_THREADS: Final = 64


class Waiting(Protocol):
    """How a client waits."""

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function returns that blocks."""

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


class Blocking:
    """Waits in the caller's thread; started work has threads of its own."""

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
        """Starts a thread.

        It doesn't keep Python from ending: whoever presses Ctrl-C does not
        wait for a server that says nothing.
        """
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(run(coroutine))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

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
        self._threads = ThreadPoolExecutor(_MAX_THREADS, "kerassent-client")

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function returns, which runs in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function)

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
        self._threads.shutdown(wait=False, cancel_futures=True)
