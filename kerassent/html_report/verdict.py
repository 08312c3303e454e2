"""What an evaluation comes to, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from kerassent.comparison import Comparison
from kerassent.data_checks import DataChecks
from kerassent.evaluation import Evaluation
from kerassent.evaluation_parts import ThresholdRow
from kerassent.html_report.wording import (
    count,
    listed,
    one_in,
    percent,
    plural,
    points,
)

Tone = Literal["good", "mind", "bad"]

# An interval wider than this, in shares, is no ground for a decision.
_WIDEST_INTERVAL: Final = 0.1
# Scores that are off by less than this on average are taken at their word.
_CALIBRATED: Final = 0.03
# Abstaining on more than half of the reviews is no way to use a model.
_LEAST_ANSWERED: Final = 0.5


@dataclass(frozen=True)
class Remark:
    """Something to know before the model is shipped.

    Args:
        tone: Whether it speaks for the model, is to be minded, or speaks
            against it.
        says: It, in a few words.
        why: The figures.
    """

    tone: Tone
    says: str
    why: str


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
    remarks = [*_about_data(data_checks), *_remarks(evaluation)]
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
    if high - low > _WIDEST_INTERVAL:
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


def _about_data(data_checks: DataChecks | None) -> Iterator[Remark]:
    for finding in data_checks.findings if data_checks else ():
        if finding.severity == "bad":
            yield Remark(
                "bad",
                f"{finding.title}: {count(finding.count)}",
                finding.explanation,
            )


def _remarks(evaluation: Evaluation) -> Iterator[Remark]:
    yield from _about_absent_classes(evaluation)
    low, high = evaluation.accuracy_interval
    if high - low <= _WIDEST_INTERVAL:  # else there is nothing to be seen
        yield from _about_classes(evaluation)
        yield from _about_scores(evaluation)
    yield from _about_lengths(evaluation)
    number = evaluation.num_likely_mislabelled
    if number:
        yield Remark(
            "mind",
            f"{plural(number, 'label')} may be wrong",
            f"Of the {plural(evaluation.num_mistakes, 'mistake')}, "
            f"{count(number)} look like the label’s rather than the model’s. "
            "Read these first: the model may be better than its figures.",
        )


def _about_absent_classes(evaluation: Evaluation) -> Iterator[Remark]:
    absent = [
        name
        for name, row in zip(
            evaluation.class_names, evaluation.confusion_matrix, strict=True
        )
        if not sum(row)
    ]
    if absent:
        yield Remark(
            "bad",
            f"Nothing is known of {listed(absent)}",
            "No review here has such a label.",
        )


def _about_classes(evaluation: Evaluation) -> Iterator[Remark]:
    found = [
        (recall, name)
        for recall, name, row in zip(
            evaluation.recall,
            evaluation.class_names,
            evaluation.confusion_matrix,
            strict=True,
        )
        if sum(row)
    ]
    (worst, worst_name), (best, best_name) = min(found), max(found)
    if best - worst > 0.05:
        yield Remark(
            "bad" if worst < 0.5 else "mind",
            f"{worst_name} is missed more often than {best_name}",
            f"It finds {percent(worst)} of {worst_name} and {percent(best)} "
            f"of {best_name}.",
        )
    elif len(found) > 1:
        yield Remark(
            "good",
            "All classes are found alike",
            f"From {percent(worst)} of {worst_name} to {percent(best)} of "
            f"{best_name}.",
        )


def _about_scores(evaluation: Evaluation) -> Iterator[Remark]:
    bins = evaluation.reliability
    mean = sum(b.num_reviews * b.mean_score for b in bins) / sum(
        b.num_reviews for b in bins
    )
    error = evaluation.expected_calibration_error
    if error <= _CALIBRATED:
        yield Remark(
            "good",
            "Scores can be taken at their word",
            f"They differ from what came true by {percent(error)} on average.",
        )
        return
    surer = mean > evaluation.accuracy
    yield Remark(
        "mind",
        "It is surer than it should be" if surer else "It is too unsure",
        f"Its scores say {percent(mean)} on average, and "
        f"{percent(evaluation.accuracy)} are right. Calibrate it before "
        "anything depends on a score.",
    )


def _about_lengths(evaluation: Evaluation) -> Iterator[Remark]:
    weak = [
        each
        for each in evaluation.lengths
        if each.accuracy_interval[1] < evaluation.accuracy_interval[0]
    ]
    if weak:
        worst = min(weak, key=lambda each: each.accuracy)
        yield Remark(
            "mind",
            "Weaker at some lengths",
            f"{percent(worst.accuracy)} are right from "
            f"{count(worst.shortest)} to {count(worst.longest)} characters.",
        )
