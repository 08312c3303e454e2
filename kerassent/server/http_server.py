"""The HTTP port: uvicorn in a thread of its own."""

import socket
import threading
import time
from typing import Any, Final

import uvicorn

_START_SECONDS: Final = 30.0


class HttpServer:
    """An ASGI application on a bound socket, open until `begin_stop`.

    Args:
        app: The ASGI application.
        bound: The socket, bound but not listening; it is closed at the end.
        grace: Seconds that requests under way get when it stops.
    """

    def __init__(self, app: Any, bound: socket.socket, *, grace: float) -> None:
        self.port: int = bound.getsockname()[1]
        self._socket = bound
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._thread = threading.Thread(
            target=self._uvicorn.run,
            kwargs={"sockets": [bound]},
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
            self._socket.close()
