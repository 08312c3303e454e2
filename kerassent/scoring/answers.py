"""The columns that are added to a file's own, and what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kerassent.contract import LABEL, SCORE
from kerassent.errors import DataError, listed
from kerassent.scoring.batching import FloatArray

_PROBABILITY = "probability_"
_ERROR = "error"


@dataclass(frozen=True)
class Answers:
    """What a model says of a chunk's rows.

    Args:
        labels: Each row's label, `None` where there is no text.
        figures: float32 `(num_rows, 1 + num_classes)`: the label's probability
            and each class's; NaN where there is no text.
        errors: What is wrong with each row, or "".
    """

    labels: list[str | None]
    figures: FloatArray
    errors: list[str]

    def decimals(self) -> list[list[str]]:
        """Returns the figures in as few digits as say which float32 it is."""
        text = self.figures.astype(str)
        text[np.isnan(self.figures)] = ""
        decimals: list[list[str]] = text.tolist()
        return decimals


class AnswerColumns:
    """The names of the added columns.

    Args:
        class_names: The model's classes.
        prefix: What each name begins with.
    """

    def __init__(self, class_names: Sequence[str], prefix: str = "") -> None:
        self._class_names = class_names
        self.label = prefix + LABEL
        self.figures = (
            prefix + SCORE,
            *(f"{prefix}{_PROBABILITY}{name}" for name in class_names),
        )
        self.error = prefix + _ERROR
        self.names = (self.label, *self.figures, self.error)

    def check(self, source: str, columns: Sequence[str]) -> None:
        """Raises `DataError` if a file has one of these columns already.

        Args:
            source: The file's name.
            columns: Its columns.
        """
        taken = [name for name in self.names if name in columns]
        if not taken:
            return
        prefix = "predicted_"
        while any(prefix + name in columns for name in self.names):
            prefix += "_"
        one = len(taken) == 1
        raise DataError(
            f"{source} has {'a column' if one else 'columns'} {listed(taken)} "
            f"already, which is what {'an answer' if one else 'answers'} would "
            f"be called. Pass `prefix={prefix!r}` (`--prefix {prefix}`)."
        )

    def answers(self, probabilities: FloatArray, errors: list[str]) -> Answers:
        """Returns what the columns hold.

        Args:
            probabilities: `(num_rows, num_classes)`; NaN where there is no
                text.
            errors: What is wrong with each row, or "".
        """
        best: npt.NDArray[np.int64] = probabilities.argmax(axis=1)
        scores = np.take_along_axis(probabilities, best[:, None], axis=1)
        known = ~np.isnan(scores[:, 0])
        return Answers(
            labels=[
                self._class_names[place] if is_known else None
                for place, is_known in zip(
                    best.tolist(), known.tolist(), strict=True
                )
            ],
            figures=np.concatenate([scores, probabilities], axis=1),
            errors=errors,
        )
