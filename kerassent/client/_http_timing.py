"""HTTP timeouts that are of a whole answer.

A socket's timeout is of each piece that it receives, so that an answer that
comes byte by byte never ends. Here it is of all pieces from the first byte of
the status line to the last of the body.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any, Final

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import (
    HTTPConnectionPool,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Timeout,
)
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Reader(io.RawIOBase):
    """Reads what a socket receives within its timeout, counted from now."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        timeout = sock.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: Final = {"http": _Pool, "https": _TlsPool}


class TimedAdapter(HTTPAdapter):
    """Gives a `requests.Session` such timeouts, with what connecting takes."""

    def send(self, *args: Any, **kwargs: Any) -> Response:
        """Returns the answer to a request."""
        kwargs["timeout"] = Timeout(total=kwargs["timeout"])
        return super().send(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools of connections to servers."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        """Returns the pools of connections by way of a proxy."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        if isinstance(
            manager, ProxyManager
        ):  # SOCKS has connections of its own
            manager.pool_classes_by_scheme = _POOLS
        return manager
