"""Crossentropy of integer labels with label smoothing."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerassent")
class SmoothedCrossentropy(keras.losses.Loss):
    """Crossentropy of logits and integer labels, with label smoothing.

    With smoothing a label counts for `1 - label_smoothing` of what is learned,
    and all classes for equal parts of the rest, so that no logit is driven on
    without end. `keras.losses.CategoricalCrossentropy(label_smoothing=)` means
    the same, but wants one-hot labels, which `class_weight` and this library's
    data don't have. Without smoothing it is
    `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.

    Args:
        label_smoothing: 0 to below 1.
        reduction: As in `keras.losses.Loss`.
        name: As in `keras.losses.Loss`.
        dtype: As in `keras.losses.Loss`.

    Raises:
        ValueError: `label_smoothing` is out of range.

    Call arguments:
        y_true: Integers `(batch_size,)`.
        y_pred: Logits `(batch_size, num_classes)`.

    Example:
        ```python
        classifier.compile("adamw", loss=SmoothedCrossentropy(0.1))
        ```

    Reference:
        [Szegedy et al., 2015](https://arxiv.org/abs/1512.00567), section 7.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "smoothed_crossentropy",
        dtype: Any = None,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be 0 or more and below 1. "
                f"Received: {label_smoothing}"
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns each example's loss, `(batch_size,)`."""
        of_label = ops.sparse_categorical_crossentropy(
            y_true, y_pred, from_logits=True
        )
        if not self.label_smoothing:
            return of_label
        of_all = -ops.mean(ops.log_softmax(y_pred), axis=-1)
        return (
            1.0 - self.label_smoothing
        ) * of_label + self.label_smoothing * of_all

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        config: dict[str, Any] = super().get_config()
        return config | {"label_smoothing": self.label_smoothing}
