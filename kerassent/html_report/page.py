"""An evaluation as a page: one file that loads nothing and runs nothing."""

import base64
import hashlib
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kerassent.contract import Explanation
from kerassent.evaluation import Evaluation
from kerassent.html_report import figures, mistakes, pictures, run_pages
from kerassent.html_report.verdict import judge
from kerassent.html_report.wording import percent, plural
from kerassent.version import __version__

_TONES: Final = {"good": "Good", "mind": "Check", "bad": "Problem"}
_UNSHOWABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    run: str | os.PathLike[str] | None = None,
    explanations: Sequence[Explanation | None] = (),
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
        command: The command line that makes the page again.

    Raises:
        TypeError: `evaluation` is something else.
        ValueError: `run` is no run directory, or there are more explanations
            than mistakes.

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
        command=command,
    )
    file = pathlib.Path(path)
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"There is no directory {os.fspath(file.parent)!r} to write "
            f"{file.name!r} to. Make it first."
        )
    beside = file.with_name(f".writing-{file.name}")
    try:
        beside.write_text(page, encoding="utf-8")
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def report_html(
    evaluation: Evaluation,
    *,
    title: str | None = None,
    run: str | os.PathLike[str] | None = None,
    explanations: Sequence[Explanation | None] = (),
    command: str | None = None,
) -> str:
    """Returns the page that `write_report` writes.

    Args:
        evaluation: As there.
        title: As there.
        run: As there.
        explanations: As there.
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
    environment = _environment()
    style = environment.get_template("report.css").render()
    provenance = evaluation.provenance
    few = len(evaluation.class_names) <= figures.MOST_CONFUSED_CLASSES
    context: dict[str, Any] = {
        "version": __version__,
        "style": _trusted(style),
        "style_hash": _trusted(_hash(style)),
        "title": title or f"{provenance.model} on {provenance.data}",
        "verdict": judge(evaluation),
        "tones": _TONES,
        "class_names": evaluation.class_names,
        "main_figures": figures.main_figures(evaluation),
        "speed_figures": figures.speed_figures(evaluation),
        "class_table": figures.class_table(evaluation),
        "confusion_cells": figures.confusion_cells(evaluation) if few else [],
        "confusion_pairs": figures.confusion_pairs(evaluation),
        "charted": list(_charted(evaluation)),
        "num_mistakes": plural(evaluation.num_mistakes, "mistake"),
        "cards": mistakes.mistake_cards(evaluation, explanations),
        "mislabelled": mistakes.mislabelled_cards(evaluation),
        "explained": any(each is not None for each in explanations),
        "training_charts": run_pages.run_charts(run) if run else [],
        "training_facts": run_pages.run_facts(run) if run else [],
        "comparison": None,
        "checks": (),
        "command": command,
        "provenance_facts": _provenance(evaluation),
        "percent": percent,
    }
    context["sections"] = list(_sections(context))
    page = environment.get_template("report.html").render(context)
    # Half a character, which UTF-8 has no place for; what no page may hold.
    page = page.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return _UNSHOWABLE.sub("\ufffd", page)


def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("kerassent.html_report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _trusted(text: str) -> Any:
    """Marks what comes from this package, never from a user."""
    import markupsafe

    return markupsafe.Markup(text)


def _hash(style: str) -> str:
    """Returns what a content security policy calls a style sheet."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _charted(evaluation: Evaluation) -> Iterator[tuple[str, str, list[Any]]]:
    """Yields the sections that are charts: anchors, names, charts."""
    yield (
        "curves",
        "Curves",
        [
            *pictures.curve_charts(evaluation),
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
    yield "figures", "Figures"
    yield "confusion", "Confusion"
    for anchor, name, _ in context["charted"]:
        yield anchor, name
    yield "mistakes", "Mistakes"
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
        ("machine", run_pages.machine_text(provenance.machine)),
        ("versions", run_pages.versions_text(provenance.versions)),
    ]
    return [(name, value) for name, value in facts if value]
