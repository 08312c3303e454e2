"""The threads that load and unload versions, each one of its own."""

import logging
import threading
import time
from collections.abc import Callable

from kerassent.server.model_versions import Model, State, Version
from kerassent.server.servable import Servable
from kerassent.server.status import Code, StatusError

_log = logging.getLogger("kerassent.server")

Loader = Callable[[str, int, str], Servable]


class VersionWork:
    """Loads and unloads versions beside everything else.

    Args:
        load: Makes a version ready.
        max_load_retries: How often a failed load is tried again.
        load_retry_seconds: Seconds before it is.
        changed: Guards the versions; told of each change of a state.
        ending: Set when nothing may be waited for any more.
        step: Called with a model whose state has changed, the condition held.
    """

    def __init__(
        self,
        load: Loader,
        *,
        max_load_retries: int,
        load_retry_seconds: float,
        changed: threading.Condition,
        ending: threading.Event,
        step: Callable[[Model], None],
    ) -> None:
        self._load = load
        self._tries = 1 + max_load_retries
        self._retry_seconds = load_retry_seconds
        self._changed = changed
        self._ending = ending
        self._step = step
        self._threads: set[threading.Thread] = set()

    def begin_load(self, model: Model, version: Version) -> None:
        """Starts to load a version; the condition is held."""
        version.state = State.LOADING
        self._start(self._load_version, model, version)

    def begin_unload(self, model: Model, version: Version) -> None:
        """Starts to unload a version; the condition is held."""
        version.state = State.UNLOADING
        self._start(self._unload_version, model, version)

    def join(self) -> None:
        """Waits until all that has begun is done."""
        with self._changed:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _start(
        self,
        work: Callable[[Model, Version], None],
        model: Model,
        version: Version,
    ) -> None:
        def run() -> None:
            try:
                work(model, version)
            finally:
                with self._changed:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(
            target=run,
            name=f"kerassent-{model.config.name}-{version.number}",
            daemon=True,
        )
        self._threads.add(thread)
        thread.start()

    def _load_version(self, model: Model, version: Version) -> None:
        servable = None
        for attempt in range(self._tries):
            if attempt:
                version.dropped.wait(self._retry_seconds)
            if version.dropped.is_set():
                break
            servable = self._try_to_load(model, version, attempt)
            if servable is not None:
                break
        with self._changed:
            if servable is None:
                version.state = State.END
            else:
                version.error = None
                version.servable = servable
                version.state = State.AVAILABLE
            self._changed.notify_all()
            self._step(model)

    def _try_to_load(
        self, model: Model, version: Version, attempt: int
    ) -> Servable | None:
        """Returns a version that is ready, or notes why there is none."""
        name, number = model.config.name, version.number
        start = time.monotonic()
        try:
            servable = self._load(name, number, version.path)
        except StatusError as error:
            version.error = error
        except Exception as error:
            # A version that is never ready and never fails would be waited
            # for.
            version.error = StatusError(Code.INTERNAL, repr(error))
        else:
            _log.info(
                "Successfully loaded servable version {name: %s version: %d} "
                "in %.1f s",
                name,
                number,
                time.monotonic() - start,
            )
            return servable
        _log.error(
            "Loading servable {name: %s version: %d} failed (try %d of %d): %s",
            name,
            number,
            attempt + 1,
            self._tries,
            version.error,
        )
        return None

    def _unload_version(self, model: Model, version: Version) -> None:
        with self._changed:
            # Whoever has it keeps it; nobody else gets it.
            self._changed.wait_for(
                lambda: not version.users or self._ending.is_set()
            )
            if version.users:
                return  # `ServedModels.close` sees to it
            servable, version.servable = version.servable, None
        if servable is not None:
            servable.close()
        with self._changed:
            version.state = State.END
            self._changed.notify_all()
        _log.info(
            "Unloaded servable version {name: %s version: %d}",
            model.config.name,
            version.number,
        )
