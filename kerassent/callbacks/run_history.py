"""How each epoch went, as a file, and each step, for a picture."""

import csv
import os
import pathlib
from typing import Any, Final

import keras
import numpy as np

from kerassent.replicas import read
from kerassent.whole_file import written_whole

_MOST_POINTS: Final = 1024


class RunHistory(keras.callbacks.Callback):
    """Writes a CSV file with a row an epoch, and keeps the loss of each step.

    The file is whole at any time: it is written beside and renamed when an
    epoch ends. Its first column is `epoch`, from 0, and the others are the
    epoch's logs. A column that came later is empty before.

    Put it after the callbacks that put something into the logs.

    Args:
        path: The file to write.

    Example:
        ```python
        history = RunHistory("history.csv")
        model.fit(dataset, callbacks=[OneCycle(5e-5), history])
        draw_learning_curves(
            history.rows, history.step_losses, "learning_curves.svg"
        )
        ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = pathlib.Path(path)
        self._begin()

    def _begin(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._epoch: int = -1
        self._done: int = 0
        self._sum: float = 0.0
        self._count: float = 0.0
        # A point is of so many calls, all but the last one.
        self._width, self._in_last = 1, 1
        self._epochs: list[float] = []
        self._sums: list[float] = []
        self._counts: list[float] = []
        self._rates: list[float] = []

    @property
    def rows(self) -> list[dict[str, float]]:
        """A row for each epoch: `epoch`, and its logs."""
        return [dict(row) for row in self._rows]

    @property
    def step_losses(self) -> dict[str, np.ndarray]:
        """The loss of each step, of two steps, or of four …: about 1000 points.

        Float64 `(num_points,)` each: `epoch`, how many epochs were done when
        the point's last step was; `loss`, the mean over its examples;
        `learning_rate` of its last step, NaN if the logs have none. There are
        no points if `fit` doesn't know how many steps an epoch has, or the
        model has no metric `loss`.
        """
        return {
            "epoch": np.array(self._epochs),
            "loss": np.array(self._sums) / np.array(self._counts),
            "learning_rate": np.array(self._rates),
        }

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a new history."""
        self._begin()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Notes that the running means begin anew."""
        if epoch != self._epoch:
            self._epoch, self._done = epoch, 0
            self._sum, self._count = 0.0, 0.0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Takes the step's loss out of the epoch's running mean."""
        batches = self.params.get("steps")
        tracker = self._loss_tracker()
        if batches is None or tracker is None or batch < self._done:
            return
        self._done = batch + 1
        before = self._sum, self._count
        # What Keras has summed up: each batch's loss times its examples.
        self._sum = float(read(tracker.total))
        self._count = float(read(tracker.count))
        self._add(
            self._epoch + min(self._done, batches) / batches,
            self._sum - before[0],
            self._count - before[1],
            float((logs or {}).get("learning_rate", "nan")),
        )

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Writes the file."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": epoch} | values)
        self._write()

    def get_state(self) -> dict[str, Any]:
        """Returns all rows, and the steps as arrays."""
        return {
            "rows": self.rows,
            "epoch": self._epoch,
            "done": self._done,
            "sum": self._sum,
            "count": self._count,
            "width": self._width,
            "in_last": self._in_last,
            "epochs": np.array(self._epochs),
            "sums": np.array(self._sums),
            "counts": np.array(self._counts),
            "rates": np.array(self._rates),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` returned, and writes the file accordingly.

        Args:
            state: Of the run that is gone on with.
        """
        self._begin()
        self._rows += [dict(row) for row in state["rows"]]
        self._epoch = state["epoch"]
        self._done = state["done"]
        self._sum = state["sum"]
        self._count = state["count"]
        self._width = state["width"]
        self._in_last = state["in_last"]
        self._epochs += state["epochs"].tolist()
        self._sums += state["sums"].tolist()
        self._counts += state["counts"].tolist()
        self._rates += state["rates"].tolist()
        if self._rows:
            self._write()

    def _loss_tracker(self) -> Any:
        for metric in self.model.metrics:
            if metric.name == "loss" and isinstance(metric, keras.metrics.Mean):
                return metric
        return None

    def _add(
        self, epoch: float, loss_sum: float, count: float, rate: float
    ) -> None:
        if self._in_last < self._width:
            self._in_last += 1
            self._epochs[-1] = epoch
            self._sums[-1] += loss_sum
            self._counts[-1] += count
            self._rates[-1] = rate
            return
        if len(self._epochs) == _MOST_POINTS:
            self._width *= 2
            self._epochs = self._epochs[1::2]
            self._rates = self._rates[1::2]
            self._sums = _in_pairs(self._sums)
            self._counts = _in_pairs(self._counts)
        self._in_last = 1
        self._epochs.append(epoch)
        self._sums.append(loss_sum)
        self._counts.append(count)
        self._rates.append(rate)

    def write_step_losses(self, path: str | os.PathLike[str]) -> None:
        """Writes `step_losses` as a CSV file with a row a point.

        Args:
            path: The file, written beside and renamed.
        """
        columns = {
            name: values.tolist() for name, values in self.step_losses.items()
        }
        rows = zip(*columns.values(), strict=True)
        _write_csv(
            pathlib.Path(path),
            list(columns),
            [dict(zip(columns, row, strict=True)) for row in rows],
        )

    def _write(self) -> None:
        names = dict.fromkeys(name for row in self._rows for name in row)
        _write_csv(self.path, list(names), self._rows)


def _write_csv(
    path: pathlib.Path, names: list[str], rows: list[dict[str, float]]
) -> None:
    with (
        written_whole(path) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _in_pairs(values: list[float]) -> list[float]:
    return [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
