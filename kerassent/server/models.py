"""A SavedModel in a session: how it is loaded, and how it is run."""

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerassent.contract import SAVED_MODEL_FILE, SAVED_MODEL_TAG
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array


@dataclass(frozen=True)
class LoadOptions:
    """How SavedModels are loaded.

    Args:
        tags: The tags of the graph to load.
        intra_op_threads: Threads within an operation; 0 leaves it to
            TensorFlow.
        inter_op_threads: Operations at once; 0 leaves it to TensorFlow.
    """

    tags: tuple[str, ...] = (SAVED_MODEL_TAG,)
    intra_op_threads: int = 0
    inter_op_threads: int = 0


class LoadedModel:
    """One version of a model, loaded and ready to run.

    It runs in a TF1 `Session`, as in TensorFlow Serving, so that what goes
    wrong is said in the same words. Any number of threads may call `run`.

    Args:
        name: The model's name.
        version: The version's number.
        path: The version's directory, a SavedModel.
        options: How to load it.

    Raises:
        StatusError: If the SavedModel cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        version: int,
        path: str,
        options: LoadOptions | None = None,
    ) -> None:
        import tensorflow as tf

        options = options or LoadOptions()
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=options.intra_op_threads,
            inter_op_parallelism_threads=options.inter_op_threads,
        )

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
            self._session = tf.compat.v1.Session(
                graph=self._graph, config=config
            )
            try:
                meta_graph = _load(self._session, path, options.tags)
            except BaseException:
                self._session.close()
                raise
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

        # A run that `close` overtakes keeps the session until it returns.
        session = self._session
        if session is None:
            raise StatusError(Code.CANCELLED, "Session has been closed.")
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
                session._session, options, feed, fetch, [], None
            )
        except tf.errors.OpError as error:
            raise StatusError(Code(error.error_code), error.message) from error
        finally:
            if options is not None:
                c_api.TF_DeleteBuffer(options)
        return [_as_array(value) for value in values]

    def close(self) -> None:
        """Frees the session; what still runs is cancelled."""
        session, self._session = self._session, None
        if session is None:
            return
        session.close()
        # The weights go with the session, and the graph, which has a copy of
        # them, is a web of references that only the collector takes apart.
        del session
        self._tensors.clear()
        self._graph = None
        gc.collect()
        _return_memory()


def _return_memory() -> None:
    """Gives freed memory back to the system, where that needs a word.

    glibc keeps what lies below the last block in use: some 900 MiB of a
    MiniLM, each time a version goes.
    """
    import ctypes

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return  # another C library
    trim(0)


def _load(session: Any, path: str, tags: Sequence[str]) -> Any:
    """Returns the loaded graph's description.

    TensorFlow Serving takes a SavedModel whose variables are missing for one
    that has none. Here it is refused, for it could answer nothing.
    """
    import tensorflow as tf
    from tensorflow.python.saved_model import loader_impl

    if not os.path.isfile(os.path.join(path, SAVED_MODEL_FILE)) and not (
        os.path.isfile(os.path.join(path, f"{SAVED_MODEL_FILE}txt"))
    ):
        raise StatusError(
            Code.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel "
            "bundle (should have a file called `saved_model.pb`)\n"
            f"Specified file path: {path}",
        )
    try:
        # What `tf.compat.v1.saved_model.load` calls after it has logged that
        # it is deprecated.
        return loader_impl.SavedModelLoader(path).load(session, list(tags))
    except tf.errors.OpError as error:
        raise StatusError(Code(error.error_code), error.message) from error
    except RuntimeError as error:
        raise StatusError(Code.NOT_FOUND, str(error)) from error
    except OSError as error:
        raise StatusError(Code.DATA_LOSS, str(error)) from error
    except Exception as error:
        raise StatusError(Code.UNKNOWN, str(error)) from error


def _as_array(value: Any) -> Array:
    if isinstance(value, bytes):  # a scalar; numpy would strip its NULs
        array = np.empty((), dtype=object)
        array[()] = value
        return array
    return np.asarray(value)
