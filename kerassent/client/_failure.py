"""Why a request failed, and what helps against it."""

import random
from enum import Enum, auto
from typing import Final

from kerassent.errors import ServingError, TextTooLong

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Remedy(Enum):
    """What to do about a request that failed."""

    NONE = auto()
    RETRY = auto()  # The same again, a little later.
    RETRY_IF_KNOWN = auto()  # The same, if the server answered before.
    FEWER_TEXTS = auto()  # Halve it: the server takes no batch so long.
    FEWER_BYTES = auto()  # Halve it: the server takes no message so large.


class Failure(Exception):
    """A request that failed; never seen outside of the client.

    Args:
        error: What the caller gets if nothing helps.
        remedy: What may help.
        pause: Seconds that the server asks to wait before the next attempt.
    """

    def __init__(
        self,
        error: ServingError,
        remedy: Remedy = Remedy.NONE,
        *,
        pause: float = 0.0,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.remedy = remedy
        self.pause = pause

    def count(self, attempts: int, timeout: float) -> None:
        """Lets the error say how often it was tried, if more than once."""
        if attempts > 1:
            self.error = type(self.error)(
                f"{self.error} Tried {attempts} times within {timeout:.4g} "
                "seconds.",
                model_name=self.error.model_name,
                url=self.error.url,
            )

    def blame(self, text: bytes) -> None:
        """Lets the error say that this one text alone is too large."""
        self.error = TextTooLong(
            f"{self.error} The text has {len(text)} bytes.",
            model_name=self.error.model_name,
            url=self.error.url,
        )


def pause_after(attempts: int, failure: Failure) -> float:
    """Returns the seconds to wait before the next attempt.

    They double from attempt to attempt, from a tenth of a second to two, and
    are drawn between half and all of that: clients that failed together don't
    come back together.

    Args:
        attempts: How many there were, 1 or more.
        failure: The last one.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts - 1, 10))
    drawn = random.uniform(longest / 2, longest)
    return max(failure.pause, drawn)
