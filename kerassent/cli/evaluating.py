"""`kerassent evaluate`, `compare`, `calibrate`."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import click

from kerassent.cli.asking import server_options
from kerassent.cli.reading import load, reviews_options
from kerassent.cli.reporting import write_html
from kerassent.cli.terminal import print_tables, start_tensorflow


@click.command(short_help="How good a model is on labelled reviews.")
@click.argument("arguments", metavar="[MODEL] FILE", nargs=-1)
@server_options
@reviews_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--html", metavar="FILE", help="Write a page of it, such as report.html."
)
@click.option(
    "--train",
    metavar="FILE",
    help="With --html: what the model was trained on, to check both files' "
    "reviews. They must have the same columns.",
)
def evaluate(
    arguments: Sequence[str],
    server: dict[str, Any] | None,
    as_json: bool,
    html: str | None,
    train: str | None,
    **reading: Any,
) -> None:
    """How good a model is on labelled reviews, and where it is wrong.

    MODEL is a run or an export; with --url there is none.

    \b
    Examples:
      kerassent evaluate runs/imdb test.xlsx --text Reviews --label Sentiment
      kerassent evaluate --url grpc://localhost:8500 --model-name imdb test.csv
      kerassent evaluate runs/imdb test.csv --html report.html
    """
    if len(arguments) != (2 if server is None else 1):
        raise click.UsageError("Give a MODEL and a FILE, or --url and a FILE.")
    if server is None:
        start_tensorflow()
    if html is not None:
        from kerassent.html_report.rendering import check_page_path

        check_page_path(html)
    elif train is not None:
        raise click.UsageError("--train needs --html.")
    from kerassent.client import Client
    from kerassent.evaluation import evaluate as run
    from kerassent.prediction import class_names_of

    path, file = arguments[0], arguments[-1]
    with contextlib.ExitStack() as stack:
        model: Any = path
        if server is None:
            names = class_names_of(path)
        else:
            model = stack.enter_context(Client(**server))
            names = model.class_names
        reviews = load(file, class_names=names, **reading)
        evaluation = run(model, reviews)
        if html is not None:
            write_html(evaluation, html, model, reviews, train, file, reading)
    if as_json:
        click.echo(json.dumps(evaluation.to_dict()))
        return
    from kerassent.evaluation_view import evaluation_tables

    print_tables(*evaluation_tables(evaluation))


@click.command()
@click.argument("old")
@click.argument("new")
@click.argument("file")
@reviews_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--html", metavar="FILE", help="Write a page of NEW and the comparison."
)
def compare(
    old: str,
    new: str,
    file: str,
    as_json: bool,
    html: str | None,
    **reading: Any,
) -> None:
    """Whether the model NEW labels reviews better than OLD.

    Both are runs or exports. It says how sure that is (McNemar's test), and
    which reviews only one of them labels rightly.

    \b
    Example:
      kerassent compare runs/may runs/june test.csv --text text --label label
    """
    start_tensorflow()
    if html is not None:
        from kerassent.html_report.rendering import check_page_path

        check_page_path(html)
    from kerassent.comparison import compare as run
    from kerassent.prediction import class_names_of

    names = dict.fromkeys([*class_names_of(old), *class_names_of(new)])
    reviews = load(file, class_names=list(names), **reading)
    comparison = run(old, new, reviews)
    if html is not None:
        write_html(
            comparison.new, html, new, reviews, None, file, reading, comparison
        )
    if as_json:
        click.echo(json.dumps(comparison.to_dict()))
        return
    from kerassent.evaluation_view import comparison_tables

    print_tables(*comparison_tables(comparison))


@click.command()
@click.argument("run")
@click.argument("file")
@reviews_options
@click.option(
    "--limit", type=int, help="Of a file that `train` was given: its --limit."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of a file that `train` was given: its --seed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def calibrate(
    run: str,
    file: str,
    limit: int | None,
    seed: int,
    as_json: bool,
    **reading: Any,
) -> None:
    """Make a run's scores honest: fit its temperature.

    FILE has reviews that the run was not trained on. It may be the file that
    `train` was given: then the part that was held out for validation is taken.
    Labels stay as they are. Export again after it.

    \b
    Example:
      kerassent calibrate runs/imdb train.xlsx --text Reviews --label Sentiment
    """
    start_tensorflow()
    from kerassent.calibration import calibrate as fit
    from kerassent.evaluation_view import calibration_table
    from kerassent.prediction import class_names_of

    names = class_names_of(run)
    reviews = load(file, limit=limit, seed=seed, class_names=names, **reading)
    calibration = fit(run, reviews)
    if as_json:
        click.echo(json.dumps(calibration.to_dict()))
        return
    print_tables(calibration_table(calibration))
