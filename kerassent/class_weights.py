"""How much each class counts in training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from kerassent.errors import listed

ClassWeight = Literal["balanced"] | Mapping[str, float] | None


def resolve_class_weights(
    choice: ClassWeight, label_ids: np.ndarray, class_names: Sequence[str]
) -> dict[int, float] | None:
    """Returns what `fit` takes as `class_weight`.

    Args:
        choice: `None` counts each review alike. `"balanced"` counts each class
            alike, by scikit-learn's formula: a review counts the number of
            reviews / (the number of classes * the number of reviews of its
            class). Or a weight above 0 for each class name.
        label_ids: int `(num_reviews,)`: the labels that are trained on.
        class_names: The classes in the order of `label_ids`.

    Returns:
        A weight for each class's position in `class_names`; `None` for `None`.

    Raises:
        ValueError: `choice` is none of those, or `"balanced"` and a class has
            no review.
    """
    if choice is None:
        return None
    if isinstance(choice, Mapping):
        return _checked(choice, class_names)
    if choice != "balanced":
        raise ValueError(
            "`class_weight` must be None, 'balanced' or a weight for each "
            f"class name. Received: {choice!r}"
        )
    counts = np.bincount(label_ids, minlength=len(class_names))
    missing = [
        name
        for name, count in zip(class_names, counts, strict=True)
        if not count
    ]
    if missing:
        raise ValueError(
            "`class_weight='balanced'` needs reviews of every class to train "
            f"on. There are none of {listed(missing)}: add some, leave the "
            "class out of `class_names`, or pass a weight for each class name."
        )
    weights = len(label_ids) / (len(class_names) * counts)
    return {i: float(weight) for i, weight in enumerate(weights)}


def _checked(
    weights: Mapping[str, Any], class_names: Sequence[str]
) -> dict[int, float]:
    named = f"The classes are {listed(class_names)}."
    unknown = [name for name in weights if name not in class_names]
    if unknown:
        raise ValueError(
            f"`class_weight` has {listed(unknown)}, which is no class. {named}"
        )
    missing = [name for name in class_names if name not in weights]
    if missing:
        raise ValueError(
            f"`class_weight` must have a weight for each class. {named} "
            f"Missing: {listed(missing)}"
        )
    for name, weight in weights.items():
        if not (
            isinstance(weight, int | float | np.number)
            and 0 < weight < math.inf
        ):
            raise ValueError(
                "Each of `class_weight` must be a number above 0. "
                f"Received: {weight!r} for {name!r}"
            )
    return {i: float(weights[name]) for i, name in enumerate(class_names)}
