"""A classifier's weights as the flat pass multiplies by them."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kerassent.forward import Precision

# Makes of an array what the pass computes with.
Kept = Callable[[Any], Any]


class Norm(NamedTuple):
    """A layer normalization."""

    gamma: Any
    beta: Any
    epsilon: float


class Projections(NamedTuple):
    """Queries, keys and values of all tokens, by one product."""

    kernel: Any  # (hidden, 3 * hidden)
    bias: Any


class FirstProjections(NamedTuple):
    """The last layer's, of whose tokens only the first is read.

    There a score is (q @ Wk) @ x instead of q @ (Wk @ x), which is the same and
    less work. The keys' bias adds the same to all scores of a text, so softmax
    has none of it; that of the values comes through softmax as it is.
    """

    query_kernel: Any  # (hidden, hidden)
    query_bias: Any
    key_kernel: Any  # (hidden of all heads, hidden)
    value_kernel: Any  # (hidden, hidden of all heads)
    value_bias: Any


class Layer(NamedTuple):
    """A transformer layer."""

    attention: Projections | FirstProjections
    output_kernel: Any
    output_bias: Any
    attention_norm: Norm
    inner_kernel: Any
    inner_bias: Any
    outer_kernel: Any
    outer_bias: Any
    feed_forward_norm: Norm


class FlatWeights:
    """All of a classifier's weights.

    Args:
        classifier: A `keras_nlp.models.DistilBertTextClassifier`.
        precision: What is multiplied by matrices, and they themselves, are in.
            The rest is float32.
        kept: Makes of each array what the pass computes with: `tf.constant`,
            or `tf.Variable` where constants would be too large for a graph.
        kept_table: The same for the tables of embeddings, from which rows are
            taken.

    Attributes:
        heads: The number of attention heads.
        hidden: The size of a token's vector.
        num_classes: The number of logits.
        dtype: `precision` as TensorFlow's.
        token_table: `(vocabulary_size, hidden)`.
        position_table: `(max_sequence_length, hidden)`.
        embeddings_norm: What normalizes their sum.
        layers: The transformer layers, the last in a form of its own.
        head: Kernel, bias and activation of the head's two layers.
    """

    def __init__(
        self,
        classifier: Any,
        precision: Precision = "float32",
        kept: Kept = tf.constant,
        kept_table: Kept = tf.constant,
    ) -> None:
        backbone = classifier.backbone
        self._kept = kept
        self.heads: int = backbone.num_heads
        self.hidden: int = backbone.hidden_dim
        self.num_classes: int = classifier.num_classes
        self.dtype = tf.as_dtype(precision)
        self.token_table = kept_table(
            tf.cast(_array(backbone.token_embedding.embeddings), self.dtype)
        )
        positions = backbone.embeddings.position_embedding
        self.position_table = kept_table(_array(positions.position_embeddings))
        self.embeddings_norm = self._norm(backbone.embeddings_layer_norm)
        layers = list(backbone.transformer_layers)
        self.layers = [
            self._layer(layer, is_last=layer is layers[-1]) for layer in layers
        ]
        self.head = [
            (kept(_array(d.kernel)), kept(_array(d.bias)), d.activation)
            for d in (classifier.pooled_dense, classifier.output_dense)
        ]

    def _factor(self, array: np.ndarray) -> Any:
        return self._kept(tf.cast(array, self.dtype))

    def _norm(self, norm: Any) -> Norm:
        return Norm(
            self._kept(_array(norm.gamma)),
            self._kept(_array(norm.beta)),
            norm.epsilon,
        )

    def _layer(self, layer: Any, *, is_last: bool) -> Layer:
        attention = layer._self_attention_layer
        output = attention._output_dense
        inner = layer._feedforward_intermediate_dense
        outer = layer._feedforward_output_dense
        projections = self._of_first if is_last else self._of_all
        return Layer(
            projections(*_kernels_and_biases(attention)),
            self._factor(_array(output.kernel).reshape(self.hidden, -1)),
            self._kept(_array(output.bias)),
            self._norm(layer._self_attention_layer_norm),
            self._factor(_array(inner.kernel)),
            self._factor(_array(inner.bias)),
            self._factor(_array(outer.kernel)),
            self._kept(_array(outer.bias)),
            self._norm(layer._feedforward_layer_norm),
        )

    def _of_all(self, kernels: list[Any], biases: list[Any]) -> Projections:
        kernels = [kernel.reshape(self.hidden, -1) for kernel in kernels]
        return Projections(
            self._factor(np.concatenate(kernels, 1)),
            self._factor(np.concatenate(biases)),
        )

    def _of_first(
        self, kernels: list[Any], biases: list[Any]
    ) -> FirstProjections:
        q, k, v = kernels
        return FirstProjections(
            self._factor(q.reshape(self.hidden, -1)),
            self._factor(biases[0]),
            self._factor(k.reshape(self.hidden, -1).T),
            self._factor(v.reshape(self.hidden, -1)),
            self._factor(biases[2]),
        )


def _kernels_and_biases(attention: Any) -> tuple[list[Any], list[Any]]:
    """Returns those of queries, keys and values.

    Kernels are `(hidden, heads, size)`, biases `(hidden,)`; the scale of the
    scores is folded into the queries'.
    """
    denses = (
        attention._query_dense,
        attention._key_dense,
        attention._value_dense,
    )
    kernels = [_array(dense.kernel) for dense in denses]
    biases = [_array(dense.bias).reshape(-1) for dense in denses]
    scale = np.float32(1 / math.sqrt(kernels[0].shape[-1]))
    return [kernels[0] * scale, *kernels[1:]], [biases[0] * scale, *biases[1:]]


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.value, np.float32)
