"""HTTP request bodies: read and inflated within limits."""

import threading
import zlib
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

# TensorFlow Serving reads any body. This one runs beside other things, and
# JSON becomes many times its size when it is read: an empty list has 2 bytes
# there and 64 here.
MAX_BODY_BYTES: Final = 64 * 2**20
MAX_BODIES_BYTES: Final = 256 * 2**20
MAX_INFLATED_BYTES: Final = 100 * 2**20
_CHUNK_BYTES: Final = 2**20


class BodyRefused(Exception):
    """A body that is not read.

    Args:
        status: The HTTP status to answer with.
        message: What to say.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Budget:
    """Bytes that all requests under way may hold.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._held = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Holds some more.

        Args:
            count: Bytes.

        Raises:
            BodyRefused: If that is more than there is.
        """
        with self._lock:
            if self._held + count > self.size:
                raise BodyRefused(
                    503,
                    f"The requests under way hold {self._held} bytes of the "
                    f"{self.size} that this server keeps for them. Try again.",
                )
            self._held += count

    def give_back(self, count: int) -> None:
        """Holds so many less.

        Args:
            count: Bytes.
        """
        with self._lock:
            self._held -= count


class Hold:
    """What one request has of a budget.

    Args:
        budget: Where it is from.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._count = 0

    def take(self, count: int) -> None:
        """Holds some more.

        Args:
            count: Bytes.

        Raises:
            BodyRefused: If that is more than there is.
        """
        self._budget.take(count)
        self._count += count

    def end(self) -> None:
        """Gives all back."""
        self._budget.give_back(self._count)
        self._count = 0


async def read_body(request: Request, most: int, hold: Hold) -> bytes:
    """Returns a request's body, as it came.

    Args:
        request: The request.
        most: The largest body to read.
        hold: Takes what is read.

    Raises:
        BodyRefused: If it is larger, or there is no room for it.
        ClientDisconnect: If it does not come to its end.
    """
    too_large = BodyRefused(
        413,
        f"The request body is larger than the {most} bytes that this server "
        "reads. Send fewer instances in a request.",
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > most:
            raise too_large
        hold.take(len(chunk))
        body += chunk
    return bytes(body)


def inflate(
    body: bytes, take: Callable[[int], None] = lambda count: None
) -> bytes:
    """Returns a gzip body's content, empty if it is broken or too large.

    Args:
        body: The compressed body.
        take: Called with the bytes of each piece before it is kept.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    inflated = bytearray()
    while not inflater.eof:
        try:
            piece = inflater.decompress(body, _CHUNK_BYTES)
        except zlib.error:
            return b""
        body = inflater.unconsumed_tail
        if not piece and not body and not inflater.eof:
            return b""  # cut short
        if len(inflated) + len(piece) > MAX_INFLATED_BYTES:
            return b""
        take(len(piece))
        inflated += piece
    return bytes(inflated)
