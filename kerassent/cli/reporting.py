"""`kerassent evaluate --html` and `compare --html`."""

import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

import click

from kerassent import contract
from kerassent.cli.terminal import command_arguments
from kerassent.errors import KerassentError


def write_html(
    evaluation: Any,
    html: str,
    model: Any,
    reviews: Any,
    train: str | None,
    file: str,
    reading: Mapping[str, Any],
    comparison: Any = None,
) -> None:
    """Writes the page, with all that there is to be known.

    Args:
        evaluation: What `evaluate` returned.
        html: Where to write it.
        model: The path of what was evaluated, or a client.
        reviews: What it was evaluated on.
        train: The file that it was trained on, if it is known.
        file: The file that the reviews are from.
        reading: How both files are read.
        comparison: What `compare` found of another model and this one.
    """
    from kerassent.html_report import write_report

    checks = None
    if train is not None:
        from kerassent.data_checks import check_data

        # An empty text is a finding.
        columns = {k: v for k, v in reading.items() if k != "drop_empty"}
        checks = check_data(train, file, **columns)
    is_run = isinstance(model, str) and (
        pathlib.Path(model, contract.TRAIN_INFO).is_file()
    )
    write_report(
        evaluation,
        html,
        run=model if is_run else None,
        explanations=_explanations(evaluation, model, reviews),
        data_checks=checks,
        comparison=comparison,
        command=shlex.join(["kerassent", *command_arguments()]),
    )
    click.echo(f"wrote {html}", err=True)


def _explanations(evaluation: Any, model: Any, reviews: Any) -> Any:
    """Explains the mistakes that are shown, where the model can."""
    from kerassent.html_report.mistakes import MOST_SHOWN
    from kerassent.mistakes import texts_at
    from kerassent.prediction import explain

    indices = [each.index for each in evaluation.mistakes[:MOST_SHOWN]]
    if not indices:
        return []
    texts = texts_at(reviews, indices)
    try:
        return explain(model, [texts[i] for i in indices])
    except KerassentError as error:
        click.echo(f"No word is marked: {error}", err=True)
        return []
