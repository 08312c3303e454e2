"""`kerassent check`."""

import json
import sys
from typing import Any

import click

from kerassent.cli.reading import columns_options
from kerassent.cli.terminal import print_tables, start_tensorflow


@click.command()
@click.argument("sources", metavar="TRAIN [TEST]...", nargs=-1, required=True)
@columns_options
@click.option(
    "--model",
    metavar="PATH",
    help="A run or an export that judges the labels.  [default: a linear model "
    "that is made here]",
)
@click.option(
    "--sequence-length",
    type=int,
    help="How many tokens a model reads.  [default: the model's, or 400]",
)
@click.option(
    "--examples",
    "num_examples",
    type=int,
    default=5,
    show_default=True,
    help="How many reviews to show of each finding.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of all chance."
)
@click.option(
    "--strict", is_flag=True, help="End with code 1 if there is a bad finding."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(
    sources: tuple[str, ...],
    model: str | None,
    strict: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """What is wrong with files of reviews.

    The training first, then what it is tested on: copies and leaks, labels
    that contradict each other or are likely wrong, empty, tiny and huge texts,
    other languages, HTML, balance, truncation.

    \b
    Example:
      kerassent check train.xlsx test.xlsx --text Reviews --label Sentiment
    """
    if model is not None:
        start_tensorflow()
    from kerassent.data_checks import check_data

    checks = check_data(*sources, model=model, **options)
    if as_json:
        click.echo(json.dumps(checks.to_dict()))
    else:
        from kerassent.data_checks.tables import checks_tables

        print_tables(*checks_tables(checks))
    if strict and checks.severity == "bad":
        sys.exit(1)
