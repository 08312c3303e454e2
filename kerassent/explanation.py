"""Explanations of many texts: as tensors in a graph, and in Python."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerassent import contract
from kerassent.errors import listed
from kerassent.flat_forward import FlatForward
from kerassent.flat_weights import FlatWeights
from kerassent.integrated_gradients import Explained, Explainer

# Of Python's, in one call.
_TEXTS_AT_ONCE = 64


def explain_each(explainer: Explainer, text: tf.Tensor) -> Explained:
    """Returns the explanations of texts, one computed after the other.

    Args:
        explainer: Explains one.
        text: string `(num_texts,)`.

    Returns:
        As of one text, with a first axis of `num_texts`; words and what belongs
        to them are padded with `""`, -1, -1 and 0.
    """
    num_texts = tf.size(text)
    shapes: tuple[tuple[Any, list[int | None]], ...] = (
        (tf.float32, [explainer.num_classes]),
        (tf.int32, []),
        (tf.string, [None]),
        (tf.int32, [None]),
        (tf.int32, [None]),
        (tf.float32, [None]),
        (tf.float32, []),
    )
    arrays = tuple(
        tf.TensorArray(dtype, num_texts, element_shape=shape, infer_shape=False)
        for dtype, shape in shapes
    )
    counts = tf.TensorArray(tf.int64, num_texts, element_shape=[])

    def step(i: Any, counts: Any, arrays: Any) -> Any:
        found = explainer(text[i])
        return (
            i + 1,
            counts.write(i, tf.size(found.words, tf.int64)),
            tuple(
                array.write(i, each)
                for array, each in zip(arrays, found, strict=True)
            ),
        )

    _, counts, arrays = tf.while_loop(
        lambda i, *_: i < num_texts,
        step,
        (0, counts, arrays),
        # One at a time, so that memory is bounded.
        parallel_iterations=1,
    )
    logits, label, *of_words, error = arrays
    num_words = counts.stack()

    def padded(array: Any, default: Any) -> Any:
        return tf.RaggedTensor.from_row_lengths(
            array.concat(), num_words, validate=False
        ).to_tensor(default)

    words, starts, ends, attributions = (
        padded(array, default)
        for array, default in zip(of_words, ("", -1, -1, 0.0), strict=True)
    )
    return Explained(
        logits.stack(),
        label.stack(),
        words,
        starts,
        ends,
        attributions,
        error.stack(),
    )


def explain_outputs(
    explainer: Explainer, text: tf.Tensor, class_names: Any, temperature: float
) -> dict[str, Any]:
    """Returns the outputs of the `explain` signature, by their names.

    Args:
        explainer: Explains one text.
        text: string `(num_texts,)`.
        class_names: string `(num_classes,)`.
        temperature: The classifier's.
    """
    found = explain_each(explainer, text)
    probabilities = tf.nn.softmax(found.logits / temperature)
    return {
        contract.LABEL: tf.gather(class_names, found.label),
        contract.SCORE: tf.gather(probabilities, found.label, batch_dims=1),
        contract.WORDS: found.words,
        contract.STARTS: found.starts,
        contract.ENDS: found.ends,
        contract.ATTRIBUTIONS: found.attributions,
        contract.COMPLETENESS_ERROR: found.completeness_error,
    }


def explanations(
    outputs: Mapping[str, Any],
) -> Iterator[contract.Explanation]:
    """Yields what the outputs of the `explain` signature say of each text.

    Args:
        outputs: Tensors by name.
    """
    arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
    of_words = (
        contract.WORDS,
        contract.STARTS,
        contract.ENDS,
        contract.ATTRIBUTIONS,
    )
    for row in range(len(arrays[contract.LABEL])):
        words = zip(*(arrays[name][row] for name in of_words), strict=True)
        yield contract.Explanation(
            label=arrays[contract.LABEL][row].decode("utf-8"),
            score=float(arrays[contract.SCORE][row]),
            words=tuple(
                contract.Word(
                    word.decode("utf-8"),
                    int(start),
                    int(end),
                    float(attribution),
                )
                for word, start, end, attribution in words
                if start >= 0
            ),
            completeness_error=float(arrays[contract.COMPLETENESS_ERROR][row]),
        )


def explain_in_parts(
    explain: Any, texts: Sequence[bytes]
) -> list[contract.Explanation]:
    """Returns the explanations of any number of texts.

    Args:
        explain: Gives the outputs of the `explain` signature for some texts.
        texts: The texts.
    """
    return [
        each
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
        for each in explanations(
            explain(tf.constant(texts[start : start + _TEXTS_AT_ONCE]))
        )
    ]


def explain_classifier(
    classifier: Any, texts: Sequence[bytes], *, target: str | None = None
) -> list[contract.Explanation]:
    """Returns which words moved a classifier's answers.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
        texts: The texts.
        target: The class to explain. Default: each text's label.

    Raises:
        ValueError: `target` is no class of the classifier.
    """
    names = classifier.class_names
    if target is not None and target not in names:
        raise ValueError(
            f"`target` must be one of {listed(names)}. Received: {target!r}"
        )
    explainer = Explainer(
        FlatForward(FlatWeights(classifier)),
        classifier.preprocessor,
        None if target is None else names.index(target),
    )
    explain = tf.function(
        lambda text: explain_outputs(
            explainer,
            text,
            tf.constant(list(names), tf.string),
            classifier.temperature,
        ),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    return explain_in_parts(explain, texts)
