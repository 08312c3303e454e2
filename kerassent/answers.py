"""All that a model says of labelled reviews, and how long it took."""

import time
from dataclasses import dataclass

import numpy as np

from kerassent.errors import listed
from kerassent.prediction import Model
from kerassent.review_base import ReviewsBase
from kerassent.review_hash import ReviewHash
from kerassent.text_windows import windows

# A softmax is within 1e-6 of a sum of 1 in float32, and 1e-2 in bfloat16.
_SUM_TOLERANCE = 1e-2

# Asking one by one ends early where a model takes long.
_MOST_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's probabilities, beside what the reviews say.

    Args:
        class_names: The model's, in the order of the probabilities.
        y_true: Each review's index into them, `(num_reviews,)` int32.
        probabilities: float32 `(num_reviews, num_classes)`, as they came.
        lengths: Each text's in characters, `(num_reviews,)` int64.
        data_sha256: The reviews' hash.
        total_seconds: How long the model took for all of them.
        single_ms: Milliseconds for each that was asked again alone.
    """

    class_names: tuple[str, ...]
    y_true: np.ndarray
    probabilities: np.ndarray
    lengths: np.ndarray
    data_sha256: str
    total_seconds: float
    single_ms: tuple[float, ...]

    @property
    def y_pred(self) -> np.ndarray:
        """Each review's most probable class, the first of equals."""
        found: np.ndarray = self.probabilities.argmax(axis=1)
        return found

    @property
    def scores(self) -> np.ndarray:
        """That class's probability, float64 `(num_reviews,)`."""
        highest: np.ndarray = self.probabilities.max(axis=1)
        return highest.astype(np.float64)

    @property
    def label_probabilities(self) -> np.ndarray:
        """The right label's probability, float64 `(num_reviews,)`."""
        rows = np.arange(len(self.y_true))
        found: np.ndarray = self.probabilities[rows, self.y_true]
        return found.astype(np.float64)


def ask(model: Model, reviews: ReviewsBase, *, num_timed: int = 0) -> Answers:
    """Returns what a model says of reviews, 8,192 texts in memory at a time.

    Args:
        model: Anything with `class_names` and `predict_proba(texts)`.
        reviews: Labelled reviews; the model knows each label.
        num_timed: How many are asked again one by one, after one that does
            not count; fewer if that takes more than five seconds.

    Raises:
        ValueError: The reviews have no labels, or labels that the model
            doesn't know; or what it answers are no probabilities.
    """
    if num_timed < 0:
        raise ValueError(
            f"`num_timed` must be 0 or more. Received: {num_timed}"
        )
    names = _checked_names(model)
    y_true = _checked_labels(names, reviews)
    probabilities = np.empty((len(y_true), len(names)), np.float32)
    lengths = np.empty(len(y_true), np.int64)
    hashed = ReviewHash(reviews)
    start, seconds = 0, 0.0
    timed: list[str] = []
    for window in windows(reviews.texts):
        begun = time.perf_counter()
        found = model.predict_proba(window)
        seconds += time.perf_counter() - begun
        end = start + len(window)
        probabilities[start:end] = _checked_probabilities(
            found, len(window), len(names), start
        )
        lengths[start:end] = [len(text) for text in window]
        for text in window:
            hashed.add(text)
        if not start and num_timed > 0:
            timed = window[:: -(-len(window) // num_timed)]
        start = end
    return Answers(
        class_names=names,
        y_true=y_true,
        probabilities=probabilities,
        lengths=lengths,
        data_sha256=hashed.hexdigest(),
        total_seconds=seconds,
        single_ms=_time_single(model, timed),
    )


def _time_single(model: Model, texts: list[str]) -> tuple[float, ...]:
    spent: list[float] = []
    deadline = time.perf_counter() + _MOST_SECONDS
    for text in [*texts[:1], *texts]:
        begun = time.perf_counter()
        if begun > deadline:
            break
        model.predict_proba([text])
        spent.append(1e3 * (time.perf_counter() - begun))
    return tuple(spent[1:])


def _checked_names(model: Model) -> tuple[str, ...]:
    names = tuple(model.class_names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(
            "`model` must have two or more different `class_names`. "
            f"Received: {names!r}"
        )
    return names


def _checked_labels(names: tuple[str, ...], reviews: ReviewsBase) -> np.ndarray:
    if reviews.labels is None:
        raise ValueError(
            "`reviews` must have labels: pass `label=` to `load_reviews` "
            "(`--label`)."
        )
    if not len(reviews):
        raise ValueError("`reviews` must be one or more. Received: none")
    unknown = sorted(
        reviews.class_names[i]
        for i in np.unique(reviews.label_ids)
        if reviews.class_names[i] not in names
    )
    if unknown:
        raise ValueError(
            f"`reviews` have labels that the model doesn't know: "
            f"{listed(unknown)}. The model's are {listed(names)}."
        )
    ids = [names.index(n) if n in names else -1 for n in reviews.class_names]
    return np.array(ids, np.int32)[reviews.label_ids]


def _checked_probabilities(
    found: object, num_texts: int, num_classes: int, start: int
) -> np.ndarray:
    probabilities = np.asarray(found)
    expected = (num_texts, num_classes)
    if probabilities.shape != expected:
        raise ValueError(
            "`model.predict_proba` must return a row for each text and a "
            f"column for each class: {expected}. "
            f"Received: {probabilities.shape}"
        )
    with np.errstate(invalid="ignore"):
        wrong = ~(
            (probabilities >= 0).all(axis=1)
            & (abs(probabilities.sum(axis=1) - 1.0) <= _SUM_TOLERANCE)
        )
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            "`model.predict_proba` must return probabilities: 0 or more, and "
            f"1 together. For review {start + row}, and {wrong.sum() - 1:,} "
            f"others, it returned {probabilities[row].tolist()}. If it gives "
            "logits, apply softmax; if NaN, its training has diverged."
        )
    return probabilities
