"""Texts as requests: so many that a server takes them, and no more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kerassent.client._failure import Remedy

# What gRPC servers take unless told otherwise is 4 MiB; the rest is for all
# that is no text.
MAX_REQUEST_BYTES: Final = (4 << 20) - (64 << 10)

# A tag and a length of up to five bytes; two quotes and what REST has around.
_BYTES_AROUND_A_TEXT: Final = 16


@dataclass(frozen=True)
class Chunk:
    """Texts that go in one request.

    Args:
        start: The first one's place among all texts of the call.
        texts: The texts, one or more.
    """

    start: int
    texts: list[bytes]

    @property
    def num_bytes(self) -> int:
        """How large a request the texts make, about."""
        return sum(map(len, self.texts)) + _BYTES_AROUND_A_TEXT * len(
            self.texts
        )

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Returns two chunks in place of one; it needs two texts or more."""
        middle = len(self.texts) // 2
        return (
            Chunk(self.start, self.texts[:middle]),
            Chunk(self.start + middle, self.texts[middle:]),
        )


class Limits:
    """What a server takes in one request, as far as is known.

    Safe to share by threads: a limit only goes down, and one that is too high
    for a moment costs a request.

    Args:
        max_texts: The most texts.
        max_bytes: The most bytes.
    """

    def __init__(
        self, max_texts: int, max_bytes: int = MAX_REQUEST_BYTES
    ) -> None:
        self.max_texts = max_texts
        self.max_bytes = max_bytes

    def lower(self, refused: Chunk, remedy: Remedy) -> None:
        """Remembers that a chunk was too large, and in which way."""
        if remedy is Remedy.FEWER_TEXTS:
            self.max_texts = min(self.max_texts, len(refused.texts) // 2)
        else:
            self.max_bytes = min(self.max_bytes, refused.num_bytes // 2)


def chunks(
    texts: Iterable[bytes], limits: Limits, *, max_texts: int | None = None
) -> Iterator[Chunk]:
    """Yields all texts in order, in chunks within the limits of the moment.

    A text that is larger than the limit goes alone.

    Args:
        texts: The texts. They are read as they are needed.
        limits: What the server takes.
        max_texts: The most texts where that is less than the limit.
    """
    start, gathered, num_bytes = 0, list[bytes](), 0
    for text in texts:
        size = len(text) + _BYTES_AROUND_A_TEXT
        most = min(limits.max_texts, max_texts or limits.max_texts)
        if gathered and (
            len(gathered) >= most or num_bytes + size > limits.max_bytes
        ):
            yield Chunk(start, gathered)
            start += len(gathered)
            gathered, num_bytes = [], 0
        gathered.append(text)
        num_bytes += size
    if gathered:
        yield Chunk(start, gathered)
