"""Loaded versions of models: how one is run, and which one a request gets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerassent.contract import SAVED_MODEL_TAG
from kerassent.errors import ServingError
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for.

    Args:
        name: The model's name.
        version: An exact version, or `None` for the newest.
        label: A version label, or `None`. At most one of the two.
    """

    name: str
    version: int | None = None
    label: str | None = None


class LoadedModel:
    """One version of a model, loaded and ready to run.

    It runs in a TF1 `Session`, as in TensorFlow Serving, so that what goes
    wrong is said in the same words. Any number of threads may call `run`.

    Args:
        name: The model's name.
        version: The version's number.
        path: The version's directory, a SavedModel.

    Raises:
        ServingError: If the SavedModel cannot be loaded.
    """

    def __init__(self, name: str, version: int, path: str) -> None:
        import tensorflow as tf
        from tensorflow.python.saved_model import loader_impl

        try:
            # Its custom ops; a model without them runs without it.
            import tensorflow_text  # noqa: F401
        except ImportError:
            pass

        self.name = name
        self.version = version
        self.path = path
        self._graph = tf.Graph()
        self._tensors: dict[str, Any] = {}
        with self._graph.as_default():
            self._session = tf.compat.v1.Session(graph=self._graph)
            try:
                # What `tf.compat.v1.saved_model.load` calls after it has
                # logged that it is deprecated.
                loader = loader_impl.SavedModelLoader(path)
                meta_graph = loader.load(self._session, [SAVED_MODEL_TAG])
            except Exception as error:
                self._session.close()
                raise ServingError(
                    f"Version {version} of model {name!r} cannot be loaded "
                    f"from {path!r}: {error}",
                    model_name=name,
                ) from error
        self._session._extend_graph()
        self._graph.finalize()
        self.signatures: Mapping[str, Any] = dict(meta_graph.signature_def)

    def _tensor(self, name: str) -> Any:
        """Returns the C API's handle of a tensor such as `"score:0"`."""
        if name not in self._tensors:
            try:
                tensor = self._graph.get_tensor_by_name(name)
            except (KeyError, ValueError) as error:
                raise invalid_argument(
                    f"Tensor {name}, specified in either feed_devices or "
                    "fetch_devices was not found in the Graph"
                ) from error
            self._tensors[name] = tensor._as_tf_output()
        return self._tensors[name]

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[Array]:
        """Returns the fetched tensors' values.

        `Session.run` would check shapes in Python, with messages of its own,
        so this calls what it calls.

        Args:
            feeds: Arrays by tensor name.
            fetches: Tensor names.
            timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

        Raises:
            StatusError: With TensorFlow's code and message.
        """
        import tensorflow as tf
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import pywrap_tf_session as c_api

        feed = {self._tensor(name): array for name, array in feeds.items()}
        fetch = [self._tensor(name) for name in fetches]
        options = None
        if timeout_ms is not None:
            run_options = config_pb2.RunOptions(timeout_in_ms=timeout_ms)
            options = c_api.TF_NewBufferFromString(
                run_options.SerializeToString()
            )
        try:
            values = c_api.TF_SessionRun_wrapper(
                self._session._session, options, feed, fetch, [], None
            )
        except tf.errors.OpError as error:
            raise StatusError(Code(error.error_code), error.message) from error
        finally:
            if options is not None:
                c_api.TF_DeleteBuffer(options)
        return [_as_array(value) for value in values]

    def close(self) -> None:
        """Frees the session; no request may be under way."""
        self._session.close()


def _as_array(value: Any) -> Array:
    if isinstance(value, bytes):  # a scalar; numpy would strip its NULs
        array = np.empty((), dtype=object)
        array[()] = value
        return array
    return np.asarray(value)


class ServedModels:
    """The loaded versions by model, and which of them a request gets.

    Args:
        models: The loaded versions.
    """

    def __init__(self, models: Iterable[LoadedModel]) -> None:
        self._models: dict[str, dict[int, LoadedModel]] = {}
        for model in models:
            self._models.setdefault(model.name, {})[model.version] = model

    def find(self, spec: ModelSpec) -> LoadedModel:
        """Returns the version that a request is for.

        Raises:
            StatusError: In TensorFlow Serving's words if there is none.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        if spec.label is not None:
            raise invalid_argument(
                f"Unrecognized servable version label: {spec.label}"
            )
        versions = self._models.get(spec.name, {})
        if spec.version is None:
            if versions:
                return versions[max(versions)]
            wanted = f"Latest({spec.name})"
        else:
            if spec.version in versions:
                return versions[spec.version]
            wanted = f"Specific({spec.name}, {spec.version})"
        raise StatusError(
            Code.NOT_FOUND, f"Servable not found for request: {wanted}"
        )

    def list_versions(self, spec: ModelSpec) -> list[LoadedModel]:
        """Returns a model's versions for a status request, newest first.

        As in TensorFlow Serving a label is ignored here.

        Raises:
            StatusError: If there is no such model or version.
        """
        versions = self._models.get(spec.name, {})
        if spec.version is not None:
            if spec.version not in versions:
                raise StatusError(
                    Code.NOT_FOUND,
                    f"Could not find version {spec.version} of model "
                    f"{spec.name}",
                )
            return [versions[spec.version]]
        if not versions:
            raise StatusError(
                Code.NOT_FOUND,
                f"Could not find any versions of model {spec.name}",
            )
        return [versions[number] for number in sorted(versions, reverse=True)]

    def close(self) -> None:
        """Frees all versions; no request may be under way."""
        for versions in self._models.values():
            for model in versions.values():
                model.close()
