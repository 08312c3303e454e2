"""AdamW for encoders: lower layers learn more slowly, biases don't decay."""

import re
from typing import Any

import keras
import tensorflow as tf

from kerassent.replicas import is_one_of_several

# Biases, and the scales and offsets of normalization layers.
UNDECAYED = ("bias", "gamma", "beta", "scale")


@keras.saving.register_keras_serializable(package="kerassent")
class LayerDecayAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate shrinks with the distance from the output.

    The lower layers of a pretrained encoder know what holds for any text, the
    upper ones what the pretraining was for. So the encoder's layer `i` of `n`,
    counted from 0, learns with the learning rate times
    `layer_decay ** (n - i)`; what comes before the first layer (embeddings)
    with `layer_decay ** (n + 1)`; what comes after the last one (the head)
    with the learning rate itself. It is one optimizer with one learning rate,
    so that `OneCycle` and `find_lr` work with it.

    Weight decay, which shrinks alike, spares biases and normalization.

    On several devices the gradients are added up before they are clipped, so
    that the update is that of one device with the whole batch. Keras's own
    optimizers clip first, and can't accumulate gradients there.

    Args:
        learning_rate: The head's, or a `LearningRateSchedule`.
        layer_decay: How many times as fast a layer learns as the one above it;
            above 0, and 1 for all alike.
        layer_pattern: A regular expression that finds an encoder layer's
            number in a variable's path, as its first group. The default is for
            keras-nlp's encoders: `transformer_layer_3/…`.
        weight_decay: The share of a weight, times the learning rate, that is
            taken away in each step.
        **kwargs: Those of `keras.optimizers.AdamW`.

    Raises:
        ValueError: `layer_decay` is out of range; or, when training begins, no
            variable's path has a layer's number.

    Example:
        ```python
        classifier.compile(
            LayerDecayAdamW(5e-5, layer_decay=0.9),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        ```

    Reference:
        [Clark et al., 2020](https://arxiv.org/abs/2003.10555).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        layer_decay: float = 0.95,
        layer_pattern: str = r"layer_(\d+)/",
        weight_decay: float = 0.01,
        **kwargs: Any,
    ) -> None:
        if not layer_decay > 0:
            raise ValueError(
                f"`layer_decay` must be above 0. Received: {layer_decay}"
            )
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.layer_decay = layer_decay
        self.layer_pattern = layer_pattern
        self.exclude_from_weight_decay(var_names=list(UNDECAYED))

    def build(self, var_list: Any) -> None:
        """Finds each variable's layer; Keras calls this."""
        if self.built:
            return
        super().build(var_list)
        self._factors = self._layer_factors([v.path for v in var_list])
        # Asked now, by Keras variables: TensorFlow's have the path as a name.
        self._decayed = [self._use_weight_decay(v) for v in var_list]

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Updates a variable with its layer's learning rate."""
        index = self._get_variable_index(variable)
        rate = keras.ops.cast(learning_rate, variable.dtype)
        rate = rate * self._factors[index]
        if self._decayed[index]:
            self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, rate)

    def _backend_apply_gradients(
        self, grads: Any, trainable_variables: Any
    ) -> None:
        if is_one_of_several():
            grads = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, list(grads)
            )
        super()._backend_apply_gradients(grads, trainable_variables)

    # From here on the replicas do the same, each with its own copy of the
    # variables. Keras would have them meet, which they can't in a branch.

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        if not is_one_of_several():
            super()._backend_update_step(
                grads, trainable_variables, learning_rate
            )
            return
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def _backend_increment_gradient_accumulators(
        self, grads: Any, acc_grads: Any
    ) -> None:
        if not is_one_of_several():
            super()._backend_increment_gradient_accumulators(grads, acc_grads)
            return
        for gradient, accumulated in zip(grads, acc_grads, strict=True):
            accumulated.assign_add(gradient)

    def _overwrite_model_variables_with_average_value(
        self, trainable_variables: Any
    ) -> None:
        if not is_one_of_several():
            super()._overwrite_model_variables_with_average_value(
                trainable_variables
            )
            return
        for variable, average in zip(
            trainable_variables,
            self._model_variables_moving_average,
            strict=True,
        ):
            variable.assign(average)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        config: dict[str, Any] = super().get_config()
        return config | {
            "layer_decay": self.layer_decay,
            "layer_pattern": self.layer_pattern,
        }

    def _apply_weight_decay(self, variables: Any) -> None:
        """Leaves it to `update_step`, which knows the layer."""

    def _layer_factors(self, paths: list[str]) -> list[float]:
        if self.layer_decay == 1:
            return [1.0] * len(paths)
        found = [re.search(self.layer_pattern, path) for path in paths]
        layers = [int(match.group(1)) if match else None for match in found]
        numbered = [i for i, layer in enumerate(layers) if layer is not None]
        if not numbered:
            raise ValueError(
                f"No variable's path has what `layer_pattern` looks for. "
                f"Received: layer_pattern={self.layer_pattern!r}; the first "
                f"path is {paths[0]!r}. Pass a pattern whose group is a "
                "layer's number, or `layer_decay=1`."
            )
        count = 1 + max(layer for layer in layers if layer is not None)
        first = numbered[0]
        return [
            self.layer_decay ** (count - layer)
            if layer is not None
            else self.layer_decay ** (count + 1)
            if i < first
            else 1.0
            for i, layer in enumerate(layers)
        ]
