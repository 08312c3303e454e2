"""The served models: which versions are loaded, and which one a request gets.

A version goes START, LOADING, AVAILABLE, UNLOADING, END. What the base path
holds and the policy chooses is *aspired*; a version that no longer is goes as
soon as one that is answers (or none is left), after its last request.

Reference:
    tensorflow_serving/core/availability_preserving_policy.cc,
    tensorflow_serving/core/aspired_versions_manager.cc and
    tensorflow_serving/model_servers/server_core.cc
"""

import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kerassent.server.model_config import ModelConfig, check_configs
from kerassent.server.model_spec import ModelSpec
from kerassent.server.servable import Servable
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.versions import find_versions

_log = logging.getLogger("kerassent.server")

# Ended versions that a status still lists.
_MAX_ENDED: Final = 100
_TICK_SECONDS: Final = 0.1

Loader = Callable[[str, int, str], Servable]


class State(enum.IntEnum):
    """A version's state; the numbers are `ModelVersionStatus.State`'s."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class LifecycleOptions:
    """How versions come and go; the defaults are TensorFlow Serving's.

    Args:
        poll_seconds: Seconds between two looks at the base paths; 0 looks once.
        max_load_retries: How often a failed load is tried again.
        load_retry_seconds: Seconds before it is.
        labels_for_unavailable: Whether a new label may name a version that is
            not available.
    """

    poll_seconds: float = 1.0
    max_load_retries: int = 5
    load_retry_seconds: float = 60.0
    labels_for_unavailable: bool = False


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


class _Version:
    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.path = path
        self.state = State.START
        self.error: StatusError | None = None
        self.servable: Servable | None = None
        self.users = 0
        self.aspired = True
        self.dropped = threading.Event()


class _Model:
    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        # Oldest first; a number that came back is there twice.
        self.versions: list[_Version] = []

    def available(self) -> list[_Version]:
        return [v for v in self.versions if v.state == State.AVAILABLE]


class ServedModels:
    """All models of a server; any number of threads may ask.

    Args:
        load: Makes a version ready.
        options: How versions come and go.
    """

    def __init__(self, load: Loader, options: LifecycleOptions) -> None:
        self._load = load
        self._options = options
        self._models: dict[str, _Model] = {}
        self._labels: dict[str, Mapping[str, int]] | None = None
        self._wanted: set[str] = set()
        # Guards all of the above; told of each change of a state.
        self._changed = threading.Condition()
        self._configuring = threading.Lock()
        self._closing = threading.Event()
        self._workers: set[threading.Thread] = set()
        self._poller = threading.Thread(
            target=self._poll_for_ever, name="kerassent-versions", daemon=True
        )

    # --- Configuration

    def configure(
        self,
        configs: Sequence[ModelConfig],
        *,
        should_wait: Callable[[], bool] = lambda: True,
    ) -> None:
        """Serves these models and no others, and waits for the new ones.

        Args:
            configs: The models.
            should_wait: Asked often while it waits; false gives up.

        Raises:
            StatusError: If the models are refused, or a new one fails.
        """
        check_configs(configs)
        with self._configuring:
            with self._changed:
                labels = self._checked_labels(configs)
                self._labels = labels
                wanted = {config.name: config for config in configs}
                new = [name for name in wanted if name not in self._models]
                for name, model in self._models.items():
                    if name not in wanted:
                        self._aspire(model, {})
                for name, config in wanted.items():
                    self._models.setdefault(
                        name, _Model(config)
                    ).config = config
                self._wanted = set(wanted)
            self._poll()
            if self._options.poll_seconds > 0 and not self._poller.is_alive():
                self._poller.start()
            self._wait_for(new, should_wait)

    def _checked_labels(
        self, configs: Sequence[ModelConfig]
    ) -> dict[str, Mapping[str, int]]:
        labels: dict[str, Mapping[str, int]] = {}
        for config in configs:
            existing = (self._labels or {}).get(config.name, {})
            model = self._models.get(config.name)
            available = (
                {v.number for v in model.available()} if model else set()
            )
            for label, version in config.labels.items():
                moved = existing.get(label, version) != version
                if version not in available and (
                    moved or not self._options.labels_for_unavailable
                ):
                    raise StatusError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of "
                        f"model {config.name}, which is not currently "
                        "available for inference",
                    )
            labels[config.name] = dict(config.labels)
        return labels

    def _wait_for(
        self, names: Sequence[str], should_wait: Callable[[], bool]
    ) -> None:
        with self._changed:
            while not self._closing.is_set() and should_wait():
                models = [
                    model
                    for name in names
                    if (model := self._models.get(name)) is not None
                    and not model.available()
                ]
                failed = [
                    model
                    for model in models
                    if model.versions
                    and all(v.state == State.END for v in model.versions)
                ]
                if len(failed) == len(models):
                    break
                self._changed.wait(_TICK_SECONDS)
            else:
                raise StatusError(
                    Code.CANCELLED, "Gave up waiting for models to be available"
                )
        if not failed:
            return
        errors = [
            f"{{name: {model.config.name} version: {version.number}}} due to "
            f"error: {version.error}"
            for model in failed
            for version in model.versions[-1:]
        ]
        raise StatusError(
            Code.UNKNOWN,
            f"{len(errors)} servable(s) did not become available: "
            f"{{{', '.join(errors)}, }}",
        )

    # --- Versions

    def _poll_for_ever(self) -> None:
        while not self._closing.wait(self._options.poll_seconds):
            try:
                self._poll()
            except Exception:
                _log.exception("A look at the base paths failed")

    def _poll(self) -> None:
        """Looks at all base paths once."""
        with self._changed:
            configs = [
                model.config
                for name, model in self._models.items()
                if name in self._wanted
            ]
        for config in configs:
            try:
                found = find_versions(config.base_path)
            except OSError as error:
                # As in TensorFlow Serving what is loaded stays.
                _log.warning(
                    "Could not find base path %s for servable %s: %s",
                    config.base_path,
                    config.name,
                    error.strerror,
                )
                continue
            chosen = config.policy.choose(found)
            for number in set(config.policy.versions) - found.keys():
                _log.warning(
                    "Version %d of servable %s, which was requested to be "
                    "served as a specific version in the servable's version "
                    "policy, was not found in the file system.",
                    number,
                    config.name,
                )
            if not chosen:
                _log.warning(
                    "No versions of servable %s found under base path %s",
                    config.name,
                    config.base_path,
                )
            with self._changed:
                model = self._models.get(config.name)
                # Another configuration may have come in between.
                if model is not None and model.config is config:
                    self._aspire(model, chosen)

    def _aspire(self, model: _Model, chosen: Mapping[int, str]) -> None:
        """Notes which versions should be there; the condition is held."""
        for version in model.versions:
            version.aspired = (
                version.aspired and chosen.get(version.number) == version.path
            )
            if not version.aspired:
                version.dropped.set()
        there = {v.number for v in model.versions if v.aspired}
        model.versions += [
            _Version(number, path)
            for number, path in sorted(chosen.items())
            if number not in there
        ]
        ended = [
            v for v in model.versions if v.state == State.END and not v.aspired
        ]
        for version in ended[: max(0, len(ended) - _MAX_ENDED)]:
            model.versions.remove(version)
        self._step(model)

    def _step(self, model: _Model) -> None:
        """Starts what is to be loaded or unloaded; the condition is held."""
        if self._closing.is_set():
            return
        # One that nobody wants any more is done first: where versions come
        # faster than they load, they would pile up.
        if not any(
            v.state == State.LOADING and not v.aspired for v in model.versions
        ):
            for version in model.versions:
                if version.aspired and version.state == State.START:
                    version.state = State.LOADING
                    self._start(self._load_version, model, version)
        aspired = [v for v in model.versions if v.aspired]
        going = [v for v in model.available() if not v.aspired]
        if aspired and not any(v.state == State.AVAILABLE for v in aspired):
            # Somebody has to answer: the newest of those that must go.
            going = sorted(going, key=lambda v: v.number)[:-1]
        for version in going:
            version.state = State.UNLOADING
            self._start(self._unload_version, model, version)
        self._changed.notify_all()

    def _start(
        self,
        work: Callable[[_Model, _Version], None],
        model: _Model,
        version: _Version,
    ) -> None:
        def run() -> None:
            try:
                work(model, version)
            finally:
                with self._changed:
                    self._workers.discard(threading.current_thread())

        worker = threading.Thread(
            target=run,
            name=f"kerassent-{model.config.name}-{version.number}",
            daemon=True,
        )
        self._workers.add(worker)
        worker.start()

    def _load_version(self, model: _Model, version: _Version) -> None:
        name, number = model.config.name, version.number
        tries = 1 + self._options.max_load_retries
        for attempt in range(tries):
            if attempt:
                version.dropped.wait(self._options.load_retry_seconds)
            if version.dropped.is_set():
                break
            start = time.monotonic()
            try:
                servable = self._load(name, number, version.path)
            except StatusError as error:
                version.error = error
            except Exception as error:
                # A version that is never ready and never fails would be
                # waited for.
                version.error = StatusError(Code.INTERNAL, repr(error))
            else:
                _log.info(
                    "Successfully loaded servable version {name: %s version: "
                    "%d} in %.1f s",
                    name,
                    number,
                    time.monotonic() - start,
                )
                with self._changed:
                    version.error = None
                    version.servable = servable
                    version.state = State.AVAILABLE
                    self._changed.notify_all()
                    self._step(model)
                return
            _log.error(
                "Loading servable {name: %s version: %d} failed (try %d of "
                "%d): %s",
                name,
                number,
                attempt + 1,
                tries,
                version.error,
            )
        with self._changed:
            version.state = State.END
            self._changed.notify_all()
            self._step(model)

    def _unload_version(self, model: _Model, version: _Version) -> None:
        with self._changed:
            # Whoever has it keeps it; nobody else gets it.
            self._changed.wait_for(
                lambda: not version.users or self._closing.is_set()
            )
            if version.users:
                return  # `close` sees to it
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

    # --- Requests

    @contextmanager
    def use(self, spec: ModelSpec) -> Iterator[Servable]:
        """Lends the version that a request is for.

        Args:
            spec: Which one.

        Raises:
            StatusError: In TensorFlow Serving's words if there is none.
        """
        with self._changed:
            version = self._find(spec)
            version.users += 1
            servable = version.servable
        try:
            if servable is None:  # `close` was faster
                raise StatusError(
                    Code.UNAVAILABLE, "The server is being stopped."
                )
            yield servable
        finally:
            with self._changed:
                version.users -= 1
                if not version.users and version.state != State.AVAILABLE:
                    self._changed.notify_all()

    def _find(self, spec: ModelSpec) -> _Version:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = spec.version
        if spec.label is not None:
            number = self._labelled(spec.name, spec.label)
        model = self._models.get(spec.name)
        available = model.available() if model is not None else []
        if number is None:
            wanted = f"Latest({spec.name})"
        else:
            available = [v for v in available if v.number == number]
            wanted = f"Specific({spec.name}, {number})"
        if not available:
            raise StatusError(
                Code.NOT_FOUND, f"Servable not found for request: {wanted}"
            )
        # Of two with one number the later one is of the path in use.
        return max(reversed(available), key=lambda version: version.number)

    def _labelled(self, name: str, label: str) -> int:
        if self._labels is None:
            raise StatusError(
                Code.UNAVAILABLE, f"Model labels does not init yet.{label}"
            )
        labels = self._labels.get(name, {})
        if label not in labels:
            raise invalid_argument(
                f"Unrecognized servable version label: {label}"
            )
        return labels[label]

    def list_versions(self, spec: ModelSpec) -> list[VersionStatus]:
        """Returns the state of a model's versions, newest first.

        As in TensorFlow Serving a label is ignored here.

        Args:
            spec: Which model, and perhaps which version.

        Raises:
            StatusError: If there is no such model or version.
        """
        with self._changed:
            model = self._models.get(spec.name)
            statuses = {
                v.number: VersionStatus(v.number, v.state, v.error)
                for v in (model.versions if model is not None else ())
            }
        if spec.version is not None:
            if spec.version not in statuses:
                raise StatusError(
                    Code.NOT_FOUND,
                    f"Could not find version {spec.version} of model "
                    f"{spec.name}",
                )
            return [statuses[spec.version]]
        if not statuses:
            raise StatusError(
                Code.NOT_FOUND,
                f"Could not find any versions of model {spec.name}",
            )
        return [statuses[number] for number in sorted(statuses, reverse=True)]

    def close(self) -> None:
        """Loads nothing more and frees all that is loaded.

        A request that is still under way ends with CANCELLED.
        """
        self._closing.set()
        with self._changed:
            for model in self._models.values():
                for version in model.versions:
                    version.dropped.set()
            self._changed.notify_all()
            workers = list(self._workers)
        for worker in workers:
            worker.join()
        if self._poller.is_alive():
            self._poller.join()
        with self._changed:
            loaded = [
                version
                for model in self._models.values()
                for version in model.versions
                if version.servable is not None
            ]
        for version in loaded:
            if version.servable is not None:
                version.servable.close()
                version.servable = None
                version.state = State.END
