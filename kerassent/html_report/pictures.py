"""An evaluation as charts."""

from typing import Final

from kerassent.evaluation import Evaluation
from kerassent.html_report.axes import (
    Axis,
    linear_axis,
    named_axis,
    share_axis,
)
from kerassent.html_report.charts import Chart, Series, Table
from kerassent.html_report.wording import count, decimal, percent

_MOST_ROWS: Final = 21


def reliability_chart(evaluation: Evaluation) -> Chart:
    """Returns what scores promise against what came true.

    Args:
        evaluation: What `evaluate` returned.
    """
    bins = evaluation.reliability
    lowest = min(min(each.low, each.accuracy) for each in bins)
    low = max(0.0, int(lowest * 20) / 20)
    return Chart(
        "Score and accuracy",
        "Dots near the diagonal: a score of 0.9 is right nine times in ten. "
        "Below it the model is too sure. Mean distance "
        f"{decimal(evaluation.expected_calibration_error)}.",
        _percent_axis("score, %", low),
        _percent_axis("right, %", low),
        (
            Series("", (low, 1), (low, 1), "thin", 0),
            Series(
                "",
                [each.mean_score for each in bins],
                [each.accuracy for each in bins],
                "line",
                1,
            ),
            Series(
                "",
                [each.mean_score for each in bins],
                [each.accuracy for each in bins],
                "dots",
                1,
            ),
        ),
        Table(
            ("score", "reviews", "mean score", "right"),
            tuple(
                (
                    f"{each.low:.2f} to {each.high:.2f}",
                    count(each.num_reviews),
                    percent(each.mean_score),
                    percent(each.accuracy),
                )
                for each in bins
            ),
        ),
        "Below the diagonal it is surer than it should be.",
    )


def score_chart(evaluation: Evaluation) -> Chart:
    """Returns how many reviews have which score.

    Args:
        evaluation: What `evaluate` returned.
    """
    bins = evaluation.reliability
    low = min(each.low for each in bins)
    width = bins[0].high - bins[0].low
    most = max(bins, key=lambda each: each.num_reviews)
    shares = [each.num_reviews / evaluation.num_reviews for each in bins]
    return Chart(
        "How sure it is",
        f"A bar for each range of scores. Most reviews, "
        f"{percent(most.num_reviews / evaluation.num_reviews)}, are between "
        f"{most.low:.2f} and {most.high:.2f}.",
        _percent_axis("score, %", max(0.0, int(low * 20) / 20)),
        linear_axis("reviews, %", 0, 105 * max(shares)),
        (
            Series(
                "",
                [(each.low + each.high) / 2 for each in bins],
                [100 * share for share in shares],
                "bars",
                1,
                width=0.86 * width,
            ),
        ),
        Table(
            ("score", "reviews", "of all"),
            tuple(
                (
                    f"{each.low:.2f} to {each.high:.2f}",
                    count(each.num_reviews),
                    percent(share),
                )
                for each, share in zip(bins, shares, strict=True)
            ),
        ),
    )


def abstaining_chart(evaluation: Evaluation) -> Chart:
    """Returns what comes of leaving the unsure reviews to a person.

    Args:
        evaluation: What `evaluate` returned.
    """
    rows = [r for r in evaluation.thresholds if r.accuracy is not None]
    shares = [row.share_answered for row in rows]
    rights = [row.accuracy or 0.0 for row in rows]
    low = min(0.95, int(min(rights) * 20) / 20)
    return Chart(
        "Leaving the unsure to a person",
        "Accuracy of the answers over the share of reviews that are answered: "
        f"{percent(rights[0])} if all are, {percent(rights[-1])} if "
        f"{percent(shares[-1])} are.",
        share_axis("answered, %"),
        _percent_axis("right, %", low),
        (
            Series("", shares, rights, "line", 1),
            Series("", shares, rights, "dots", 1),
        ),
        Table(
            ("least score", "answered", "right"),
            tuple(
                (
                    f"{row.threshold:.2f}",
                    percent(row.share_answered),
                    percent(row.accuracy),
                )
                for row in rows[:: -(-len(rows) // _MOST_ROWS)]
            ),
        ),
    )


def length_chart(evaluation: Evaluation) -> Chart:
    """Returns accuracy by length.

    Args:
        evaluation: What `evaluate` returned.
    """
    bins = evaluation.lengths
    lows = [each.accuracy_interval[0] for each in bins]
    highs = [each.accuracy_interval[1] for each in bins]
    worst = min(bins, key=lambda each: each.accuracy)
    low = max(0.0, int(min(lows) * 20) / 20)
    return Chart(
        "Accuracy by length",
        f"A dot for each of {len(bins)} ranges of length, with its interval. "
        f"The lowest, {percent(worst.accuracy)}, is at "
        f"{count(worst.shortest)} to {count(worst.longest)} characters.",
        named_axis(
            "characters, up to", [_short(each.longest) for each in bins]
        ),
        _percent_axis("right, %", low),
        (
            Series(
                "",
                (-0.5, len(bins) - 0.5),
                (evaluation.accuracy,) * 2,
                "thin",
                0,
            ),
            Series(
                "",
                range(len(bins)),
                [each.accuracy for each in bins],
                "dots",
                1,
                low=lows,
                high=highs,
            ),
        ),
        Table(
            ("characters", "reviews", "right", "95\u202f% interval"),
            tuple(
                (
                    f"{count(each.shortest)} to {count(each.longest)}",
                    count(each.num_reviews),
                    percent(each.accuracy),
                    f"{percent(each.accuracy_interval[0], sign=False)} to "
                    f"{percent(each.accuracy_interval[1])}",
                )
                for each in bins
            ),
        ),
    )


def _percent_axis(label: str, low: float) -> Axis:
    """Returns an axis from a share to 1, with numbers in percent."""
    inner = linear_axis(label, 100 * low, 100.0)
    return Axis(
        label,
        low,
        1.0,
        tuple((value / 100, text) for value, text in inner.ticks),
    )


def _short(number: int) -> str:
    """Returns a length in a few characters: 870, 1.2k."""
    return f"{number / 1000:.1f}k" if number >= 1000 else str(number)
