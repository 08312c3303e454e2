"""The graph behind each signature of the export."""

from types import MappingProxyType
from typing import Any

import tensorflow as tf

from kerassent import contract
from kerassent.explanation import explain_outputs
from kerassent.flat_forward import FlatForward
from kerassent.flat_weights import FlatWeights
from kerassent.forward import Precision
from kerassent.integrated_gradients import Explainer

# Matrices are constants, which oneDNN keeps packed. Tables, which gain nothing
# by it, are variables, since TensorFlow copies constants many times. A graph is
# one protocol buffer, of 2 GiB at most: this leaves room for the vocabulary and
# the graph itself.
_MOST_BYTES_OF_CONSTANTS = 1_800_000_000


class ServingModule(tf.Module):
    """Everything of a classifier that answering needs, and nothing else.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
        precision: What weights are kept and products computed in.
    """

    def __init__(self, classifier: Any, precision: Precision) -> None:
        super().__init__()
        # `tf.saved_model.save` looks for variables here.
        self._variables: list[tf.Variable] = []
        table = classifier.backbone.token_embedding.count_params()
        matrices = classifier.count_params() - table
        weights = FlatWeights(
            classifier,
            precision,
            tf.constant
            if matrices * tf.as_dtype(precision).size < _MOST_BYTES_OF_CONSTANTS
            else self._variable,
            self._variable,
        )
        forward = FlatForward(weights)
        preprocessor = classifier.preprocessor
        explainer = Explainer(forward, preprocessor)
        class_names = tf.constant(list(classifier.class_names), tf.string)

        def softmax(logits: Any) -> Any:
            return tf.nn.softmax(logits / classifier.temperature)

        def answer(probabilities: Any) -> dict[str, Any]:
            return {
                contract.LABEL: tf.gather(
                    class_names, tf.argmax(probabilities, axis=-1)
                ),
                contract.SCORE: tf.reduce_max(probabilities, axis=-1),
            }

        def probabilities_of(text: Any) -> Any:
            # Copies of a text are computed once.
            text, place = tf.unique(text)
            logits = forward.logits(preprocessor.tokens(text))
            return tf.gather(softmax(logits), place)

        def serve(text: Any) -> dict[str, Any]:
            probabilities = probabilities_of(text)
            return answer(probabilities) | {
                contract.PROBABILITIES: probabilities,
                contract.CLASS_NAMES: tf.broadcast_to(
                    class_names, tf.shape(probabilities)
                ),
            }

        def classify(inputs: Any) -> dict[str, Any]:
            features = {contract.TEXT: tf.io.FixedLenFeature([], tf.string)}
            text = tf.io.parse_example(inputs, features)[contract.TEXT]
            probabilities = probabilities_of(text)
            return {
                contract.CLASSES: tf.broadcast_to(
                    class_names, tf.shape(probabilities)
                ),
                contract.SCORES: probabilities,
            }

        def explain(text: Any) -> dict[str, Any]:
            return explain_outputs(
                explainer, text, class_names, classifier.temperature
            )

        # Of a `dict` here `tf.saved_model.save` would trace each function once
        # more, and write both.
        self._functions = MappingProxyType(
            {
                contract.PREDICT_SIGNATURE: _traced(serve, contract.TEXT),
                contract.CLASSIFY_SIGNATURE: _traced(classify, contract.INPUTS),
                contract.EXPLAIN_SIGNATURE: _traced(explain, contract.TEXT),
            }
        )

    def _variable(self, array: Any) -> tf.Variable:
        self._variables.append(tf.Variable(array, trainable=False))
        return self._variables[-1]

    def signatures(self) -> dict[str, Any]:
        """Returns the traced functions by signature name."""
        return {
            name: function.get_concrete_function()
            for name, function in self._functions.items()
        }


def _traced(function: Any, name: str) -> Any:
    return tf.function(
        function,
        input_signature=[tf.TensorSpec([None], tf.string, name=name)],
        autograph=False,
    )
