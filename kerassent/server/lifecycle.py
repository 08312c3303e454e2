"""The served models: how they are configured, and which one a request gets.

Reference:
    tensorflow_serving/core/aspired_versions_manager.cc and
    tensorflow_serving/model_servers/server_core.cc
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kerassent.server.model_config import ModelConfig, check_configs
from kerassent.server.model_spec import ModelSpec
from kerassent.server.model_versions import (
    Model,
    State,
    Version,
    VersionStatus,
)
from kerassent.server.servable import Servable
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.version_source import Poller, choose_versions
from kerassent.server.version_work import Loader, VersionWork

_TICK_SECONDS: Final = 0.1


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


class ServedModels:
    """All models of a server; any number of threads may ask.

    Args:
        load: Makes a version ready.
        options: How versions come and go.
    """

    def __init__(self, load: Loader, options: LifecycleOptions) -> None:
        self._options = options
        self._models: dict[str, Model] = {}
        self._labels: dict[str, Mapping[str, int]] | None = None
        self._wanted: set[str] = set()
        # Guards all of the above; told of each change of a state.
        self._changed = threading.Condition()
        self._configuring = threading.Lock()
        self._closing = threading.Event()
        self._poller = Poller(self._poll, options.poll_seconds, self._closing)
        self._work = VersionWork(
            load,
            max_load_retries=options.max_load_retries,
            load_retry_seconds=options.load_retry_seconds,
            changed=self._changed,
            ending=self._closing,
            step=self._step,
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
                    self._models.setdefault(name, Model(config)).config = config
                self._wanted = set(wanted)
            self._poll()
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
                if all(model.has_failed() for model in models):
                    break
                self._changed.wait(_TICK_SECONDS)
            else:
                raise StatusError(
                    Code.CANCELLED, "Gave up waiting for models to be available"
                )
        if not models:
            return
        errors = [
            f"{{name: {model.config.name} version: {version.number}}} due to "
            f"error: {version.error}"
            for model in models
            for version in model.versions[-1:]
        ]
        raise StatusError(
            Code.UNKNOWN,
            f"{len(errors)} servable(s) did not become available: "
            f"{{{', '.join(errors)}, }}",
        )

    # --- Versions

    def _poll(self) -> None:
        """Looks at all base paths once."""
        with self._changed:
            configs = [
                model.config
                for name, model in self._models.items()
                if name in self._wanted
            ]
        for config in configs:
            chosen = choose_versions(config)
            if chosen is None:
                continue
            with self._changed:
                model = self._models.get(config.name)
                # Another configuration may have come in between.
                if model is not None and model.config is config:
                    self._aspire(model, chosen)

    def _aspire(self, model: Model, chosen: Mapping[int, str]) -> None:
        """Notes which versions should be there; the condition is held."""
        model.aspire(chosen)
        self._step(model)

    def _step(self, model: Model) -> None:
        """Starts what is to be loaded or unloaded; the condition is held."""
        if self._closing.is_set():
            return
        for version in model.due_to_load():
            self._work.begin_load(model, version)
        for version in model.due_to_unload():
            self._work.begin_unload(model, version)
        self._changed.notify_all()

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

    def _find(self, spec: ModelSpec) -> Version:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = spec.version
        if spec.label is not None:
            number = self._labelled(spec.name, spec.label)
        model = self._models.get(spec.name)
        version = model.newest(number) if model is not None else None
        if version is None:
            wanted = (
                f"Latest({spec.name})"
                if number is None
                else f"Specific({spec.name}, {number})"
            )
            raise StatusError(
                Code.NOT_FOUND, f"Servable not found for request: {wanted}"
            )
        return version

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
            statuses = model.statuses() if model is not None else {}
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
        self._work.join()
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
