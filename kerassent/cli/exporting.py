"""`kerassent export` and `inspect`."""

import json
import pathlib
from typing import get_args

import click

from kerassent import contract
from kerassent.cli.terminal import print_tables, start_tensorflow


@click.command()
@click.argument("run")
@click.argument("path")
@click.option(
    "--format",
    type=click.Choice(get_args(contract.ExportFormat)),
    default="saved_model",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--version",
    type=click.IntRange(min=1),
    metavar="N",
    help="A SavedModel's.  [default: the next free number]",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(contract.ExportPrecision)),
    default="float32",
    show_default=True,
    help="bfloat16 is half as large, and faster where a processor has it.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="VERSION",
    help="A TensorFlow Serving that must run it, such as 2.19; may be given "
    "again.  [default: 2.16 to 2.21]",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Remove all SavedModels in PATH but the N newest, once it is written.",
)
def export(
    run: str,
    path: str,
    format: contract.ExportFormat,
    version: int | None,
    precision: contract.ExportPrecision,
    targets: tuple[str, ...],
    keep: int | None,
) -> None:
    """Write a run as what others can use without kerassent.

    saved_model answers raw strings; PATH is its base path, such as
    models/sentiment. keras-nlp is a preset of keras-nlp's own classes, onnx a
    graph of token ids for ONNX runtimes; PATH is their directory, empty or not
    there yet.
    """
    start_tensorflow()
    from kerassent.saved_model.exporting import export as write

    click.echo(
        write(
            run,
            path,
            format=format,
            version=version,
            precision=precision,
            targets=targets or None,
            keep=keep,
        )
    )


@click.command()
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def inspect(path: str, as_json: bool) -> None:
    """What is in a SavedModel, where it runs, and what it takes.

    PATH is one version, such as models/sentiment/1, or a base path, whose
    highest version is taken.
    """
    start_tensorflow()
    from kerassent.saved_model.inspection import inspect_export

    inspection = inspect_export(pathlib.Path(path))
    if as_json:
        click.echo(json.dumps(inspection.to_dict()))
        return
    from kerassent.report import inspection_tables

    print_tables(*inspection_tables(inspection))
