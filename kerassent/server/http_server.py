"""The HTTP port: uvicorn in a thread of its own, patient within limits."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# What a client may take its time for, in seconds.
HEAD_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 60.0
KEEP_ALIVE_SECONDS: Final = 75
MAX_HEAD_BYTES: Final = 64 * 2**10
MAX_CONNECTIONS: Final = 1000

_START_SECONDS: Final = 30.0


class ImpatientProtocol(H11Protocol):
    """A connection that ends if its client stops sending or reading.

    uvicorn limits only how long a connection idles between requests.
    """

    head_seconds = HEAD_SECONDS
    pause_seconds = PAUSE_SECONDS
    max_connections = MAX_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for a request's head."""
        super().connection_made(transport)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head = False
        self._since = self.loop.time()
        if len(self.connections) > self.max_connections:
            self._drop_the_slowest()
        self._time_head()

    def _drop_the_slowest(self) -> None:
        """Makes room: whoever has waited longest without a request goes."""
        waiting = [
            connection
            for connection in self.connections
            if isinstance(connection, ImpatientProtocol)
            and connection.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        ]
        slowest = min(waiting, key=lambda connection: connection._since)
        # It hears of it in a later turn of the loop; it is gone now.
        self.connections.discard(slowest)
        slowest.transport.abort()

    def _time_head(self) -> None:
        self._in_head = True
        self._reading = self._time(self.head_seconds)

    def _time(self, seconds: float) -> asyncio.TimerHandle:
        abort: Callable[[], None] = self.transport.abort
        return self.loop.call_later(seconds, abort)

    def _stop_reading_clock(self) -> None:
        self._in_head = False
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def data_received(self, data: bytes) -> None:
        """Reads on, and starts the clock for what is still to come."""
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.IDLE:
            # Of a head, byte by byte: the clock runs from the first.
            if not self._in_head and self.conn.trailing_data[0]:
                self._time_head()
            return
        self._stop_reading_clock()
        if state is h11.SEND_BODY and not self.flow.read_paused:
            self._since = self.loop.time()
            self._reading = self._time(self.pause_seconds)

    def on_response_complete(self) -> None:
        """Goes on with the next request."""
        self._stop_reading_clock()
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Starts the clock for a client that does not read."""
        super().pause_writing()
        self._writing = self._time(self.pause_seconds)

    def resume_writing(self) -> None:
        """Stops it."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops all clocks."""
        self._stop_reading_clock()
        if self._writing is not None:
            self._writing.cancel()
        super().connection_lost(exc)


class HttpServer:
    """An ASGI application on bound sockets, open until `begin_stop`.

    Args:
        app: The ASGI application.
        bound: The sockets; they are closed at the end.
        grace: Seconds that requests under way get when it stops.
        protocol: How a connection is served.
    """

    def __init__(
        self,
        app: Any,
        bound: Sequence[socket.socket],
        *,
        grace: float,
        protocol: type[H11Protocol] = ImpatientProtocol,
    ) -> None:
        self.port: int = bound[0].getsockname()[1]
        self._sockets = list(bound)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._thread = threading.Thread(
            target=self._uvicorn.run,
            kwargs={"sockets": self._sockets},
            name="kerassent-rest",
            daemon=True,
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._uvicorn.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("The HTTP server did not start.")
            time.sleep(0.005)

    def begin_stop(self) -> None:
        """Takes no more requests; those under way go on."""
        self._uvicorn.should_exit = True

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end after `begin_stop`.

        Args:
            timeout: Seconds, or `None` for as long as it takes.
        """
        self._thread.join(timeout)
        if not self._thread.is_alive():
            for bound in self._sockets:
                bound.close()
