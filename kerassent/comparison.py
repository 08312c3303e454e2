"""Two models on the same reviews: is the new one better, and where not."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from kerassent.answers import Answers, ask
from kerassent.evaluation import Evaluation, evaluation_of
from kerassent.mistakes import MOST_CHARACTERS, highest, texts_at
from kerassent.prediction import Model, as_model, path_of
from kerassent.provenance import provenance_of
from kerassent.review_base import ReviewsBase, check_reviews

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """A review that one model labels rightly and the other doesn't.

    Args:
        index: The review's place among the reviews, from 0.
        row: Where it is in its source: "Excel row 14".
        text: The text, or its first 2,000 characters.
        label: What the reviews say.
        old_predicted: What the old model says.
        old_score: Its probability of that.
        new_predicted: What the new model says.
        new_score: Its probability of that.
    """

    index: int
    row: str
    text: str
    label: str
    old_predicted: str
    old_score: float
    new_predicted: str
    new_score: float


@dataclass(frozen=True)
class Comparison:
    """What `compare` found, as plain data of bounded size.

    Args:
        num_reviews: How many reviews both models were asked for.
        old: The old model's evaluation.
        new: The new model's.
        both_right: How many reviews both label rightly.
        only_old_right: How many only the old model does.
        only_new_right: How many only the new model does.
        both_wrong: How many neither does.
        mcnemar_p_value: How likely a difference as large as that between
            `only_old_right` and `only_new_right` is if the models are equally
            good: McNemar's test, exact (two-sided binomial).
        accuracy_difference: New minus old.
        accuracy_difference_interval: Its 95 % interval, by paired bootstrap:
            reviews are drawn, with what both models say of them.
        num_differences: How many reviews get different labels, whichever is
            right.
        lost: Up to 50 reviews that only the old model labels rightly, those
            that the new one is surest of first.
        gained: Up to 50 that only the new one does, those that the old one is
            surest of first.
    """

    num_reviews: int
    old: Evaluation
    new: Evaluation
    both_right: int
    only_old_right: int
    only_new_right: int
    both_wrong: int
    mcnemar_p_value: float
    accuracy_difference: float
    accuracy_difference_interval: tuple[float, float]
    num_differences: int
    lost: tuple[Difference, ...]
    gained: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        """`"better"`, `"worse"`, or `"no proof"` at the level of 5 %."""
        if self.mcnemar_p_value >= 0.05:
            return "no proof"
        return "better" if self.accuracy_difference > 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold."""
        return asdict(self) | {"verdict": self.verdict}


def compare(
    old: Model | str | os.PathLike[str],
    new: Model | str | os.PathLike[str],
    reviews: ReviewsBase,
    *,
    seed: int = 0,
    num_timed: int = 30,
) -> Comparison:
    """Returns whether a new model labels reviews better than the old one.

    Args:
        old: As `model` in `evaluate`.
        new: As `model` in `evaluate`. Both must know the reviews' labels.
        reviews: Labelled reviews that neither was trained on.
        seed: Of the bootstrap.
        num_timed: As in `evaluate`.

    Raises:
        TypeError: As in `evaluate`.
        ValueError: As in `evaluate`.

    Example:
        ```python
        compare("runs/may", "runs/june", reviews).verdict
        ```

    Reference:
        McNemar, 1947: Note on the sampling error of the difference between
        correlated proportions or percentages.
    """
    check_reviews(reviews)
    answers, evaluations = [], []
    for given in (old, new):
        model = as_model(given)
        asked = ask(model, reviews, num_timed=num_timed)
        made_of = provenance_of(
            model, path_of(given), reviews, asked.data_sha256
        )
        answers.append(asked)
        evaluations.append(evaluation_of(asked, reviews, made_of))
    old_right, new_right = (each.y_pred == each.y_true for each in answers)
    only_old, only_new = old_right & ~new_right, new_right & ~old_right
    lost = highest(np.flatnonzero(only_old), answers[1].scores)
    gained = highest(np.flatnonzero(only_new), answers[0].scores)
    texts = texts_at(reviews, [*lost, *gained])

    def difference(index: int) -> Difference:
        (old_id, old_score), (new_id, new_score) = (
            (int(row.argmax()), float(row.max()))
            for row in (each.probabilities[index] for each in answers)
        )
        return Difference(
            index=index,
            row=reviews.row_name(index),
            text=texts[index][:MOST_CHARACTERS],
            label=reviews.class_names[int(reviews.label_ids[index])],
            old_predicted=answers[0].class_names[old_id],
            old_score=old_score,
            new_predicted=answers[1].class_names[new_id],
            new_score=new_score,
        )

    num_reviews = len(old_right)
    num_lost, num_gained = int(only_old.sum()), int(only_new.sum())
    return Comparison(
        num_reviews=num_reviews,
        old=evaluations[0],
        new=evaluations[1],
        both_right=int((old_right & new_right).sum()),
        only_old_right=num_lost,
        only_new_right=num_gained,
        both_wrong=int((~old_right & ~new_right).sum()),
        mcnemar_p_value=mcnemar_p_value(num_lost, num_gained),
        accuracy_difference=(num_gained - num_lost) / num_reviews,
        accuracy_difference_interval=bootstrap_interval(
            num_lost, num_gained, num_reviews, seed=seed
        ),
        num_differences=int((_labels(answers[0]) != _labels(answers[1])).sum()),
        lost=tuple(map(difference, lost)),
        gained=tuple(map(difference, gained)),
    )


def mcnemar_p_value(only_old_right: int, only_new_right: int) -> float:
    """Returns the exact two-sided p-value of McNemar's test.

    Args:
        only_old_right: How many reviews only the old model labels rightly.
        only_new_right: How many only the new one does.
    """
    either = only_old_right + only_new_right
    return float(binomtest(only_old_right, either).pvalue) if either else 1.0


def bootstrap_interval(
    only_old_right: int, only_new_right: int, num_reviews: int, *, seed: int
) -> tuple[float, float]:
    """Returns the 95 % interval of a difference of accuracies.

    A review counts -1, 0 or 1, so what 10,000 samples with replacement sum to
    is drawn from the multinomial distribution, without the reviews.

    Args:
        only_old_right: How many reviews count -1.
        only_new_right: How many count 1.
        num_reviews: How many there are.
        seed: The same seed gives the same interval.
    """
    shares = np.array([only_old_right, only_new_right, 0]) / num_reviews
    shares[2] = 1 - shares[:2].sum()
    counts = np.random.default_rng(seed).multinomial(
        num_reviews, shares.clip(0, 1), size=_RESAMPLES
    )
    differences = (counts[:, 1] - counts[:, 0]) / num_reviews
    low, high = np.percentile(differences, [2.5, 97.5]).tolist()
    return low, high


def _labels(answers: Answers) -> np.ndarray:
    found: np.ndarray = np.array(answers.class_names)[answers.y_pred]
    return found
