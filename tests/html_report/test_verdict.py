from dataclasses import replace

import pytest

from kerassent.data_checks import DataChecks, Finding
from kerassent.html_report.verdict import halving, judge
from kerassent.html_report.wording import one_in, percent


def remark(verdict, words):
    return next((r for r in verdict.remarks if words in r.says), None)


def test_it_says_what_is_right_within_which_bounds(made_evaluation):
    evaluation = made_evaluation()
    low, high = evaluation.accuracy_interval
    verdict = judge(evaluation)
    assert (
        verdict.headline
        == f"{percent(evaluation.accuracy)} of 2,000 reviews right"
    )
    assert f"{100 * low:.1f} and {percent(high)}" in verdict.range
    assert "would be right for 50.0\u202f%" in verdict.range
    assert verdict.tone == "good"
    wrong = one_in(1 - evaluation.accuracy)
    assert verdict.ready.startswith(f"Ready when {wrong} answers may be wrong")


def test_it_says_what_a_person_would_have_to_read(made_evaluation):
    evaluation = made_evaluation()
    row = halving(evaluation)
    assert 1 - row.accuracy <= (1 - evaluation.accuracy) / 2
    before = [
        r for r in evaluation.thresholds if 0 < r.threshold < row.threshold
    ]
    assert all(1 - r.accuracy > (1 - evaluation.accuracy) / 2 for r in before)
    ready = judge(evaluation).ready
    assert percent(1 - row.share_answered) in ready
    assert f"below {row.threshold:.2f}" in ready
    assert one_in(1 - row.accuracy) in ready


@pytest.mark.parametrize(
    ("accuracy", "interval", "words"),
    [
        (0.505, (0.48, 0.53), "Not shown to be ready"),
        (0.49, (0.47, 0.51), "Not ready: no better"),
        (0.5, (0.48, 0.52), "Not ready: no better"),
        (0.45, (0.43, 0.47), "Not ready: no better"),
    ],
)
def test_guessing_is_not_ready(made_evaluation, accuracy, interval, words):
    evaluation = replace(
        made_evaluation(), accuracy=accuracy, accuracy_interval=interval
    )
    verdict = judge(evaluation)
    assert verdict.tone == "bad"
    assert verdict.ready.startswith(words)


def test_few_reviews_are_too_few(made_evaluation):
    verdict = judge(made_evaluation(num_reviews=60))
    assert verdict.tone == "mind"
    assert "Too few reviews" in verdict.ready


def test_no_mistake(made_evaluation):
    assert "no mistake" in judge(made_evaluation(skill=60.0)).ready


def test_scores_that_promise_too_much_or_too_little(made_evaluation):
    sharp = judge(made_evaluation(skill=1.5, sharpness=6.0))
    assert remark(sharp, "surer than it should be").tone == "mind"
    blunt = judge(made_evaluation(skill=2.5, sharpness=0.4))
    assert remark(blunt, "too unsure").tone == "mind"
    # Two normal logits of variance 1 that are 2.5 apart on average.
    honest = judge(made_evaluation(num_reviews=8000, skill=2.5, sharpness=2.5))
    assert remark(honest, "taken at their word").tone == "good"


def test_a_class_that_is_missed(made_evaluation):
    evaluation = replace(made_evaluation(), recall=(0.95, 0.6))
    found = remark(judge(evaluation), "pos is missed more often than neg")
    assert found.tone == "mind"
    assert "60.0" in found.why and "95.0" in found.why
    evaluation = replace(evaluation, recall=(0.4, 0.9))
    assert remark(judge(evaluation), "neg is missed").tone == "bad"


def test_a_class_without_reviews(made_evaluation):
    evaluation = made_evaluation()
    counts = tuple((*row, 0) for row in evaluation.confusion_matrix)
    evaluation = replace(
        evaluation,
        class_names=("neg", "pos", "odd"),
        confusion_matrix=(*counts, (0, 0, 0)),
        recall=(*evaluation.recall, 0.0),
    )
    verdict = judge(evaluation)
    assert verdict.remarks[0].says == "Nothing is known of odd"
    assert remark(verdict, "odd is missed") is None


def test_a_length_that_it_is_weak_at(made_evaluation):
    evaluation = made_evaluation()
    weak = replace(
        evaluation.lengths[3], accuracy=0.5, accuracy_interval=(0.4, 0.6)
    )
    lengths = (*evaluation.lengths[:3], weak, *evaluation.lengths[4:])
    assert remark(judge(evaluation), "lengths") is None
    found = remark(judge(replace(evaluation, lengths=lengths)), "lengths")
    assert f"from {weak.shortest} to {weak.longest} characters" in found.why


def test_bad_findings_in_the_data_come_first(made_evaluation):
    def finding(severity):
        return Finding("leaks", "Leaks", severity, 1234, 5000, "Why.", (), {})

    checks = DataChecks((), (finding("mind"), finding("bad")))
    verdict = judge(made_evaluation(), checks)
    assert verdict.remarks[0].says == "Leaks: 1,234"
    assert remark(judge(made_evaluation()), "Leaks") is None


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (1.0, "100.0"),
        (0.0, "0.0"),
        (0.92584, "92.6"),
        (0.99996, "99.996"),
        (0.9995, "99.95"),
        (0.00004, "0.004"),
        (None, "–"),
    ],
)
def test_a_share_is_not_rounded_to_all_or_nothing(share, written):
    assert percent(share, sign=False) == written
