"""What an evaluation comes to, in sentences."""

from dataclasses import dataclass
from typing import Final

from kerassent.comparison import Comparison
from kerassent.data_checks import DataChecks
from kerassent.evaluation import Evaluation
from kerassent.evaluation_parts import ThresholdRow
from kerassent.html_report.remarks import (
    WIDEST_INTERVAL,
    Remark,
    Tone,
    data_remarks,
    remarks_of,
)
from kerassent.html_report.wording import (
    count,
    one_in,
    percent,
    plural,
    points,
)

# Abstaining on more than half of the reviews is no way to use a model.
_LEAST_ANSWERED: Final = 0.5


@dataclass(frozen=True)
class Verdict:
    """The first lines of a report.

    Args:
        headline: What was measured.
        range: Where it may be on other reviews, and what a guess would give.
        ready: On what it depends whether the model is ready.
        tone: As in `Remark`.
        remarks: What else to know, the gravest first.
    """

    headline: str
    range: str
    ready: str
    tone: Tone
    remarks: tuple[Remark, ...]


def judge(
    evaluation: Evaluation, data_checks: DataChecks | None = None
) -> Verdict:
    """Returns what an evaluation comes to.

    Args:
        evaluation: What `evaluate` returned.
        data_checks: Of its data, if they were made.
    """
    low, high = evaluation.accuracy_interval
    totals = [sum(row) for row in evaluation.confusion_matrix]
    guess = max(totals) / evaluation.num_reviews
    name = evaluation.class_names[totals.index(max(totals))]
    tone, ready = _ready(evaluation, guess, name)
    remarks = [*data_remarks(data_checks), *remarks_of(evaluation)]
    remarks.sort(key=lambda each: _GRAVEST.index(each.tone))
    return Verdict(
        f"{percent(evaluation.accuracy)} of "
        f"{plural(evaluation.num_reviews, 'review')} right",
        f"On other reviews of this kind, between {percent(low, sign=False)} "
        f"and {percent(high)} with 95\u202f% confidence. Always "
        f"answering {name} would be right for {percent(guess)}.",
        ready,
        tone,
        tuple(remarks),
    )


_GRAVEST: Final = ("bad", "mind", "good")


def _ready(evaluation: Evaluation, guess: float, name: str) -> tuple[Tone, str]:
    low, high = evaluation.accuracy_interval
    wrong = 1 - evaluation.accuracy
    if high <= guess or evaluation.accuracy <= guess:
        return (
            "bad",
            f"Not ready: no better than answering {name} whatever the review.",
        )
    if low <= guess:
        return (
            "bad",
            f"Not shown to be ready: answering {name} whatever the review may "
            "be as good. Test it on more reviews.",
        )
    if high - low > WIDEST_INTERVAL:
        return (
            "mind",
            f"Too few reviews for a decision: {percent(low, sign=False)} and "
            f"{percent(high)} are {100 * (high - low):.0f} points apart. Test "
            "it on 400 or more.",
        )
    if not evaluation.num_mistakes:
        return "good", "Ready: it made no mistake on these reviews."
    ready = f"Ready when {one_in(wrong)} answers may be wrong."
    row = halving(evaluation)
    if row is not None and row.accuracy is not None:
        left = 1 - row.share_answered
        ready += (
            f" If a person reads the {percent(left)} that it scores below "
            f"{row.threshold:.2f}, "
        ) + (
            f"{one_in(1 - row.accuracy)} of the others is wrong."
            if row.accuracy < 1
            else "none of the others is wrong here."
        )
    return "good", ready


def halving(evaluation: Evaluation) -> ThresholdRow | None:
    """Returns the first threshold that halves the mistakes, if one does.

    Args:
        evaluation: What `evaluate` returned.
    """
    wrong = 1 - evaluation.accuracy
    for row in evaluation.thresholds:
        if row.accuracy is None or row.share_answered < _LEAST_ANSWERED:
            break
        if row.threshold > 0 and 1 - row.accuracy <= wrong / 2:
            return row
    return None


def compared(comparison: Comparison) -> str:
    """Returns what a comparison comes to.

    Args:
        comparison: What `compare` returned.
    """
    low, high = comparison.accuracy_difference_interval
    difference = comparison.accuracy_difference
    return {
        "better": "The new model is better",
        "worse": "The new model is worse",
        "no proof": "Neither model is shown to be better",
    }[comparison.verdict] + (
        f": {points(difference)} points of accuracy ({points(low)} to "
        f"{points(high)} with 95\u202f% confidence, McNemar’s p "
        f"{comparison.mcnemar_p_value:.2g}). Only the new one is right about "
        f"{plural(comparison.only_new_right, 'review')}, only the old one "
        f"about {count(comparison.only_old_right)}."
    )
