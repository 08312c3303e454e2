"""The versions of one model: what state each is in, and what is due.

A version goes START, LOADING, AVAILABLE, UNLOADING, END. What the base path
holds and the policy chooses is *aspired*; a version that no longer is goes as
soon as one that is answers (or none is left), after its last request.

Nothing here locks, waits or works: `ServedModels` does.

Reference:
    tensorflow_serving/core/availability_preserving_policy.cc
"""

import enum
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kerassent.server.model_config import ModelConfig
from kerassent.server.servable import Servable
from kerassent.server.status import StatusError

# Ended versions that a status still lists.
MAX_ENDED: Final = 100


class State(enum.IntEnum):
    """A version's state; the numbers are `ModelVersionStatus.State`'s."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What a status request is told of a version.

    Args:
        version: The number.
        state: Where it is between START and END.
        error: Why it failed, or `None`.
    """

    version: int
    state: State
    error: StatusError | None = None


class Version:
    """One version, from when it is first seen until it is forgotten.

    Args:
        number: The version's number.
        path: Its directory.
    """

    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.path = path
        self.state = State.START
        self.error: StatusError | None = None
        self.servable: Servable | None = None
        # Requests that have it.
        self.users = 0
        self.aspired = True
        # Set when it is aspired no more: ends a wait for another try.
        self.dropped = threading.Event()

    def drop(self) -> None:
        """Wants it no more."""
        self.aspired = False
        self.dropped.set()


class Model:
    """A model's versions.

    Args:
        config: What is served.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        # Oldest first; a number that came back is there twice.
        self.versions: list[Version] = []

    def available(self) -> list[Version]:
        """Returns the versions that answer."""
        return [v for v in self.versions if v.state == State.AVAILABLE]

    def newest(self, number: int | None = None) -> Version | None:
        """Returns the version that answers a request, or `None`.

        Args:
            number: An exact version, or `None` for the highest.
        """
        found = [v for v in self.available() if number in (None, v.number)]
        # Of two with one number the later one is of the path in use.
        return max(reversed(found), key=lambda v: v.number, default=None)

    def has_failed(self) -> bool:
        """Whether nothing answers, and nothing will by itself."""
        return bool(self.versions) and all(
            version.state == State.END for version in self.versions
        )

    def aspire(self, chosen: Mapping[int, str]) -> None:
        """Notes which versions should be there.

        Args:
            chosen: Their directories by number.
        """
        for version in self.versions:
            if chosen.get(version.number) != version.path:
                version.drop()
        there = {v.number for v in self.versions if v.aspired}
        self.versions += [
            Version(number, path)
            for number, path in sorted(chosen.items())
            if number not in there
        ]
        ended = [
            v for v in self.versions if v.state == State.END and not v.aspired
        ]
        for version in ended[: max(0, len(ended) - MAX_ENDED)]:
            self.versions.remove(version)

    def due_to_load(self) -> list[Version]:
        """Returns the versions whose loading should begin."""
        # One that nobody wants any more is done first: where versions come
        # faster than they load, they would pile up.
        if any(
            v.state == State.LOADING and not v.aspired for v in self.versions
        ):
            return []
        return [
            v for v in self.versions if v.aspired and v.state == State.START
        ]

    def due_to_unload(self) -> list[Version]:
        """Returns the versions that should go."""
        aspired = [v for v in self.versions if v.aspired]
        going = [v for v in self.available() if not v.aspired]
        if aspired and not any(v.state == State.AVAILABLE for v in aspired):
            # Somebody has to answer: the newest of those that must go.
            going = sorted(going, key=lambda v: v.number)[:-1]
        return going

    def statuses(self) -> dict[int, VersionStatus]:
        """Returns each version's status by its number."""
        return {
            v.number: VersionStatus(v.number, v.state, v.error)
            for v in self.versions
        }
