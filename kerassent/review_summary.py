"""What is in the reviews: counts, balance, lengths, duplicates."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Summary:
    """What is in some Reviews; `print` shows it in a few lines.

    Args:
        source: Where the reviews come from.
        num_reviews: How many there are.
        class_counts: How many each class has, in the order of the class
            names. Empty without labels.
        balance: The smallest class's count over the largest's, 0 to 1, or
            `None` without labels.
        length_quantiles: Lengths in characters by quantile, 0.0 (shortest)
            to 1.0 (longest). Each is the length of a review that is there.
        duplicates: How many reviews have exactly the text of one before them.
        dates: How many cells of the source were dates or times, and were read
            as ISO 8601 text.
        dropped: How many rows of the source had an empty text and were left
            out with `drop_empty=True`.
    """

    source: str
    num_reviews: int
    class_counts: dict[str, int]
    balance: float | None
    length_quantiles: dict[float, int]
    duplicates: int
    dates: int
    dropped: int

    def __str__(self) -> str:
        """Returns a few lines for a terminal."""
        lines = [f"{self.source}: {self.num_reviews:,} reviews"]
        if self.balance is not None:
            counts = ", ".join(
                f"{name} {count:,} ({count / self.num_reviews:.1%})"
                for name, count in self.class_counts.items()
            )
            lines.append(f"classes     {counts}")
            lines.append(f"balance     {self.balance:.2f}")
        words = ("shortest", "25 %", "median", "75 %", "95 %", "longest")
        lengths = ", ".join(
            f"{word} {length:,}"
            for word, length in zip(
                words, self.length_quantiles.values(), strict=True
            )
        )
        lines.append(f"characters  {lengths}")
        lines.append(f"duplicates  {self.duplicates:,}")
        if self.dates:
            lines.append(f"dates       {self.dates:,} read as ISO 8601 text")
        if self.dropped:
            lines.append(f"dropped     {self.dropped:,} with an empty text")
        return "\n".join(lines)


def summarize(
    *,
    source: str,
    label_ids: npt.NDArray[np.int32],
    class_names: tuple[str, ...],
    lengths: npt.NDArray[np.int64],
    num_different: int,
    dates: int,
    dropped: int,
) -> Summary:
    """Returns the summary of reviews that are given by what is counted.

    Args:
        source: Where the reviews come from.
        label_ids: Each review's class, `(num_reviews,)` int32.
        class_names: The classes' names; none means no labels.
        lengths: Each review's characters, `(num_reviews,)`.
        num_different: How many different texts there are.
        dates: Cells of the source that were dates or times.
        dropped: Rows of the source that were left out.
    """
    counts = np.bincount(
        label_ids if class_names else label_ids[:0], minlength=len(class_names)
    )
    ordered = np.sort(lengths)
    places = {
        quantile: max(0, math.ceil(quantile * len(ordered)) - 1)
        for quantile in _QUANTILES
    }
    return Summary(
        source=source,
        num_reviews=len(lengths),
        class_counts=dict(zip(class_names, counts.tolist(), strict=True)),
        balance=float(counts.min() / counts.max()) if class_names else None,
        length_quantiles={
            quantile: int(ordered[place]) for quantile, place in places.items()
        },
        duplicates=len(lengths) - num_different,
        dates=dates,
        dropped=dropped,
    )
