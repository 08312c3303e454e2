"""`kerassent quickstart`, `find-lr` and `train`."""

import contextlib
import pathlib
import sys
from typing import Any

import click

from kerassent.cli.reading import load, reviews_options
from kerassent.cli.terminal import start_tensorflow


@click.command()
@click.option(
    "--output",
    default="kerassent-quickstart",
    show_default=True,
    help="The directory to write to.",
)
@click.option("--weights", help="A local file with the preset's weights.")
def quickstart(output: str, weights: str | None) -> None:
    """The whole way on the packaged sample."""
    start_tensorflow()
    from kerassent.quickstart import quickstart as run

    run(output, weights=weights, say=click.echo)


@click.command("find-lr")
@click.argument("source")
@reviews_options
@click.option("--preset", help="See `kerassent presets`.")
@click.option("--weights", help="A local file with the preset's weights.")
@click.option("--sequence-length", type=int, help="The most tokens of a text.")
@click.option("--batch-size", type=int, default=32, show_default=True)
@click.option("--limit", type=int, help="Look at so many reviews only.")
@click.option("--num-steps", type=int, default=60, show_default=True)
@click.option(
    "--layer-decay",
    type=float,
    default=1.0,
    show_default=True,
    help="How many times as fast a layer learns as the one above it.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--plot", help="Draw the curve to this .png, .svg or .pdf file.")
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


@click.command()
@click.argument("source")
@reviews_options
@click.option("--output", required=True, help="The run directory to write.")
@click.option("--preset", help="See `kerassent presets`.")
@click.option("--weights", help="A local file with the preset's weights.")
@click.option("--valid", help="A file of reviews to validate on.")
@click.option(
    "--valid-size",
    type=float,
    default=0.1,
    show_default=True,
    help="Without --valid: the share (or, from 1 on, the number) of reviews.",
)
@click.option("--limit", type=int, help="Train on so many reviews only.")
@click.option("--sequence-length", type=int, help="The most tokens of a text.")
@click.option(
    "--truncate",
    type=click.Choice(["head", "tail", "head_tail"]),
    help="What is kept of a longer text.",
)
@click.option(
    "--head-tokens",
    type=int,
    help="Of these, how many from the head with `head_tail`.",
)
@click.option(
    "--clean-html/--keep-html",
    default=None,
    help="Whether tags are left out. Default: if the texts have some.",
)
@click.option(
    "--epochs",
    type=int,
    default=2,
    show_default=True,
    help="How often each review is seen.",
)
@click.option(
    "--batch-size",
    type=int,
    default=32,
    show_default=True,
    help="How many reviews make a step.",
)
@click.option(
    "--max-lr",
    default="auto",
    show_default=True,
    help="The peak of the learning rate, or `auto`.",
)
@click.option(
    "--layer-decay",
    type=float,
    default=1.0,
    show_default=True,
    help="How many times as fast a layer learns as the one above it.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Of matrix products; `auto` is bfloat16 where the processor has it.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the sample, the split, the head, dropout and the order.",
)
@click.option("--resume", is_flag=True, help="Go on with an unfinished run.")
def train(
    source: str,
    output: str,
    valid: str | None,
    limit: int | None,
    max_lr: str,
    preset: str | None,
    **options: Any,
) -> None:
    """Fine-tune a pretrained model on a file of reviews.

    SOURCE is an .xlsx, .csv, .tsv, .parquet or .jsonl file, or a folder with a
    folder of .txt files for each class.

    \b
    Example:
      kerassent train train.xlsx --text Reviews --label Sentiment \\
        --output runs/imdb --sequence-length 256
    """
    start_tensorflow()
    from kerassent.training import check_output
    from kerassent.training import train as run

    reading = {
        name: options.pop(name)
        for name in (
            "text",
            "label",
            "sheet",
            "encoding",
            "separator",
            "drop_empty",
        )
    }
    check_output(pathlib.Path(output), resume=options["resume"])
    reviews = load(source, limit=limit, seed=options["seed"], **reading)
    click.echo(reviews.summary(), err=True)
    if valid is not None:
        options["valid"] = load(
            valid, class_names=reviews.class_names, **reading
        )
    if options["valid_size"] >= 1:
        options["valid_size"] = int(options["valid_size"])
    if preset is not None:
        options["preset"] = preset
    # A bar where somebody watches; else a line an epoch. Keras writes both to
    # stdout, which is for data.
    verbose = "auto" if sys.stderr.isatty() else 2
    try:
        with contextlib.redirect_stdout(sys.stderr):
            run(
                reviews,
                output,
                max_lr=_peak(max_lr),
                verbose=verbose,
                **options,
            )
    except KeyboardInterrupt:
        click.secho(
            "\nStopped. The finished epochs are kept: go on with the same "
            "command and --resume.",
            fg="yellow",
            err=True,
        )
        sys.exit(1)
    from kerassent.training import read_info

    _say_trained(output, read_info(output))


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

    file = pathlib.Path(path)
    figure = Figure(figsize=(5.2, 3.4), dpi=200, layout="constrained")
    curve.plot(figure.add_subplot())
    beside = file.with_name(f".writing-{file.name}")
    figure.savefig(beside)
    beside.rename(file)


def _peak(max_lr: str) -> Any:
    try:
        return float(max_lr)
    except ValueError:
        return max_lr  # "auto", or what `train` refuses


def _say_trained(output: str, info: dict[str, Any]) -> None:
    valid = info["valid"]
    click.echo(
        f"{output}: accuracy {valid['accuracy']:.4f} on "
        f"{valid['num_reviews']} held-out reviews, "
        f"{info['seconds']:.0f} s. Next: kerassent export {output} "
        "models/sentiment"
    )
