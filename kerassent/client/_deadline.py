"""How long a request may still take, whatever it is tried for."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Deadline:
    """A moment by which an answer must be there.

    Args:
        timeout: The seconds that there were, for messages.
        moment: `time.monotonic()` when they are over.
    """

    timeout: float
    moment: float

    @classmethod
    def after(cls, timeout: float) -> Self:
        """Returns the deadline `timeout` seconds from now."""
        return cls(timeout, time.monotonic() + timeout)

    def left(self) -> float:
        """Returns the seconds that are left, 0 or more."""
        return max(0.0, self.moment - time.monotonic())

    def or_after(self, timeout: float) -> "Deadline":
        """Returns the earlier one of this and `timeout` seconds from now."""
        other = Deadline.after(timeout)
        return self if self.moment < other.moment else other
