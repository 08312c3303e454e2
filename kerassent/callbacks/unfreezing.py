"""Layers that don't learn, or not yet."""

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kerassent.callbacks.momentum import inner_optimizer

_log = logging.getLogger("kerassent")


def freeze_layers(classifier: Any, frozen_layers: int | None) -> None:
    """Keeps the embeddings and the lowest layers as they are, for good.

    All else in the backbone learns, whatever was frozen before. Call it before
    the optimizer's first step, which then has nothing of what is frozen: no
    moments, no weight decay, no average. What is saved is the same.

    Args:
        classifier: A `SentimentClassifier`, or any keras-nlp classifier whose
            backbone has `transformer_layers`.
        frozen_layers: How many transformer layers, from the lowest, are
            frozen. 0 or `None` freezes nothing, not even the embeddings; with
            the number of layers only the head learns.

    Raises:
        ValueError: `frozen_layers` is not from 0 to the number of layers.
        TypeError: The classifier has no transformer layers.
    """
    layers = _transformer_layers(classifier)
    count = frozen_layers or 0
    if not 0 <= count <= len(layers):
        raise ValueError(
            f"`frozen_layers` must be from 0 to {len(layers)}, the number of "
            f"this backbone's transformer layers. Received: {frozen_layers}"
        )
    frozen = _lower_weights(classifier, count) if count else []
    # Not layer by layer: Keras takes `trainable = True` for nothing new where
    # the layer has it and its weights don't.
    for weight in classifier.backbone.weights:
        weight.trainable = not _is_in(weight, frozen)
    # What was traced before has the old ones.
    classifier.train_function = None


class GradualUnfreezing(keras.callbacks.Callback):
    """Lets the layers begin to learn one after the other, from the top.

    In the first epoch only the head learns, which is new; in each epoch after
    it `layers_per_epoch` more transformer layers do, and the embeddings when
    all layers do. So a head that knows nothing doesn't spoil what the layers
    know. What doesn't learn yet isn't differentiated either, which makes its
    epochs cheaper. What `freeze_layers` froze, or a `trainable` of your own,
    stays frozen.

    What learns depends on the epoch's number alone, also where `fit` begins at
    a later one. The optimizer is built for all that will ever learn. An average
    of weights (`use_ema`) begins when its weight begins to learn.

    The model's `trainable` flags are only changed while a step is traced. `fit`
    tells no callback that it failed: after an error or Ctrl-C call `restore()`
    before the model is trained otherwise.

    Args:
        layers_per_epoch: How many more layers learn in each epoch; 1 or more.

    Raises:
        ValueError: `layers_per_epoch` is out of range.
        TypeError: When `fit` starts, the model has no transformer layers.

    Example:
        ```python
        classifier.fit(
            train_ds,
            epochs=4,
            callbacks=[OneCycle(5e-5), GradualUnfreezing(layers_per_epoch=2)],
        )
        ```

    Reference:
        [Howard and Ruder, 2018](https://arxiv.org/abs/1801.06146), section 3.3.
    """

    def __init__(self, layers_per_epoch: int = 1) -> None:
        super().__init__()
        if layers_per_epoch < 1:
            raise ValueError(
                "`layers_per_epoch` must be 1 or more. "
                f"Received: {layers_per_epoch}"
            )
        self.layers_per_epoch = layers_per_epoch
        self._driven: Any = None
        self._waiting: list[Any] = []
        self._averages: list[tuple[Any, Any]] = []

    def restore(self) -> None:
        """Lets all layers learn again. Calling it again does no harm."""
        if self._driven is not None:
            self._driven.__dict__.pop("train_step", None)
            # It was traced with what learned last.
            self._driven.train_function = None
        self._driven = None
        self._waiting, self._averages = [], []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Builds the optimizer for all that will learn."""
        self.restore()  # if a `fit` before this one failed
        model = self.model
        epochs = self.params["epochs"]
        if self._waiting_in(epochs - 1):
            needed = next(
                n for n in itertools.count(epochs) if not self._waiting_in(n)
            )
            _log.warning(
                "Not all layers will learn: with %d more in each epoch it "
                "takes %d epochs until all do. There are %d.",
                *(self.layers_per_epoch, needed + 1, epochs),
            )
        if not model.optimizer.built:
            with model.distribute_strategy.scope():
                model.optimizer.build(model.trainable_variables)
        optimizer = inner_optimizer(model.optimizer)
        if optimizer.use_ema:
            self._averages = list(
                zip(
                    optimizer._trainable_variables,
                    optimizer._model_variables_moving_average,
                    strict=True,
                )
            )
        # An instance attribute in front of the class's own method.
        model.__dict__["train_step"] = self._stepping(model.train_step)
        self._driven = model

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Has the step traced anew when more layers begin to learn."""
        waiting = self._waiting_in(epoch)
        if len(waiting) != len(self._waiting):
            self._waiting = waiting
            self.model.make_train_function(force=True)
        for weight, average in self._averages:
            if _is_in(weight, waiting):
                average.assign(weight)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Lets all layers learn in the next `fit`."""
        self.restore()

    def _waiting_in(self, epoch: int) -> list[Any]:
        """Returns the weights that learn later than in this epoch."""
        layers = len(_transformer_layers(self.model))
        count = layers - epoch * self.layers_per_epoch
        if count <= 0:
            return []
        lower = _lower_weights(self.model, count)
        return [weight for weight in lower if weight.trainable]

    def _stepping(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def step_of_what_learns(data: Any) -> Any:
            with self._hidden():
                return step(data)

        return step_of_what_learns

    @contextlib.contextmanager
    def _hidden(self) -> Iterator[None]:
        """Hides from the model and the optimizer's averages what waits."""
        self._show_averages(
            [
                pair
                for pair in self._averages
                if not _is_in(pair[0], self._waiting)
            ]
        )
        for weight in self._waiting:
            weight.trainable = False
        try:
            yield
        finally:
            for weight in self._waiting:
                weight.trainable = True
            self._show_averages(self._averages)

    def _show_averages(self, averages: list[tuple[Any, Any]]) -> None:
        """Has the optimizer average these alone; its variables stay.

        Otherwise it would round an average of what doesn't change, and put
        that in its place.
        """
        if self._averages:
            attributes = inner_optimizer(self.model.optimizer).__dict__
            weights, values = zip(*averages, strict=True)
            attributes["_trainable_variables"] = list(weights)
            attributes["_model_variables_moving_average"] = list(values)


def _transformer_layers(classifier: Any) -> Any:
    backbone = getattr(classifier, "backbone", None)
    layers = getattr(backbone, "transformer_layers", None)
    if not layers:
        raise TypeError(
            "This needs a classifier whose backbone has `transformer_layers`, "
            "such as a `SentimentClassifier`. Received: "
            f"{type(classifier).__name__}"
        )
    return layers


def _lower_weights(classifier: Any, count: int) -> list[Any]:
    """Returns the embeddings' weights and those of the lowest layers."""
    layers = _transformer_layers(classifier)
    embeddings = itertools.takewhile(
        lambda weight: not _is_in(weight, layers[0].weights),
        classifier.backbone.weights,
    )
    return [*embeddings, *(w for each in layers[:count] for w in each.weights)]


def _is_in(weight: Any, weights: list[Any]) -> bool:
    """Returns whether it is one of them; `==` would compare values."""
    return any(weight is other for other in weights)
