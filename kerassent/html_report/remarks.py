"""What to know of a model before it is shipped, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from kerassent.data_checks import DataChecks
from kerassent.evaluation import Evaluation
from kerassent.html_report.wording import count, listed, percent, plural

Tone = Literal["good", "mind", "bad"]

# An interval wider than this, in shares, is no ground for a decision.
WIDEST_INTERVAL: Final = 0.1
# Scores that are off by less than this on average are taken at their word.
_CALIBRATED: Final = 0.03


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


def data_remarks(data_checks: DataChecks | None) -> Iterator[Remark]:
    """Yields a remark for each bad finding.

    Args:
        data_checks: What was found in the data, if anybody looked.
    """
    for finding in data_checks.findings if data_checks else ():
        if finding.severity == "bad":
            yield Remark(
                "bad",
                f"{finding.title}: {count(finding.count)}",
                finding.explanation,
            )


def remarks_of(evaluation: Evaluation) -> Iterator[Remark]:
    """Yields what the figures say.

    Args:
        evaluation: What `evaluate` returned.
    """
    yield from _about_absent_classes(evaluation)
    low, high = evaluation.accuracy_interval
    if high - low <= WIDEST_INTERVAL:  # else there is nothing to be seen
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
