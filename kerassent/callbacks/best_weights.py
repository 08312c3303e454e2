"""Ending with the weights of the best epoch."""

import logging
import math
from typing import Any, Literal

import keras
import numpy as np

from kerassent.errors import listed

_log = logging.getLogger("kerassent")

Monitor = Literal["val_accuracy", "val_balanced_accuracy", "val_loss"]


class BestWeights(keras.callbacks.EarlyStopping):
    """Ends with the best epoch's weights, and stops when none gets better.

    It is Keras's `EarlyStopping` with other defaults, which can be resumed.
    Of epochs that are equally good the last one's weights are kept, as they
    were trained longer; but that isn't progress: patience runs on. A value
    that is no finite number is never the best.

    Args:
        monitor: What to judge by. A name that ends in "accuracy" should be
            high, one that ends in "loss" low. Each epoch's logs must have it.
        patience: After how many epochs in a row that were no better than the
            best one to stop, 1 or more; `None` never stops.
        restore: Whether the best weights are restored, or the last ones kept.

    Raises:
        ValueError: An argument is out of range; or, when an epoch ends, the
            logs don't have `monitor`.

    Example:
        ```python
        model.fit(dataset, validation_data=valid, callbacks=[BestWeights()])
        ```
    """

    def __init__(
        self,
        monitor: str = "val_accuracy",
        patience: int | None = None,
        *,
        restore: bool = True,
    ) -> None:
        if not monitor.endswith(("accuracy", "loss")):
            raise ValueError(
                "`monitor` must be a name that ends in 'accuracy' or 'loss'. "
                f"Received: {monitor!r}"
            )
        if patience is not None and patience < 1:
            raise ValueError(
                "`patience` must be 1 or more, or None to never stop. "
                f"Received: {patience}"
            )
        super().__init__(
            monitor,
            patience=math.inf if patience is None else patience,
            mode="max" if monitor.endswith("accuracy") else "min",
            restore_best_weights=restore,
        )
        self.wait = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.stopped_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Keeps the weights if they are the best, or counts and stops."""
        if 0 < self.stopped_epoch < epoch:
            # A run that was resumed after it had stopped.
            self.model.stop_training = True
            return
        value = self.get_monitor_value(logs)
        gain = value if self.mode == "max" else -value
        if math.isfinite(value):
            best = self._best_gain()
            if gain >= best:
                self.best = value
                self.best_epoch = epoch
                if self.restore_best_weights:
                    self.best_weights = self.model.get_weights()
            if gain > best:
                self.wait = 0
                return
        self.wait += 1
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restores the best weights and says of which epoch they are."""
        super().on_train_end(logs)
        epochs = self.params["epochs"]
        if 0 < self.stopped_epoch < epochs - 1:
            _log.info("Stopped early, after epoch %d", self.stopped_epoch + 1)
        if self.best is None:
            _log.warning(
                "The last weights are kept: no epoch had a finite %s",
                self.monitor,
            )
            return
        _log.info(
            "The weights of epoch %d of %d %s: %s %.4f",
            self.best_epoch + 1,
            epochs,
            "are kept" if self.restore_best_weights else "were the best",
            self.monitor,
            self.best,
        )

    def get_monitor_value(self, logs: dict[str, Any] | None) -> float:
        """Returns what an epoch is judged by.

        Args:
            logs: The epoch's.

        Raises:
            ValueError: They don't have it.
        """
        logs = logs or {}
        if self.monitor not in logs:
            raise ValueError(
                f"BestWeights judges by {self.monitor!r}, which the epoch's "
                f"logs don't have. They have {listed(sorted(logs))}. Pass "
                "`validation_data` to `fit`, or another `monitor`."
            )
        return float(logs[self.monitor])

    def get_state(self) -> dict[str, Any]:
        """Returns the counters, and the best weights as arrays."""
        return {
            "wait": self.wait,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
        } | {
            f"best_weights_{i}": weight
            for i, weight in enumerate(self.best_weights or ())
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` returned.

        If that run had stopped, this one stops as soon as Keras lets it, and
        judges no further epoch.

        Args:
            state: Of a model with the same weights.
        """
        self.wait = state["wait"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self.stopped_epoch = state["stopped_epoch"]
        self.best_weights = [
            state[f"best_weights_{i}"] for i in range(len(state) - 4)
        ] or None
        if self.stopped_epoch:
            self.model.stop_training = True

    def _best_gain(self) -> float:
        if self.best is None:
            return -math.inf
        return float(self.best if self.mode == "max" else -self.best)
