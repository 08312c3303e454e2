"""How well every class is recognized, be it ever so rare."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerassent")
class BalancedAccuracy(keras.metrics.Metric):
    """The mean of the classes' recalls, each class counting alike.

    Where nine of ten reviews are positive, a model that always says so has an
    accuracy of 0.9 and a balanced accuracy of 0.5. It is scikit-learn's
    `balanced_accuracy_score`: classes that did not occur among the labels are
    left out. Reviews are counted, so `class_weight` and `sample_weight` change
    nothing.

    Args:
        num_classes: How many logits there are.
        name: As in `keras.metrics.Metric`.
        dtype: As in `keras.metrics.Metric`.

    Raises:
        ValueError: `num_classes` is below 2.

    Example:
        ```python
        classifier.compile("adamw", loss, metrics=[BalancedAccuracy(2)])
        ```
    """

    def __init__(
        self,
        num_classes: int,
        name: str = "balanced_accuracy",
        dtype: Any = None,
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f"`num_classes` must be 2 or more. Received: {num_classes}"
            )
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        # Above 2**24 float32 no longer counts one by one.
        self.confusion = self.add_variable(
            shape=(num_classes, num_classes),
            initializer="zeros",
            dtype="int64",
            name="confusion",
        )

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Counts a batch.

        Args:
            y_true: Integers `(batch_size,)` or `(batch_size, 1)`.
            y_pred: Logits or probabilities `(batch_size, num_classes)`.
            sample_weight: Not looked at.
        """
        labels = ops.cast(ops.reshape(y_true, [-1]), "int64")
        answers = ops.cast(ops.argmax(y_pred, axis=-1), "int64")
        counts = ops.segment_sum(
            ops.ones_like(labels),
            labels * self.num_classes + answers,
            num_segments=self.num_classes**2,
        )
        self.confusion.assign_add(
            ops.reshape(counts, [self.num_classes, self.num_classes])
        )

    def result(self) -> Any:
        """Returns the mean recall so far; 0 before the first batch."""
        right = ops.cast(ops.diagonal(self.confusion), self.dtype)
        counts = ops.cast(ops.sum(self.confusion, axis=1), self.dtype)
        recalls = right / ops.maximum(counts, 1)
        occurred = ops.sum(ops.cast(counts > 0, self.dtype))
        return ops.sum(recalls) / ops.maximum(occurred, 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        config: dict[str, Any] = super().get_config()
        return config | {"num_classes": self.num_classes}
