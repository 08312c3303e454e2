"""`kerassent quickstart`, `presets` and `find-lr`: before one trains."""

import json
import pathlib
from typing import Any

import click

from kerassent.cli.reading import load, reviews_options
from kerassent.cli.terminal import print_tables, start_tensorflow
from kerassent.cli.training import (
    layer_decay_option,
    preset_option,
    sequence_length_option,
    weights_option,
)
from kerassent.whole_file import written_whole


@click.command()
@click.option(
    "--output",
    metavar="DIRECTORY",
    default="kerassent-quickstart",
    show_default=True,
    help="The directory to write to.",
)
@weights_option
def quickstart(output: str, weights: str | None) -> None:
    """The whole way on the packaged sample."""
    start_tensorflow()
    from kerassent.quickstart import quickstart as run

    run(output, weights=weights, say=click.echo)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def presets(as_json: bool) -> None:
    """The pretrained models that `--preset` knows by name."""
    from dataclasses import asdict

    from kerassent.presets import list_presets

    start_tensorflow()
    found = list_presets()
    if as_json:
        for preset in found:
            click.echo(json.dumps(asdict(preset)))
        return
    from kerassent.report import presets_table

    print_tables(presets_table(found))


@click.command("find-lr")
@click.argument("source")
@reviews_options
@preset_option
@weights_option
@sequence_length_option
@click.option(
    "--batch-size",
    type=int,
    default=32,
    show_default=True,
    help="How many reviews make a step.",
)
@click.option("--limit", type=int, help="Look at so many reviews only.")
@click.option(
    "--num-steps",
    type=int,
    default=60,
    show_default=True,
    help="How many rates are tried, each in a step.",
)
@layer_decay_option
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the sample, the head, dropout and the order.",
)
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw the curve to this .png, .svg or .pdf file.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole curve.")
def find_lr(
    source: str,
    preset: str | None,
    weights: str | None,
    sequence_length: int | None,
    batch_size: int,
    limit: int | None,
    num_steps: int,
    layer_decay: float,
    seed: int,
    plot: str | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Which learning rate to train with.

    \b
    Example:
      kerassent find-lr train.xlsx --text Reviews --label Sentiment \\
        --plot lr.svg
    """
    if plot is not None:
        _check_figure(plot)
    start_tensorflow()
    from kerassent.rate_search import look_for_lr

    curve = look_for_lr(
        load(source, limit=limit, seed=seed, **reading),
        preset=preset,
        weights=weights,
        sequence_length=sequence_length,
        batch_size=batch_size,
        num_steps=num_steps,
        layer_decay=layer_decay,
        seed=seed,
    )
    if plot is not None:
        _save_figure(curve, plot)
    if as_json:
        click.echo(curve.to_json())
        return
    click.echo(curve, err=True)
    if curve.doubt is not None:
        raise click.ClickException("No learning rate was found.")
    click.echo(f"--max-lr {curve.suggestion:.1e}")


def _check_figure(path: str) -> None:
    """Refuses early what could not be written after a minute's work."""
    from matplotlib.figure import Figure

    file = pathlib.Path(path)
    kinds = Figure().canvas.get_supported_filetypes()
    if file.suffix[1:].lower() not in kinds:
        raise click.UsageError(
            f"--plot: no figure can be written as {file.name!r}. Its ending "
            f"must be one of {', '.join(sorted(kinds))}."
        )
    if not file.parent.is_dir():
        raise click.UsageError(
            f"--plot: there is no directory {str(file.parent)!r}."
        )


def _save_figure(curve: Any, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.4), dpi=200, layout="constrained")
    curve.plot(figure.add_subplot())
    with written_whole(path) as beside:
        figure.savefig(beside)
