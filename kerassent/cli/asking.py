"""`kerassent presets`, `predict`, `export`, `inspect`."""

import json
import pathlib
from collections.abc import Sequence
from typing import get_args

import click

from kerassent import contract
from kerassent.cli.terminal import print_tables, start_tensorflow


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


@click.command()
@click.argument("arguments", metavar="[MODEL] TEXT...", nargs=-1)
@click.option("--url", help="Ask a server: grpc://HOST:PORT or http://…")
@click.option("--model-name", help="With --url: the model's name there.")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def predict(
    arguments: Sequence[str],
    url: str | None,
    model_name: str | None,
    as_json: bool,
) -> None:
    """What a run, an export, or a server says of texts.

    MODEL is a run or an export; with --url there is none.

    \b
    Examples:
      kerassent predict runs/imdb "A wonderful film."
      kerassent predict --url grpc://localhost:8500 --model-name imdb "Dull."
    """
    from kerassent.client import Client
    from kerassent.prediction import predict as run

    texts = list(arguments)
    if url is None:
        if len(texts) < 2:
            raise click.UsageError(
                "Give a MODEL and a TEXT, or --url and a TEXT."
            )
        start_tensorflow()
        predictions = run(texts.pop(0), texts)
    else:
        if model_name is None or not texts:
            raise click.UsageError("--url needs --model-name and a TEXT.")
        with Client(url, model_name=model_name) as client:
            predictions = client.predict(texts)
    for text, prediction in zip(texts, predictions, strict=True):
        if as_json:
            click.echo(
                json.dumps(
                    {
                        "text": text,
                        "label": prediction.label,
                        "score": prediction.score,
                        "probabilities": prediction.probabilities,
                    }
                )
            )
        else:
            click.echo(f"{prediction.label}  {prediction.score:.4f}  {text}")


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
    "--version", type=int, help="A SavedModel's. Default: the next free number."
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
    "again. Default: 2.16 to 2.21.",
)
@click.option(
    "--keep",
    type=int,
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
