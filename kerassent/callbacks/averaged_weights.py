"""Evaluating, and ending with, a moving average of the weights."""

import types
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerassent.callbacks.momentum import inner_optimizer


class AveragedWeights(keras.callbacks.Callback):
    """Puts the optimizer's average of the weights in their place.

    From validation to the next epoch's beginning, and when `fit` is over, the
    model has the averages: metrics, early stopping, best weights and what is
    saved are theirs. Training goes on from the weights as they were, to the
    bit. What isn't trained, such as BatchNormalization's statistics, isn't
    averaged.

    The optimizer must average: `use_ema=True, ema_momentum=0.999`. From the
    first `fit` with this callback on it does so better than Keras has it:

    - Only an update counts. Keras counts each batch, so that accumulating
      gradients of 4 batches would make 0.999 mean 0.996.
    - The average of update `t`, counted from 0, has a momentum of
      `min(ema_momentum, (1 + t) / (10 + t))`, and 0 at first. So it reaches
      back over about a ninth of the updates made, and a run of a few hundred
      doesn't end with what it began with.
    - When `fit` ends, Keras pairs the averages with the weights that are
      trainable then. If layers were frozen or unfrozen since the optimizer was
      built, they aren't the same ones.

    Put it before any callback that looks at the weights when an epoch ends.

    Raises:
        ValueError: When `fit` starts, the optimizer doesn't average.

    Example:
        ```python
        model.compile(AdamW(use_ema=True, ema_momentum=0.999), loss)
        model.fit(dataset, callbacks=[AveragedWeights()])
        ```

    Reference:
        [Polyak and Juditsky, 1992](https://doi.org/10.1137/0330046). The
        momentum is that of `tf.train.ExponentialMovingAverage` with
        `num_updates`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[np.ndarray] | None = None

    def set_model(self, model: Any) -> None:
        """Takes the model; Keras calls this, before it makes the step."""
        super().set_model(model)
        optimizer = inner_optimizer(getattr(model, "optimizer", None))
        attributes = getattr(optimizer, "__dict__", {})
        if not attributes.get("use_ema") or _UPDATE in attributes:
            return
        # Instance attributes in front of the class's own methods.
        attributes[_UPDATE] = types.MethodType(_update, optimizer)
        attributes[_OVERWRITE] = types.MethodType(_overwrite, optimizer)
        model.train_function = None  # one traced before has Keras's in it

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins with the weights as they are."""
        optimizer = inner_optimizer(self.model.optimizer)
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "AveragedWeights needs an optimizer that averages the weights: "
                "make it with `use_ema=True` and, for example, "
                f"`ema_momentum=0.999`. Received: {type(optimizer).__name__} "
                "with use_ema=False"
            )
        if not self.model.optimizer.built:
            with self.model.distribute_strategy.scope():
                self.model.optimizer.build(self.model.trainable_variables)
        self._raw = None
        if not optimizer._iterations.numpy():
            # They are zeros, which `fit` would put into the model at its end
            # if no update was made.
            for variable, average in _pairs(optimizer):
                average.assign(variable.numpy())

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Goes on from the weights that are not averaged."""
        if self._raw is None:
            return
        pairs = _pairs(inner_optimizer(self.model.optimizer))
        for (variable, _), raw in zip(pairs, self._raw, strict=True):
            variable.assign(raw)
        self._raw = None

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in for validation."""
        self._put_averages()

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Puts the averages in where there was no validation."""
        self._put_averages()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the averages in."""
        self._raw = None

    def get_state(self) -> dict[str, Any]:
        """Returns the weights to go on from, while the averages are in."""
        return {f"raw_{i}": raw for i, raw in enumerate(self._raw or ())}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` returned.

        Args:
            state: Of a model that had the weights which this one has.
        """
        raw = [state[f"raw_{i}"] for i in range(len(state))]
        self._raw = raw or None

    def _put_averages(self) -> None:
        if self._raw is not None:
            return
        pairs = _pairs(inner_optimizer(self.model.optimizer))
        self._raw = [variable.numpy() for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average.numpy())


_UPDATE = "_update_model_variables_moving_average"
_OVERWRITE = "_overwrite_model_variables_with_average_value"


def _pairs(optimizer: Any) -> list[tuple[Any, Any]]:
    """Returns each weight that the optimizer was built for, and its average."""
    return list(
        zip(
            optimizer._trainable_variables,
            optimizer._model_variables_moving_average,
            strict=True,
        )
    )


def _update(optimizer: Any, trainable_variables: Any) -> None:
    """Averages what a batch has led to; a part of the traced step."""
    done = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.float32)
    momentum = tf.minimum(optimizer.ema_momentum, (1 + done) / (10 + done))
    momentum = tf.where(done > 0, momentum, 0.0)
    accumulated = optimizer.gradient_accumulation_steps
    if accumulated:
        batches = tf.convert_to_tensor(optimizer._iterations) + 1
        momentum = tf.where(batches % accumulated == 0, momentum, 1.0)
    for variable, average in _pairs(optimizer):
        weight = tf.cast(momentum, variable.dtype)
        average.assign(weight * average + (1 - weight) * variable)


def _overwrite(optimizer: Any, trainable_variables: Any) -> None:
    """Puts the averages in; Keras calls this when `fit` ends."""
    for variable, average in _pairs(optimizer):
        variable.assign(average)
