"""Keras's progress bar, in one line of the terminal."""

import os
import sys
from typing import Any, Final

import keras

from kerassent.callbacks.throughput import Throughput

# What is left out last on a narrow terminal.
_FIRST: Final = ("loss", "left", "tokens/s", "accuracy")

# Of the bar itself: ` ━━━━━━━━━━━━━━━━━━━━ 1:23:45 123ms/step`.
_BAR_WIDTH: Final = 39

# Of a value: `1:23:45`, `123,456`, `1.2e-05`. What fits must not depend on the
# value, since Keras goes on showing what it was shown once.
_VALUE_WIDTH: Final = 7


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, with the time left and no more than fits.

    A line that is wider than the terminal makes Keras write a new one for each
    step. Here what doesn't fit is left out until the epoch ends. `left` is the
    time until `fit` ends, as `Throughput` judges it.

    Make it the last but for what writes checkpoints. `fit` then adds none of
    its own, and `verbose` means what it always does.

    Args:
        throughput: A callback of the same `fit`, earlier in the list.

    Example:
        ```python
        throughput = Throughput(batches.num_tokens)
        model.fit(dataset, callbacks=[throughput, ProgressBar(throughput)])
        ```
    """

    def __init__(self, throughput: Throughput) -> None:
        super().__init__()
        self._throughput = throughput

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Shows what fits."""
        if self.verbose == 1:
            super().on_train_batch_end(batch, self._fitting(self._shown(logs)))

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Shows everything."""
        super().on_epoch_end(epoch, self._shown(logs))

    def _shown(self, logs: dict[str, Any] | None) -> dict[str, float]:
        """Returns what is to be shown, the most important first."""
        values = dict(logs or {})
        speed = values.pop("tokens_per_second", None)
        left = self._throughput.seconds_left
        shown = {
            name: _Text(value, _number(value)) for name, value in values.items()
        }
        shown["left"] = _Text(left or 0, _duration(left))
        if speed is not None:
            shown["tokens/s"] = _Text(speed, f"{speed:,.0f}")
        first = [name for name in _FIRST if name in shown]
        return {name: shown[name] for name in dict.fromkeys([*first, *shown])}

    def _fitting(self, shown: dict[str, float]) -> dict[str, float]:
        columns = _columns()
        if columns is None:
            return shown
        room = columns - 2 * len(str(self.target or 0)) - 1 - _BAR_WIDTH
        fitting = {}
        for name, value in shown.items():
            room -= len(f" - {name}: ") + _VALUE_WIDTH
            if room < 0:
                break
            fitting[name] = value
        return fitting


class _Text(float):
    """A number that is shown as a text."""

    _text: str

    def __new__(cls, value: float, text: str) -> "_Text":
        self = super().__new__(cls, value)
        self._text = text
        return self

    def __format__(self, format_spec: str) -> str:
        return self._text

    def __truediv__(self, count: float) -> "_Text":
        """Stays what it is where Keras takes the mean of one."""
        return self


def _columns() -> int | None:
    """Returns the width of the terminal that is written to, if it is one."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-3 or not value else f"{value:.2g}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"
