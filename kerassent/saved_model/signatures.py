"""The graph behind each signature of the export."""

from typing import Any

import tensorflow as tf

from kerassent import contract


class ServingModule(tf.Module):
    """Everything of a classifier that answering needs, and nothing else.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
    """

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        # The weights, so that `tf.saved_model.save` finds what the traced
        # function captures. Tracking the Keras model itself would store its
        # layers' Python structure and a second copy of each variable.
        self.weights = [variable.value for variable in classifier.weights]
        class_names = tf.constant(list(classifier.class_names), tf.string)

        def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = classifier(classifier.preprocessor(text), training=False)
            probabilities = tf.nn.softmax(
                tf.cast(logits, tf.float32) / classifier.temperature
            )
            return {
                contract.LABEL: tf.gather(
                    class_names, tf.argmax(probabilities, axis=-1)
                ),
                contract.SCORE: tf.reduce_max(probabilities, axis=-1),
                contract.PROBABILITIES: probabilities,
                contract.CLASS_NAMES: tf.broadcast_to(
                    class_names, tf.shape(probabilities)
                ),
            }

        self.serve = tf.function(
            serve,
            input_signature=[
                tf.TensorSpec([None], tf.string, name=contract.TEXT)
            ],
        )

    def signatures(self) -> dict[str, Any]:
        """Returns the traced functions by signature name."""
        return {contract.PREDICT_SIGNATURE: self.serve.get_concrete_function()}
