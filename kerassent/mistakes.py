"""The reviews that a model labels otherwise, with their texts."""

from collections.abc import Iterable, Sequence

import numpy as np

from kerassent.answers import Answers
from kerassent.evaluation_parts import Mistake
from kerassent.review_base import ReviewsBase

MOST_MISTAKES = 50
MOST_CHARACTERS = 2000


def likely_mislabelled(answers: Answers) -> np.ndarray:
    """Returns which reviews' labels are likely wrong, `(num_reviews,)` bool.

    A model that is surer of its own label than it is, on average, of reviews
    with that label is more likely right than the review's label is.

    Args:
        answers: What a model said.

    Reference:
        [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068).
    """
    num_classes = len(answers.class_names)
    usual = np.full(num_classes, np.inf)
    label_probabilities = answers.label_probabilities
    for k in range(num_classes):
        of_class = answers.y_true == k
        if of_class.any():
            usual[k] = label_probabilities[of_class].mean()
    y_pred = answers.y_pred
    found: np.ndarray = (y_pred != answers.y_true) & (
        answers.scores >= usual[y_pred]
    )
    return found


def mistakes_of(
    answers: Answers, reviews: ReviewsBase
) -> tuple[tuple[Mistake, ...], tuple[Mistake, ...]]:
    """Returns the worst mistakes, and the likely mislabelled.

    Args:
        answers: What a model said.
        reviews: Of these reviews; a stream is read once more.

    Returns:
        Up to 50 of each: those that the model is surest of first, and those
        with the greatest distance between the two labels' probabilities.
    """
    scores, y_pred = answers.scores, answers.y_pred
    wrong = np.flatnonzero(y_pred != answers.y_true)
    doubtful = likely_mislabelled(answers)
    doubted = np.flatnonzero(doubtful)
    margins = scores - answers.label_probabilities
    worst = highest(wrong, scores)
    likeliest = highest(doubted, margins)
    texts = texts_at(reviews, [*worst, *likeliest])

    def mistake(index: int) -> Mistake:
        label = int(answers.y_true[index])
        return Mistake(
            index=index,
            row=reviews.row_name(index),
            text=texts[index][:MOST_CHARACTERS],
            num_characters=len(texts[index]),
            label=answers.class_names[label],
            label_probability=float(answers.probabilities[index, label]),
            predicted=answers.class_names[int(y_pred[index])],
            score=float(scores[index]),
            likely_mislabelled=bool(doubtful[index]),
        )

    return tuple(map(mistake, worst)), tuple(map(mistake, likeliest))


def texts_at(reviews: ReviewsBase, indices: Iterable[int]) -> dict[int, str]:
    """Returns some of the reviews' texts, by their place.

    Args:
        reviews: The reviews; a stream is read once.
        indices: The places, from 0.
    """
    wanted = set(indices)
    if isinstance(reviews.texts, Sequence):
        return {i: reviews.texts[i] for i in wanted}
    return {i: text for i, text in enumerate(reviews.texts) if i in wanted}


def highest(indices: np.ndarray, values: np.ndarray) -> list[int]:
    """Returns up to 50 of the places, those with the highest values first.

    Args:
        indices: The places to choose from.
        values: Each review's value, `(num_reviews,)`.
    """
    order = np.argsort(-values[indices], kind="stable")
    found: list[int] = indices[order[:MOST_MISTAKES]].tolist()
    return found
