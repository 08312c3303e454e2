"""A DistilBERT classifier as an ONNX graph, from the classifier's weights.

The mathematics is `forward.py`'s, without dropout: the three projections are
one product, and the last layer is [CLS]'s alone. Converters of TensorFlow
graphs know no `Erfc`, which TensorFlow makes of the exact GELU.
"""

import json
import math
from typing import Any, Final

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerassent import contract
from kerassent.errors import ExportError, listed

# The first opset with LayerNormalization, in a form that runtimes of 2022 read.
_OPSET: Final = 17
_IR_VERSION: Final = 8
_MAX_BYTES: Final = 2**31 - 1  # of a protocol buffer

# Added to the scores of padding; exp() of it is 0 in float32.
_NEVER: Final = -1e9
_ACTIVATIONS: Final = {
    "linear": "Identity",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "tanh": "Tanh",
}


def make_model(classifier: Any) -> onnx.ModelProto:
    """Returns a graph from token ids to logits and probabilities.

    Inputs are `token_ids` and `padding_mask`, int64 `(batch_size, length)`;
    outputs `logits` and `probabilities`, float32 `(batch_size, num_classes)`.
    The class names are in the metadata, as JSON.

    Args:
        classifier: A `SentimentClassifier`.

    Raises:
        ExportError: Its weights are too large for one file, or its head has
            an activation that ONNX has no op for.
    """
    size = sum(4 * math.prod(each.shape) for each in classifier.weights)
    if size > 0.99 * _MAX_BYTES:
        raise ExportError(
            f"The weights have {size / 2**30:.1f} GiB; an ONNX file holds 2. "
            "Export with `format='saved_model'` or a smaller backbone."
        )
    graph = _Graph()
    logits = _head(graph, classifier, _encoded(graph, classifier.backbone))
    graph.add("Identity", logits, name=contract.LOGITS)
    graph.add(
        "Softmax",
        graph.add("Div", logits, graph.weight(classifier.temperature)),
        name=contract.PROBABILITIES,
        axis=-1,
    )
    made = helper.make_graph(
        graph.nodes,
        "kerassent",
        [
            _described(name, TensorProto.INT64, "length")
            for name in (contract.TOKEN_IDS, contract.PADDING_MASK)
        ],
        [
            _described(name, TensorProto.FLOAT, len(classifier.class_names))
            for name in (contract.LOGITS, contract.PROBABILITIES)
        ],
        graph.weights,
    )
    model = helper.make_model(
        made,
        producer_name="kerassent",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    names = json.dumps(classifier.class_names, ensure_ascii=False)
    helper.set_model_props(model, {contract.CLASS_NAMES: names})
    return model


class _Graph:
    """Nodes in the order they are added, and their weights."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(
        self, op: str, *inputs: str, name: str | None = None, **attributes: Any
    ) -> str:
        """Adds a node, and returns its output's name."""
        name = name or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def weight(self, value: Any) -> str:
        """Adds a constant: float32, unless it is of integers."""
        array = _array(value)
        integral = np.issubdtype(array.dtype, np.integer)
        array = array.astype(np.int64 if integral else np.float32)
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def dense(self, x: str, kernel: Any, bias: Any) -> str:
        product = self.add("MatMul", x, self.weight(kernel))
        return self.add("Add", product, self.weight(bias))

    def norm(self, x: str, layer: Any) -> str:
        return self.add(
            "LayerNormalization",
            x,
            self.weight(layer.gamma),
            self.weight(layer.beta),
            axis=-1,
            epsilon=layer.epsilon,
        )

    def first(self, x: str) -> str:
        """Adds what leaves [CLS] of each text: `(batch_size, 1, size)`."""
        start, end, axis = (self.weight([each]) for each in (0, 1, 1))
        return self.add("Slice", x, start, end, axis)


def _encoded(graph: _Graph, backbone: Any) -> str:
    """Adds the backbone; what it gives is `(batch_size, 1, hidden_dim)`."""
    x = graph.add(
        "Gather",
        graph.weight(backbone.token_embedding.embeddings),
        contract.TOKEN_IDS,
    )
    positions = graph.add(
        "Slice",
        graph.weight(
            backbone.embeddings.position_embedding.position_embeddings
        ),
        graph.weight([0]),
        graph.add("Shape", contract.TOKEN_IDS, start=1, end=2),
        graph.weight([0]),
    )
    x = graph.norm(
        graph.add("Add", x, positions), backbone.embeddings_layer_norm
    )
    mask = graph.add("Cast", contract.PADDING_MASK, to=TensorProto.FLOAT)
    bias = graph.add(
        "Unsqueeze",
        graph.add(
            "Mul",
            graph.add("Sub", graph.weight(1.0), mask),
            graph.weight(_NEVER),
        ),
        graph.weight([1, 2]),
    )
    for layer in backbone.transformer_layers:
        is_last = layer is backbone.transformer_layers[-1]
        attention = layer._self_attention_layer
        context = _context(graph, attention, x, bias, is_last)
        x = graph.first(x) if is_last else x
        output = attention._output_dense
        made = graph.dense(context, _flat(output.kernel), output.bias)
        x = graph.norm(
            graph.add("Add", x, made), layer._self_attention_layer_norm
        )
        inner = layer._feedforward_intermediate_dense
        outer = layer._feedforward_output_dense
        made = _gelu(graph, graph.dense(x, inner.kernel, inner.bias))
        made = graph.dense(made, outer.kernel, outer.bias)
        x = graph.norm(graph.add("Add", x, made), layer._feedforward_layer_norm)
    return x


def _context(
    graph: _Graph, attention: Any, x: str, bias: str, first_only: bool
) -> str:
    """Adds what attention reads, for all tokens or for each text's first."""
    parts = [
        attention._query_dense,
        attention._key_dense,
        attention._value_dense,
    ]
    hidden, heads, size = parts[0].kernel.shape
    # The scale of the scores is folded into the queries' weights.
    scales = (1.0 / math.sqrt(size), 1.0, 1.0)
    kernels = [
        scale * _array(part.kernel).reshape(hidden, hidden)
        for part, scale in zip(parts, scales, strict=True)
    ]
    biases = [
        scale * _array(part.bias).reshape(hidden)
        for part, scale in zip(parts, scales, strict=True)
    ]

    def by_head(x: str, chosen: slice) -> list[str]:
        """Adds projections, each (batch_size, heads, length, size)."""
        count = len(kernels[chosen])
        made = graph.dense(
            x,
            np.concatenate(kernels[chosen], 1),
            np.concatenate(biases[chosen]),
        )
        shape = graph.weight([0, 0, count, heads, size])
        split = graph.add(
            "Transpose",
            graph.add("Reshape", made, shape),
            perm=[2, 0, 3, 1, 4],
        )
        return [
            graph.add("Gather", split, graph.weight(index))
            for index in range(count)
        ]

    if first_only:
        [q] = by_head(graph.first(x), slice(0, 1))
        k, v = by_head(x, slice(1, 3))
    else:
        q, k, v = by_head(x, slice(0, 3))
    keys = graph.add("Transpose", k, perm=[0, 1, 3, 2])
    scores = graph.add("Add", graph.add("MatMul", q, keys), bias)
    shares = graph.add("Softmax", scores, axis=-1)
    read = graph.add(
        "Transpose", graph.add("MatMul", shares, v), perm=[0, 2, 1, 3]
    )
    return graph.add("Reshape", read, graph.weight([0, 0, hidden]))


def _gelu(graph: _Graph, x: str) -> str:
    """Adds the exact GELU in the form that runtimes make one kernel of."""
    erf = graph.add("Erf", graph.add("Div", x, graph.weight(math.sqrt(2.0))))
    doubled = graph.add("Mul", x, graph.add("Add", erf, graph.weight(1.0)))
    return graph.add("Mul", doubled, graph.weight(0.5))


def _head(graph: _Graph, classifier: Any, x: str) -> str:
    x = graph.add("Squeeze", x, graph.weight([1]))
    for layer in (classifier.pooled_dense, classifier.output_dense):
        op = _ACTIVATIONS.get(layer.activation.__name__)
        if op is None:
            raise ExportError(
                "The head's activation is "
                f"{layer.activation.__name__!r}. ONNX export knows "
                f"{listed(_ACTIVATIONS)}; train with one of these."
            )
        x = graph.add(op, graph.dense(x, layer.kernel, layer.bias))
    return x


def _flat(kernel: Any) -> np.ndarray:
    """Returns an output projection of heads as a matrix."""
    return _array(kernel).reshape(-1, kernel.shape[-1])


def _array(value: Any) -> np.ndarray:
    array: np.ndarray = keras.ops.convert_to_numpy(value)
    return array


def _described(name: str, dtype: int, width: str | int) -> Any:
    return helper.make_tensor_value_info(name, dtype, ["batch_size", width])
