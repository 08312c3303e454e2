"""What a learning-rate range test saw, and what it suggests."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from kerassent import lr_suggestions
from kerassent.errors import listed
from kerassent.lr_drawing import draw_axes, draw_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

StopReason = Literal["finished", "diverged", "not_finite", "ran_out"]

# Suggestions leave out the steps in which nothing is learned yet, and those in
# which the loss explodes.
SKIPPED_SHARE = 10
SKIPPED_END = 5
FEWEST_STEPS = 20
_TOO_FEW: dict[StopReason, str] = {
    "finished": "{} steps are too few: give `num_steps` of {} or more",
    "diverged": "the loss exploded after {} of the {} steps that it takes at "
    "least: give a smaller `start_lr` and `end_lr`",
    "not_finite": "the loss was no finite number after {} of the {} steps that "
    "it takes at least: give a smaller `start_lr` and `end_lr`, or look at "
    "the data",
    "ran_out": "the data ran out after {} of the {} steps that it takes at "
    "least: give a dataset that can be repeated",
}


@dataclass(frozen=True, eq=False)
class LRCurve:
    """What a range test saw: the loss of a step at each learning rate.

    `print(curve)` shows it on a terminal, `curve.plot()` as a figure.

    Args:
        learning_rates: float64 `(num_steps,)`, increasing.
        losses: float64 `(num_steps,)`, each step's own.
        val_losses: float64 `(num_steps,)`, the validation loss after each step;
            if given, what is smoothed and judged.
        smoothing: The weight of the past in `smoothed_losses`.
        stop_reason: `"finished"` all steps, `"diverged"`, a loss that was
            `"not_finite"`, or data that `"ran_out"`.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    val_losses: np.ndarray | None = None
    smoothing: float = 0.9
    stop_reason: StopReason = "finished"

    def __post_init__(self) -> None:
        for name in ("learning_rates", "losses", "val_losses"):
            values = getattr(self, name)
            if values is not None:
                values = np.array(values, np.float64)
                values.flags.writeable = False
                object.__setattr__(self, name, values)
        for name in ("losses", "val_losses"):
            values = getattr(self, name)
            if values is not None and values.shape != self.learning_rates.shape:
                raise ValueError(
                    f"`{name}` must have a value for each of the "
                    f"{len(self.learning_rates)} learning rates. Received: "
                    f"{values.shape}"
                )
        if self.stop_reason not in get_args(StopReason):
            raise ValueError(
                f"`stop_reason` must be one of {get_args(StopReason)}. "
                f"Received: {self.stop_reason!r}"
            )

    @property
    def smoothed_losses(self) -> np.ndarray:
        """float64 `(num_steps,)`: the losses' moving average."""
        return lr_suggestions.smoothed(self._judged, self.smoothing)

    @property
    def suggestion(self) -> float:
        """A `max_lr`: the valley's, the middle of the longest fall.

        Raises:
            ValueError: There are fewer than 20 steps to judge by.
        """
        return self._suggest(lr_suggestions.valley)

    @property
    def suggestions(self) -> dict[str, float]:
        """All suggestions: `valley`, `steepest`, `slide` and `minimum`.

        `minimum` is a tenth of the rate with the least loss. The first tenth
        of the steps and the last five are left out.

        Raises:
            ValueError: There are fewer than 20 steps to judge by.
        """
        return {
            suggest.__name__: self._suggest(suggest)
            for suggest in (
                lr_suggestions.valley,
                lr_suggestions.steepest,
                lr_suggestions.slide,
                lr_suggestions.minimum,
            )
        }

    @property
    def doubt(self) -> str | None:
        """Why the curve carries no suggestion; `None` if it carries one."""
        if len(self.losses) < FEWEST_STEPS:
            return _TOO_FEW[self.stop_reason].format(
                len(self.losses), FEWEST_STEPS
            )
        return lr_suggestions.doubt(
            self._judged, self.smoothing, *self._window()
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the curve with its suggestions, on a log axis.

        Args:
            ax: Where to draw; `None` makes a figure of its own.

        Returns:
            The axes: `curve.plot().figure.savefig("lr.pdf")`.
        """
        return draw_axes(
            ax,
            self.learning_rates,
            self._judged,
            self.smoothed_losses,
            {} if self.doubt else self.suggestions,
            name="loss" if self.val_losses is None else "validation loss",
        )

    def to_frame(self) -> "pd.DataFrame":
        """Returns a DataFrame with a row a step."""
        import pandas as pd

        columns = {"learning_rate": self.learning_rates, "loss": self.losses}
        if self.val_losses is not None:
            columns["val_loss"] = self.val_losses
        return pd.DataFrame(columns | {"smoothed_loss": self.smoothed_losses})

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it, with what it suggests, as what JSON can hold."""
        enough = len(self.losses) >= FEWEST_STEPS
        return {
            "suggestion": self.suggestion if enough else None,
            "suggestions": self.suggestions if enough else {},
            "doubt": self.doubt,
            "stop_reason": self.stop_reason,
            "smoothing": self.smoothing,
            "learning_rates": self.learning_rates.tolist(),
            "losses": self.losses.tolist(),
            "val_losses": None
            if self.val_losses is None
            else self.val_losses.tolist(),
        }

    def to_json(self) -> str:
        """Returns `to_dict()` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "LRCurve":
        """Returns the curve that `to_json` wrote.

        Args:
            text: A JSON object.

        Raises:
            ValueError: `to_json` did not write it.
        """
        names = (
            *("learning_rates", "losses", "val_losses", "smoothing"),
            "stop_reason",
        )
        values = json.loads(text)
        if not isinstance(values, dict) or not values.keys() >= set(names):
            raise ValueError(
                "`text` must be what `LRCurve.to_json` wrote, a JSON object "
                f"with {listed(names)}. Received: {text[:60]!r}"
            )
        return cls(**{name: values[name] for name in names})

    def __str__(self) -> str:
        """The curve for a terminal, and its suggestions."""
        lines = [
            draw_text(self.learning_rates, self.smoothed_losses, self._marked())
        ]
        if self.doubt:
            lines.append(f"No suggestion: {self.doubt}.")
        else:
            lines.append(
                "  ".join(
                    f"{name} {rate:.1e}"
                    for name, rate in self.suggestions.items()
                )
            )
        return "\n".join(lines)

    def _marked(self) -> float | None:
        return None if self.doubt else self.suggestion

    @property
    def _judged(self) -> np.ndarray:
        return self.losses if self.val_losses is None else self.val_losses

    def _window(self) -> tuple[int, int]:
        num_steps = len(self.losses)
        return num_steps // SKIPPED_SHARE, num_steps - SKIPPED_END

    def _suggest(self, suggest: Any) -> float:
        if len(self.losses) < FEWEST_STEPS:
            raise ValueError(
                f"A suggestion needs {FEWEST_STEPS} steps or more. Received: "
                f"{len(self.losses)}. Give a larger `num_steps`, or a smaller "
                "`end_lr` if the loss exploded early."
            )
        start, stop = self._window()
        rate: float = suggest(
            self.learning_rates[start:stop], self.smoothed_losses[start:stop]
        )
        return rate
