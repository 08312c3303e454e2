"""Who is ahead: ours beside the fastest peer, task by task."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from tables import OURS, Spread, cell, name_of, number, table

# Peers with fewer bits than float32 stand beside our bfloat16.
FEWER_BITS = ("bfloat16", "int8")


class Verdict(NamedTuple):
    """Ours beside the fastest peer at one task.

    Args:
        task: What was done.
        ours: Our row.
        theirs: Their row.
        our_figure: Median, least and most.
        their_figure: The same of theirs.
        unit: Of both.
        times: How many times as fast ours is.
        word: `faster`, `slower`, or `level` where the two ranges meet.
    """

    task: str
    ours: str
    theirs: str
    our_figure: Spread
    their_figure: Spread
    unit: str
    times: float
    word: str


def verdict(
    task: str, figures: dict[str, Spread], unit: str, more_is_better: bool
) -> list[Verdict]:
    """Returns ours beside the fastest peer, in float32 and with fewer bits.

    Args:
        task: What was done.
        figures: By row.
        unit: Theirs.
        more_is_better: Whether a higher figure is faster.
    """
    found = []
    for fewer in (False, True):
        some = {
            row: figure
            for row, figure in figures.items()
            if any(bits in row for bits in FEWER_BITS) == fewer
        }
        sides = [
            {row: some[row] for row in some if (row in OURS) == ours}
            for ours in (True, False)
        ]
        if all(sides):
            ours, theirs = (best(side, more_is_better) for side in sides)
            found.append(
                beside(task, (ours, theirs), some, unit, more_is_better)
            )
    return found


def best(figures: dict[str, Spread], more_is_better: bool) -> str:
    """Returns the fastest row."""
    choose = max if more_is_better else min
    return choose(figures, key=lambda row: figures[row]["median"])


def beside(
    task: str,
    pair: tuple[str, str],
    figures: dict[str, Spread],
    unit: str,
    more_is_better: bool,
) -> Verdict:
    """Returns two rows' verdict; the arguments are `verdict`'s."""
    ours, theirs = (figures[row] for row in pair)
    times = ours["median"] / theirs["median"]
    if not more_is_better:
        times = 1 / times
    apart = ours["min"] > theirs["max"] or ours["max"] < theirs["min"]
    word = ("faster" if times > 1 else "slower") if apart else "level"
    return Verdict(task, *pair, ours, theirs, unit, times, word)


def verdicts(parts: dict[str, Any]) -> list[Verdict]:
    """Returns all, in the order of the page.

    Args:
        parts: Each part's figures, of those that were measured.
    """
    found: list[Verdict] = []
    if process := parts.get("process"):
        rates = process["reviews_per_second"]
        found += verdict("batches of 32", rates, "reviews/s", True)
        for task in ("short", "long"):
            if task in process["ms"]:
                name = f"one {task} review"
                found += verdict(name, process["ms"][task], "ms", False)
    if services := parts.get("services"):
        for task in ("short", "reviews"):
            for clients, rows in services.get(task, {}).items():
                what = "short reviews" if task == "short" else "real reviews"
                who = "client" if clients == "1" else "clients"
                rates = {
                    row: figures["answers_per_second"]
                    for row, figures in rows.items()
                }
                name = f"server, {clients} {who}, {what}"
                found += verdict(name, rates, "answers/s", True)
    if training := parts.get("training"):
        rates = training["reviews_per_second"]
        found += verdict("training", rates, "reviews/s", True)
    if tokenization := parts.get("tokenization"):
        rates = tokenization["megabytes_per_second"]
        found += verdict("tokenization", rates, "MB/s", True)
    return found


def summary(found: list[Verdict]) -> str:
    """Returns at how many tasks ours is ahead, and at which it is behind."""
    counts = Counter(each.word for each in found)
    behind = [
        f"{each.task} ({number(each.times)} times as fast as "
        f"{name_of(each.theirs)})"
        for each in found
        if each.word == "slower"
    ]
    return (
        f"Of {len(found)} such pairs ours is faster in {counts['faster']}, "
        f"level in {counts['level']} and slower in {counts['slower']}"
        + (f": {'; '.join(behind)}." if behind else ".")
    )


def verdict_table(found: Iterable[Verdict]) -> str:
    """Returns the table, losses and wins alike."""
    return table(
        ["task", "ours", "the fastest peer", "ours is"],
        (
            [
                each.task,
                f"{name_of(each.ours)}: {cell(each.our_figure)} {each.unit}",
                f"{name_of(each.theirs)}: {cell(each.their_figure)}",
                f"**{each.word}**, {number(each.times)} times as fast",
            ]
            for each in found
        ),
    )
