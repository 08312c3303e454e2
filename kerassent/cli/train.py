"""`kerassent train`."""

import contextlib
import pathlib
import sys
from typing import Any

import click

from kerassent.cli.reading import load, reviews_options
from kerassent.cli.terminal import start_tensorflow
from kerassent.cli.training import (
    layer_decay_option,
    preset_option,
    sequence_length_option,
    weights_option,
)


@click.command()
@click.argument("source")
@reviews_options
@click.option(
    "--output",
    metavar="DIRECTORY",
    required=True,
    help="The run directory to write.",
)
@preset_option
@weights_option
@click.option(
    "--valid", metavar="FILE", help="A file of reviews to validate on."
)
@click.option(
    "--valid-size",
    type=float,
    default=0.1,
    show_default=True,
    help="Without --valid: the share (or, from 1 on, the number) of reviews.",
)
@click.option("--limit", type=int, help="Train on so many reviews only.")
@sequence_length_option
@click.option(
    "--truncate",
    type=click.Choice(["head", "tail", "head_tail"]),
    help="What is kept of a longer text.  [default: head_tail]",
)
@click.option(
    "--head-tokens",
    type=int,
    help="With `head_tail`: how many tokens of the head.  [default: a quarter]",
)
@click.option(
    "--clean-html/--keep-html",
    default=None,
    help="Whether tags are left out.  [default: if the texts have some]",
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
    help="How many reviews make a step.  [default: 32]",
)
@click.option(
    "--max-tokens", type=int, help="Instead: how many tokens make a step."
)
@click.option(
    "--max-lr",
    metavar="RATE",
    default="auto",
    show_default=True,
    help="The peak of the learning rate, or `auto`.",
)
@layer_decay_option
@click.option(
    "--weight-decay",
    type=float,
    default=0.01,
    show_default=True,
    help="AdamW's; biases and norms are spared.",
)
@click.option(
    "--clip-norm",
    type=float,
    default=1.0,
    show_default=True,
    help="The most that the norm of all gradients may be.",
)
@click.option(
    "--gradient-accumulation",
    type=int,
    default=1,
    show_default=True,
    help="How many steps make an update.",
)
@click.option(
    "--label-smoothing",
    type=float,
    default=0.0,
    show_default=True,
    help="How much of a label is spread over all classes.",
)
@click.option(
    "--class-weight",
    multiple=True,
    metavar="balanced|CLASS=WEIGHT",
    help="How much a review of a class counts; repeat it for each class.",
)
@click.option(
    "--frozen-layers",
    type=int,
    help="Embeddings and so many of the lowest layers don't learn.",
)
@click.option(
    "--unfreeze-per-epoch",
    type=int,
    help="The head learns first, then so many layers more an epoch.",
)
@click.option(
    "--ema",
    type=float,
    help="Keep a moving average of the weights, of this momentum.",
)
@click.option(
    "--best-weights/--last-weights",
    default=True,
    show_default=True,
    help="Whether the best epoch's weights are kept.",
)
@click.option(
    "--monitor",
    type=click.Choice(["val_accuracy", "val_loss", "val_balanced_accuracy"]),
    help="What the best epoch is best in.  [default: val_accuracy; with "
    "--class-weight val_balanced_accuracy]",
)
@click.option(
    "--early-stopping",
    type=int,
    metavar="EPOCHS",
    help="End after so many epochs that are no better.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Of matrix products; `auto` is bfloat16 where the processor has it.",
)
@click.option(
    "--deterministic", is_flag=True, help="The same bits each time; slower."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the sample, the split, the head, dropout and the order.",
)
@click.option(
    "--checkpoint-minutes",
    type=float,
    default=5.0,
    show_default=True,
    help="How old the last checkpoint may be.",
)
@click.option(
    "--checkpoint-steps", type=int, help="And one after so many steps."
)
@click.option(
    "--cache", metavar="DIRECTORY", help="Keep tokens there for other runs."
)
@click.option(
    "--tensorboard", is_flag=True, help="Write OUTPUT/tensorboard, too."
)
@click.option(
    "--stream",
    is_flag=True,
    help="Leave the texts of a csv, tsv or parquet file on the disk.",
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
    from kerassent.run_record import check_output
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
            "stream",
        )
    }
    options["class_weight"] = _class_weight(options["class_weight"])
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
            "\nStopped. Go on from the last checkpoint with the same command "
            "and --resume.",
            fg="yellow",
            err=True,
        )
        sys.exit(1)
    from kerassent.run_record import read_info

    _say_trained(output, read_info(output))


def _peak(max_lr: str) -> Any:
    try:
        return float(max_lr)
    except ValueError:
        return max_lr  # "auto", or what `train` refuses


def _class_weight(given: tuple[str, ...]) -> Any:
    """Returns what `train` takes: None, "balanced", or a dictionary."""
    if not given:
        return None
    if given == ("balanced",):
        return "balanced"
    weights = {}
    for each in given:
        name, _, weight = each.rpartition("=")
        try:
            weights[name] = float(weight)
        except ValueError:
            name = ""
        if not name:
            raise click.UsageError(
                "--class-weight must be `balanced` or `CLASS=WEIGHT`, such as "
                f"`neg=2.5`. Received: {each!r}"
            )
    return weights


def _say_trained(output: str, info: dict[str, Any]) -> None:
    valid = info["valid"]
    if valid is None:
        click.echo(
            f"{output}: {info['seconds']:.0f} s. Next: kerassent export "
            f"{output} models/sentiment"
        )
        return
    click.echo(
        f"{output}: accuracy {valid['accuracy']:.4f} on "
        f"{valid['num_reviews']} held-out reviews, "
        f"{info['seconds']:.0f} s. Next: kerassent export {output} "
        "models/sentiment"
    )
