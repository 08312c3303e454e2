"""A version that is served: loaded, perhaps batched, and warmed up."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kerassent.contract import BATCHING, WARMUP
from kerassent.server.batch_threads import BatchThreads
from kerassent.server.batching import BatchingSession
from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.metrics import Metrics
from kerassent.server.models import LoadedModel, LoadOptions
from kerassent.server.status import StatusError
from kerassent.server.tensors import Array
from kerassent.server.warmup import read_warmup_logs, run_warmup_log

RUNTIME: Final = "TF1"


@dataclass(frozen=True)
class ServableOptions:
    """How versions are made ready.

    Args:
        load: How SavedModels are loaded.
        batching: How requests merge, or `None` for no batching.
        per_model_batching: Whether each version's `batching_params.pbtxt` is
            used instead; a version without one is not batched then.
        warmup: Whether warmup records are run.
        warmup_iterations: How often each is run.
    """

    load: LoadOptions = field(default_factory=LoadOptions)
    batching: BatchingParameters | None = None
    per_model_batching: bool = False
    warmup: bool = True
    warmup_iterations: int = 1


class Servable:
    """One version, ready to answer; any number of threads may call `run`.

    Args:
        model: The loaded version.
        metrics: Where run times are counted.
    """

    def __init__(self, model: LoadedModel, metrics: Metrics) -> None:
        self.name = model.name
        self.version = model.version
        self.signatures: Mapping[str, Any] = model.signatures
        self._model = model
        self._batching: BatchingSession | None = None
        self._metrics = metrics

    def batch(
        self, parameters: BatchingParameters, threads: BatchThreads
    ) -> None:
        """Merges requests from now on.

        Args:
            parameters: How.
            threads: Who runs the batches.
        """
        self._batching = BatchingSession(
            self._model, parameters, threads, self._metrics
        )

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
        api: str = "Predict",
    ) -> list[Array]:
        """Returns the fetched tensors' values.

        Args:
            feeds: Arrays by tensor name.
            fetches: Tensor names.
            timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.
            api: Whose time it is: Predict, Classify, Regress, MultiInference.

        Raises:
            StatusError: With TensorFlow's code and message.
        """
        start = time.monotonic()
        session = self._batching or self._model
        values = session.run(feeds, fetches, timeout_ms=timeout_ms)
        self._metrics.runtime_latency.observe(
            (time.monotonic() - start) * 1e6, self.name, api, RUNTIME
        )
        return values

    def close(self) -> None:
        """Frees all; no run may be under way."""
        if self._batching is not None:
            self._batching.close()
        self._model.close()


class ServableLoader:
    """Makes versions ready; the batch threads are common to all.

    Args:
        options: How.
        metrics: Where times are counted.
    """

    def __init__(self, options: ServableOptions, metrics: Metrics) -> None:
        self._options = options
        self._metrics = metrics
        self._threads: BatchThreads | None = None
        if options.batching is not None:
            self._threads = BatchThreads(options.batching.batch_threads)

    def __call__(self, name: str, version: int, path: str) -> Servable:
        """Returns a version that is ready.

        Args:
            name: The model's name.
            version: Its number.
            path: Its directory.

        Raises:
            StatusError: If it cannot be loaded or its warmup fails.
        """
        model = LoadedModel(name, version, path, self._options.load)
        servable = Servable(model, self._metrics)
        try:
            parameters = self._find_parameters(path)
            if parameters is not None and self._threads is not None:
                servable.batch(parameters, self._threads)
            if self._options.warmup:
                self._warm_up(servable, path)
        except BaseException:
            servable.close()
            raise
        return servable

    def _find_parameters(self, path: str) -> BatchingParameters | None:
        if not self._options.per_model_batching:
            return self._options.batching
        own = os.path.join(path, BATCHING)
        if self._threads is None or not os.path.isfile(own):
            return None
        return BatchingParameters.from_file(own)

    def _warm_up(self, servable: Servable, path: str) -> None:
        file = os.path.join(path, WARMUP)
        if not os.path.isfile(file):
            return
        start = time.monotonic()
        status = "OK"
        count = 0
        try:
            for log in read_warmup_logs(file):
                for _ in range(self._options.warmup_iterations):
                    run_warmup_log(servable, log)
                count += 1
        except StatusError as error:
            status = error.code.name
            raise
        finally:
            self._metrics.warmup_latency.observe(
                (time.monotonic() - start) * 1e6, path, status
            )
            self._metrics.warmup_records.increase(path, by=count)

    def close(self) -> None:
        """Ends the batch threads."""
        if self._threads is not None:
            self._threads.close()
