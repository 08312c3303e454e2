"""`kerassent presets`, `evaluate`, `predict`, `export`, `inspect`, `serve`."""

import json
import pathlib
import signal
from collections.abc import Sequence
from typing import Any, get_args

import click

from kerassent import contract
from kerassent.cli.reading import load, reviews_options
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
@click.argument("model")
@click.argument("source")
@reviews_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(model: str, source: str, as_json: bool, **reading: Any) -> None:
    """How good a run, or an export, is on labelled reviews.

    \b
    Example:
      kerassent evaluate runs/imdb test.xlsx --text Reviews --label Sentiment
    """
    start_tensorflow()
    from kerassent.evaluation import evaluate as run
    from kerassent.prediction import open_model

    opened = open_model(model)
    evaluation = run(
        opened, load(source, class_names=opened.class_names, **reading)
    )
    if as_json:
        click.echo(json.dumps(evaluation.to_dict()))
        return
    from kerassent.report import evaluation_tables

    print_tables(*evaluation_tables(evaluation))


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
        if url.startswith("grpc"):
            start_tensorflow()  # the gRPC stubs import it
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
    "--version",
    type=click.IntRange(min=1),
    help="A SavedModel's. Default: the next free number.",
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


@click.command()
@click.argument("path")
@click.option("--model-name", help="Default: the last part of PATH.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "tensorflow_model_server", "embedded"]),
    default="auto",
    show_default=True,
    help="What serves: auto takes tensorflow_model_server where it is "
    "installed and --host is not given.",
)
@click.option(
    "--host",
    help="To bind to; only the embedded server can choose. Default: localhost.",
)
@click.option(
    "--port",
    type=int,
    default=contract.GRPC_PORT,
    show_default=True,
    help="For gRPC; 0 takes a free one.",
)
@click.option(
    "--rest-api-port",
    type=int,
    default=contract.REST_PORT,
    show_default=True,
    help="For REST; 0 takes a free one.",
)
@click.option(
    "--batching/--no-batching",
    help="Run requests that come together together, as the version's "
    "batching_params.pbtxt says.",
)
def serve(
    path: str,
    model_name: str | None,
    engine: str,
    host: str | None,
    port: int,
    rest_api_port: int,
    batching: bool,
) -> None:
    """Serve an export as TensorFlow Serving does.

    PATH is the model's base path, such as models/sentiment.
    """
    from kerassent.server import serve as start
    from kerassent.server.binary import find_binary, run_binary

    binary = find_binary(engine, host)
    if binary is not None:
        run_binary(
            binary,
            path,
            model_name=model_name,
            port=port,
            rest_api_port=rest_api_port,
            batching=batching,
            say=lambda name, grpc_url, rest_url: _say_where(
                name,
                grpc_url,
                rest_url,
                curl_line(rest_url, name),
                note=_ALL_INTERFACES,
            ),
        )

    def stop(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    start_tensorflow()
    try:
        with start(
            path,
            model_name=model_name,
            host=host or contract.LOCALHOST,
            port=port,
            rest_api_port=rest_api_port,
            batching=batching,
        ) as server:
            _say_where(
                f"{server.model_name} version {server.version}",
                server.grpc_url,
                server.rest_url,
                curl_line(server.rest_url, server.model_name),
                note="Ctrl-C stops.",
            )
            server.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


_ALL_INTERFACES = (
    "This is tensorflow_model_server, which listens on all interfaces of this "
    "machine; `--engine embedded` listens on the loopback only.\n"
    "Ctrl-C stops."
)


def _say_where(
    what: str, grpc_url: str, rest_url: str, curl: str, *, note: str
) -> None:
    click.echo(
        f"Serving {what}\n"
        f"  gRPC  {grpc_url}\n"
        f"  REST  {rest_url}\n"
        f"Ask it:\n  {curl}\n"
        f"{note}",
        err=True,
    )


def curl_line(rest_url: str, model_name: str) -> str:
    """Returns a shell line that asks a server over REST.

    Args:
        rest_url: Such as `http://127.0.0.1:8501`.
        model_name: The model's name there.
    """
    path = contract.rest_model_path(model_name)
    return (
        f'curl -d \'{{"instances": ["A wonderful film."]}}\' '
        f"{rest_url}{path}:predict"
    )
