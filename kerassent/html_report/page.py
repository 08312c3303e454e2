"""An evaluation as a page: one file that loads nothing and runs nothing."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kerassent.comparison import Comparison
from kerassent.contract import Explanation
from kerassent.data_checks import DataChecks
from kerassent.evaluation import Evaluation
from kerassent.html_report import figures, mistakes, pictures
from kerassent.html_report.curve_pictures import curve_charts
from kerassent.html_report.rendering import render, write_page
from kerassent.html_report.run_facts import (
    machine_text,
    run_facts,
    versions_text,
)
from kerassent.html_report.run_pictures import run_charts
from kerassent.html_report.verdict import compared, judge
from kerassent.html_report.wording import count, plural

_TONES: Final = {"good": "Good", "mind": "Check", "bad": "Problem"}


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    run: str | os.PathLike[str] | None = None,
    explanations: Sequence[Explanation | None] = (),
    data_checks: DataChecks | None = None,
    comparison: Comparison | None = None,
    command: str | None = None,
) -> None:
    """Writes an evaluation as a page for those who decide whether to ship.

    The page is one HTML file of less than a megabyte, without scripts, that
    loads nothing from anywhere: it can be mailed, archived and printed.
    Reviews are shown as text, whatever they hold.

    Args:
        evaluation: What `evaluate` returned.
        path: The file to write, such as `"report.html"`; its directory is
            there already. What is there is replaced once the page is whole.
        title: What was evaluated; by default the model and the data.
        run: The run directory that the model comes from: the page then has
            its learning curves and settings.
        explanations: What `explain` says of `evaluation.mistakes`, in their
            order; there may be fewer, and `None` where there is none. The
            words that moved the answer are then marked.
        data_checks: What `check_data` found in the training's file and the
            evaluation's.
        comparison: What `compare` found of another model and this one.
        command: The command line that makes the page again.

    Raises:
        TypeError: `evaluation` is something else.
        ValueError: There are more explanations than mistakes, or a file of
            the run is damaged.
        PresetError: `run` is no run of `train`.
        OSError: There is no directory for the page.

    Example:
        ```python
        evaluation = ks.evaluate("runs/imdb", test)
        ks.write_report(evaluation, "report.html", run="runs/imdb")
        ```
    """
    page = report_html(
        evaluation,
        title=title,
        run=run,
        explanations=explanations,
        data_checks=data_checks,
        comparison=comparison,
        command=command,
    )
    write_page(page, path)


def report_html(
    evaluation: Evaluation,
    *,
    title: str | None = None,
    run: str | os.PathLike[str] | None = None,
    explanations: Sequence[Explanation | None] = (),
    data_checks: DataChecks | None = None,
    comparison: Comparison | None = None,
    command: str | None = None,
) -> str:
    """Returns the page that `write_report` writes.

    Args:
        evaluation: As there.
        title: As there.
        run: As there.
        explanations: As there.
        data_checks: As there.
        comparison: As there.
        command: As there.
    """
    if not isinstance(evaluation, Evaluation):
        raise TypeError(
            "`evaluation` must be what `evaluate` returned. Received: "
            f"{evaluation!r:.60} of type {type(evaluation).__name__}"
        )
    if len(explanations) > len(evaluation.mistakes):
        raise ValueError(
            "`explanations` must be of `evaluation.mistakes`, in their order. "
            f"Received: {len(explanations)} of "
            f"{plural(len(evaluation.mistakes), 'mistake')}"
        )
    provenance = evaluation.provenance
    few = len(evaluation.class_names) <= figures.MOST_CONFUSED_CLASSES
    context: dict[str, Any] = {
        "title": title or f"{provenance.model} on {provenance.data}",
        "count": count,
        "plural": plural,
        "verdict": judge(evaluation, data_checks),
        "tones": _TONES,
        "class_names": evaluation.class_names,
        "main_figures": figures.main_figures(evaluation),
        "speed_figures": figures.speed_figures(evaluation),
        "class_table": figures.class_table(evaluation),
        "confusion_cells": figures.confusion_cells(evaluation) if few else [],
        "confusion_pairs": figures.confusion_pairs(evaluation),
        "charted": list(_charted(evaluation)),
        "num_mistakes": evaluation.num_mistakes,
        "cards": mistakes.mistake_cards(evaluation, explanations),
        "mislabelled": mistakes.mislabelled_cards(evaluation),
        "explained": any(each is not None for each in explanations),
        "training_charts": run_charts(run) if run else [],
        "training_facts": run_facts(run) if run else [],
        "comparison": comparison,
        "compared": comparison and compared(comparison),
        "comparison_table": comparison and figures.comparison_table(comparison),
        "findings": data_checks.findings if data_checks else (),
        "command": command,
        "provenance_facts": _provenance(evaluation),
    }
    context["sections"] = list(_sections(context))
    return render("report.html", context, __package__)


def _charted(evaluation: Evaluation) -> Iterator[tuple[str, str, list[Any]]]:
    """Yields the sections that are charts: anchors, names, charts."""
    yield (
        "curves",
        "Curves",
        [
            *curve_charts(evaluation),
            pictures.length_chart(evaluation),
        ],
    )
    yield (
        "scores",
        "Scores",
        [
            pictures.reliability_chart(evaluation),
            pictures.score_chart(evaluation),
            pictures.abstaining_chart(evaluation),
        ],
    )


def _sections(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields anchors and names of the sections that there are."""
    yield "know", "Before it is shipped"
    if context["comparison"]:
        yield "comparison", "Against the other model"
    yield "figures", "Figures"
    yield "confusion", "Confusion"
    for anchor, name, _ in context["charted"]:
        yield anchor, name
    yield "mistakes", "Mistakes"
    if context["findings"]:
        yield "data", "Data checks"
    if context["training_charts"]:
        yield "training", "Training"
    yield "again", "How to do it again"


def _provenance(evaluation: Evaluation) -> list[tuple[str, str]]:
    provenance = evaluation.provenance
    temperature = provenance.temperature
    facts = [
        ("model", provenance.model),
        ("temperature", "" if temperature is None else f"{temperature:g}"),
        ("data", provenance.data),
        ("SHA-256 of the data", provenance.data_sha256),
        ("finished", provenance.when),
        ("machine", machine_text(provenance.machine)),
        ("versions", versions_text(provenance.versions)),
    ]
    return [(name, value) for name, value in facts if value]
