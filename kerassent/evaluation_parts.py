"""What an `Evaluation` is made of: plain, frozen, of bounded size."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Averages:
    """Precision, recall and F1 over all classes.

    Args:
        precision: The average of the classes' precisions.
        recall: Of their recalls.
        f1: Of their F1.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassCurves:
    """One class against the rest: how well its probability ranks reviews.

    Args:
        class_name: The class.
        roc_auc: The area under the ROC curve, or `None` if all reviews, or
            none, are of the class.
        average_precision: The area under the precision-recall curve, as
            scikit-learn's `average_precision_score`; `None` if no review is
            of the class.
        undefined: Why one of them is `None`, in words; else "".
        roc: Points `(false positive rate, true positive rate)` from (0, 0) to
            (1, 1), at most 101; none without `roc_auc`.
        precision_recall: Points `(recall, precision)`, recall rising from 0 to
            1, at most 101; none without `average_precision`.
    """

    class_name: str
    roc_auc: float | None
    average_precision: float | None
    undefined: str
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ReliabilityBin:
    """The reviews whose score is between two bounds.

    Args:
        low: The scores are above it (in the first bin: or equal to it).
        high: And at most this.
        num_reviews: How many they are, 1 or more: empty bins are left out.
        mean_score: What the model promised.
        accuracy: What came true.
    """

    low: float
    high: float
    num_reviews: int
    mean_score: float
    accuracy: float


@dataclass(frozen=True)
class LengthBin:
    """The reviews whose length in characters is between two bounds.

    Args:
        shortest: The length of the shortest of them.
        longest: And of the longest.
        num_reviews: How many they are, 1 or more.
        accuracy: The share of them with the right label.
        accuracy_interval: Wilson's, 95 %.
    """

    shortest: int
    longest: int
    num_reviews: int
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class ThresholdRow:
    """What comes of it if the model abstains below a score.

    Args:
        threshold: The least score that is an answer; 0 answers all.
        num_answered: How many reviews have it.
        share_answered: That, of all reviews: 0 to 1.
        accuracy: Of the answered reviews; `None` if there are none.
        precision: By class, of the answered reviews; `None` where none got
            that label.
    """

    threshold: float
    num_answered: int
    share_answered: float
    accuracy: float | None
    precision: tuple[float | None, ...]


@dataclass(frozen=True)
class Latency:
    """How long the model took, as the caller sees it.

    Args:
        total_seconds: For all reviews, in batches of the model's choice.
        reviews_per_second: All reviews over that.
        num_timed: How many reviews were asked again one by one, after one
            that did not count.
        median_ms: Of these, in milliseconds; `None` if there were none.
        percentile_95_ms: Of these; `None` if there were none.
    """

    total_seconds: float
    reviews_per_second: float
    num_timed: int
    median_ms: float | None
    percentile_95_ms: float | None


@dataclass(frozen=True)
class Mistake:
    """A review that the model labelled otherwise.

    Args:
        index: The review's place among the reviews, from 0.
        row: Where it is in its source, by the source's own numbering: "Excel
            row 14".
        text: The text, or its first 2,000 characters.
        num_characters: The whole text's length.
        label: What the reviews say.
        label_probability: The model's probability of that.
        predicted: What the model says.
        score: The model's probability of that.
        likely_mislabelled: Whether the model is surer of `predicted` than it
            is, on average, of reviews that do have that label: a label like
            this is often wrong (confident learning).

    Reference:
        [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068).
    """

    index: int
    row: str
    text: str
    num_characters: int
    label: str
    label_probability: float
    predicted: str
    score: float
    likely_mislabelled: bool


@dataclass(frozen=True)
class Provenance:
    """What was evaluated with what, to do it again.

    Args:
        model: The path of a run or an export, a server's URL and the model's
            name there, or the class of an object in memory.
        temperature: What logits were divided by, if it is known.
        data: The name of what the reviews came from.
        data_sha256: Of all texts and labels, as `train.json` has it.
        when: The time it was finished, UTC, ISO 8601.
        versions: Of kerassent, Python and what else decides the figures.
        machine: `system`, `processor` and `cores`.
    """

    model: str
    temperature: float | None
    data: str
    data_sha256: str
    when: str
    versions: dict[str, str] = field(hash=False)
    machine: dict[str, str | int | None] = field(hash=False)
