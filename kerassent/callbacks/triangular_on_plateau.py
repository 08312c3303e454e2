"""Triangular cycles that get lower on a plateau, and end by themselves."""

import math
from typing import Any

import keras

from kerassent.callbacks.triangular import Triangular


class TriangularOnPlateau(Triangular):
    """Triangular cycles, lowered where `monitor` stops improving, then ended.

    For training that shall find its own length: give `fit` more epochs than
    will be needed. After every `patience` epochs without improvement the peak
    becomes `factor` times as high, and after `stop_patience` of them training
    stops. What counts as an improvement is what `keras.callbacks.EarlyStopping`
    takes for one.

    A run that `BackupAndRestore` resumes goes on with the peak it had, which
    is read off the restored learning rate; the epochs without improvement are
    counted anew.

    Args:
        max_lr: The first peak. Above 0.
        monitor: The name in the logs, of validation unless you know better.
        mode: `"min"`, `"max"` or `"auto"`, as in `EarlyStopping`.
        patience: After how many epochs without improvement the peak is lowered.
        factor: What the peak is multiplied by then; above 0 and below 1.
        stop_patience: After how many epochs without improvement training stops.
        min_lr: The peak is never below this; from 0 to `max_lr`.
        min_delta: As in `EarlyStopping`.
        restore_best_weights: As in `EarlyStopping`.
        **kwargs: Those of `Triangular`.

    Raises:
        ValueError: As in `OneCycle`.
        TypeError: As in `OneCycle`.

    Example:
        ```python
        model.fit(
            dataset,
            validation_data=validation,
            epochs=100,
            callbacks=[TriangularOnPlateau(1e-3)],
        )
        ```
    """

    def __init__(
        self,
        max_lr: float,
        *,
        monitor: str = "val_loss",
        mode: str = "auto",
        patience: int = 2,
        factor: float = 0.5,
        stop_patience: int = 5,
        min_lr: float = 1e-7,
        min_delta: float = 0.0,
        restore_best_weights: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_lr, **kwargs)
        if not 0 < factor < 1:
            raise ValueError(
                f"`factor` must be above 0 and below 1. Received: {factor}"
            )
        if patience < 1 or stop_patience < 1:
            raise ValueError(
                "`patience` and `stop_patience` must be 1 or more. Received: "
                f"patience={patience}, stop_patience={stop_patience}"
            )
        if not 0 <= min_lr <= max_lr:
            raise ValueError(
                "`min_lr` must be from 0 to `max_lr`, or the peak would rise "
                f"to it. Received: min_lr={min_lr}, max_lr={max_lr}"
            )
        self.patience = patience
        self.factor = factor
        self.min_lr = min_lr
        self.first_max_lr = max_lr
        self._judge = keras.callbacks.EarlyStopping(
            monitor=monitor,
            mode=mode,
            patience=stop_patience,
            min_delta=min_delta,
            restore_best_weights=restore_best_weights,
        )

    def set_model(self, model: Any) -> None:
        """Takes the model; Keras calls this."""
        super().set_model(model)
        self._judge.set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins again at the first peak."""
        self.max_lr = self.first_max_lr
        super().on_train_begin(logs)
        self._judge.on_train_begin(logs)

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Finds where the schedule is, also that of a resumed run."""
        resumed = self._first_iteration is None and epoch > 0
        super().on_epoch_begin(epoch, logs)
        if resumed:
            last = self.learning_rate(self.step() - 1)
            lowered = float(self.model.optimizer.learning_rate) / last
            times = round(math.log(lowered) / math.log(self.factor))
            if times > 0 and math.isclose(
                lowered, self.factor**times, rel_tol=1e-4
            ):
                self._lower(times)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Lowers the peak or stops, if it is time."""
        super().on_epoch_end(epoch, logs)
        self._judge.on_epoch_end(epoch, logs)
        if self._judge.wait and self._judge.wait % self.patience == 0:
            self._lower(1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts back the momentum and, if asked, the best weights."""
        super().on_train_end(logs)
        self._judge.on_train_end(logs)

    def _lower(self, times: int) -> None:
        self.max_lr = max(self.max_lr * self.factor**times, self.min_lr)
