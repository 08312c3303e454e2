"""Looks at base paths: which of the versions there should be served.

Reference:
    tensorflow_serving/sources/storage_path/
    file_system_storage_path_source.cc
"""

import logging
import threading
from collections.abc import Callable

from kerassent.server.model_config import ModelConfig
from kerassent.server.versions import find_versions

_log = logging.getLogger("kerassent.server")


def choose_versions(config: ModelConfig) -> dict[int, str] | None:
    """Returns the directories to serve by their version.

    Args:
        config: Where to look, and what to choose.

    Returns:
        `None` if the base path cannot be read: as in TensorFlow Serving what
        is loaded stays then.
    """
    try:
        found = find_versions(config.base_path)
    except OSError as error:
        _log.warning(
            "Could not find base path %s for servable %s: %s",
            config.base_path,
            config.name,
            error.strerror,
        )
        return None
    chosen = config.policy.choose(found)
    for number in set(config.policy.versions) - found.keys():
        _log.warning(
            "Version %d of servable %s, which was requested to be served as a "
            "specific version in the servable's version policy, was not found "
            "in the file system.",
            number,
            config.name,
        )
    if not chosen:
        _log.warning(
            "No versions of servable %s found under base path %s",
            config.name,
            config.base_path,
        )
    return chosen


class Poller:
    """A thread that looks again and again, until it is told to end.

    Args:
        look: What it calls.
        seconds: How long it waits in between; 0 never looks.
        ending: Set when it should end.
    """

    def __init__(
        self,
        look: Callable[[], None],
        seconds: float,
        ending: threading.Event,
    ) -> None:
        self._look = look
        self._seconds = seconds
        self._ending = ending
        self._thread = threading.Thread(
            target=self._run, name="kerassent-versions", daemon=True
        )

    def start(self) -> None:
        """Begins, unless it has begun or there is nothing to wait for."""
        if self._seconds > 0 and self._thread.ident is None:
            self._thread.start()

    def join(self) -> None:
        """Waits for its end."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._seconds):
            try:
                self._look()
            except Exception:
                _log.exception("A look at the base paths failed")
