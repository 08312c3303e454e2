"""An export, run in this process as a server would run it."""

import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that the graph holds

from kerassent import contract
from kerassent.errors import ExportError
from kerassent.explanation import explain_in_parts
from kerassent.saved_model.publish import versions
from kerassent.text_windows import predict_by_length


class ExportedModel:
    """Answers from a SavedModel that `export` wrote.

    Args:
        path: A version's directory, or a base path, whose highest version is
            taken.

    Raises:
        ExportError: There is no export of ours, or it is damaged.
    """

    # So many calls are worth making at once: while one waits for a single
    # thread, as in the tokenizer, another has the cores.
    calls_at_once = 2

    def __init__(self, path: pathlib.Path) -> None:
        self.path = version_directory(path)
        try:
            loaded = tf.saved_model.load(str(self.path))
        # Of a damaged file TensorFlow raises what it stumbles over: OSError,
        # OpError, IndexError and more.
        except Exception as error:
            raise ExportError(
                f"{self.path} cannot be loaded, it may be half-written or "
                f"damaged ({type(error).__name__}: {error}). Copy it again, or "
                "export the classifier again."
            ) from error
        serve = loaded.signatures.get(contract.PREDICT_SIGNATURE)
        outputs = set(serve.structured_outputs) if serve else set()
        if not outputs.issuperset(contract.PREDICT_OUTPUTS) or (
            contract.EXPLAIN_SIGNATURE not in loaded.signatures
        ):
            raise ExportError(
                f"{self.path} is a SavedModel, but not one that kerassent "
                f"wrote: its `{contract.PREDICT_SIGNATURE}` has the outputs "
                f"{sorted(outputs)}, expected "
                f"{sorted(contract.PREDICT_OUTPUTS)}, and a signature "
                f"`{contract.EXPLAIN_SIGNATURE}`. Export it with `kerassent "
                "export`, or serve it and ask by a Client."
            )
        self._loaded = loaded  # the signature holds its variables weakly
        self._serve = serve
        self._explain = loaded.signatures[contract.EXPLAIN_SIGNATURE]
        self.class_names = self._names()

    def predict_proba(
        self, texts: Iterable[str | bytes], *, batch_size: int = 32
    ) -> np.ndarray:
        """Returns each class's probability for each text.

        Args:
            texts: The texts; an iterator or a stream may be of any length.
            batch_size: How many texts go through the graph at once.

        Returns:
            float32 `(num_texts, num_classes)`, in the order of `texts` and of
            `class_names`.
        """
        return predict_by_length(
            texts,
            lambda batch: self._serve(**{contract.TEXT: tf.constant(batch)})[
                contract.PROBABILITIES
            ].numpy(),
            num_classes=len(self.class_names),
            batch_size=batch_size,
        )

    def explain(
        self, texts: Iterable[str | bytes]
    ) -> list[contract.Explanation]:
        """Returns which words moved the answer to each text, in order.

        Args:
            texts: The texts.
        """
        return explain_in_parts(
            lambda batch: self._explain(**{contract.TEXT: batch}),
            contract.encode_texts(texts),
        )

    def _names(self) -> tuple[str, ...]:
        answer = self._serve(**{contract.TEXT: tf.constant([b""])})
        names = answer[contract.CLASS_NAMES].numpy()[0]
        return tuple(name.decode("utf-8") for name in names)


def version_directory(path: pathlib.Path) -> pathlib.Path:
    """Returns the directory of one version.

    Args:
        path: That directory, or a base path, whose highest version is taken.

    Raises:
        ExportError: There is no SavedModel.
    """
    if (path / contract.SAVED_MODEL_FILE).is_file():
        return path
    found = [each for each in versions(path).values() if each.is_dir()]
    if not found or not (found[-1] / contract.SAVED_MODEL_FILE).is_file():
        newest = found[-1] if found else path / "1"
        where = ", its highest version" if found else ""
        raise ExportError(
            f"{path} holds no SavedModel. Expected "
            f"{newest / contract.SAVED_MODEL_FILE}{where}; `kerassent export` "
            "writes one."
        )
    return found[-1]


def is_export(path: pathlib.Path) -> bool:
    """Tells whether a path holds a SavedModel, in itself or in a version.

    Args:
        path: Any path.
    """
    try:
        version_directory(path)
    except ExportError:
        return False
    return True
