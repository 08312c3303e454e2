"""The `kerassent` command: parse, call one library function, print."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from kerassent import contract
from kerassent.errors import KerassentError
from kerassent.version import __version__

# The library leaves TensorFlow's chatter alone; a command's terminal is ours.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_CPP_MAX_VLOG_LEVEL": "0"}


class _Commands(click.Group):
    """Shows commands in the order of the work, and errors in one red line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KerassentError, ValueError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            click.secho(f"Error: {error}", fg="red", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="kerassent")
@click.option("--debug", is_flag=True, help="Show an error's traceback.")
def main(debug: bool) -> None:
    """From a spreadsheet of reviews to a model that production asks."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    log = logging.getLogger("kerassent")
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)


def _reviews_options(*, label: bool) -> Callable[..., Any]:
    """The options that say where in a file the reviews are."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = [
            click.option("--text", help="The column of the texts."),
            click.option("--sheet", help="The sheet of an xlsx file."),
            click.option("--encoding", help="Of a csv or tsv file."),
            click.option("--separator", help="Of a csv or tsv file."),
            click.option(
                "--drop-empty", is_flag=True, help="Leave empty texts out."
            ),
        ]
        if label:
            options.insert(
                1, click.option("--label", help="The column of the labels.")
            )
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@main.command()
@click.option(
    "--output",
    default="kerassent-quickstart",
    show_default=True,
    help="The directory to write to.",
)
@click.option("--weights", help="A local file with the preset's weights.")
def quickstart(output: str, weights: str | None) -> None:
    """The whole way on the packaged sample."""
    _start_tensorflow()
    from kerassent.quickstart import quickstart as run

    run(output, weights=weights, say=click.echo)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def presets(as_json: bool) -> None:
    """The pretrained models that `--preset` knows by name."""
    from dataclasses import asdict

    from kerassent.presets import list_presets

    _start_tensorflow()
    found = list_presets()
    if as_json:
        for preset in found:
            click.echo(json.dumps(asdict(preset)))
        return
    from kerassent.report import presets_table

    _print(presets_table(found))


@main.command("find-lr")
@click.argument("source")
@_reviews_options(label=True)
@click.option("--preset", help="See `kerassent presets`.")
@click.option("--weights", help="A local file with the preset's weights.")
@click.option("--sequence-length", type=int, help="The most tokens of a text.")
@click.option("--batch-size", type=int, default=32, show_default=True)
@click.option("--limit", type=int, help="Look at so many reviews only.")
@click.option("--num-steps", type=int, default=60, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The whole curve.")
def find_lr(
    source: str,
    preset: str | None,
    weights: str | None,
    sequence_length: int | None,
    batch_size: int,
    limit: int | None,
    num_steps: int,
    seed: int,
    as_json: bool,
    **reading: Any,
) -> None:
    """Which learning rate to train with.

    \b
    Example:
      kerassent find-lr train.xlsx --text Reviews --label Sentiment
    """
    _start_tensorflow()
    from kerassent.training import look_for_lr

    curve = look_for_lr(
        _load(source, limit=limit, seed=seed, **reading),
        preset=preset,
        weights=weights,
        sequence_length=sequence_length,
        batch_size=batch_size,
        num_steps=num_steps,
        seed=seed,
    )
    if as_json:
        click.echo(
            json.dumps(
                {
                    "suggestion": curve.suggestion,
                    "learning_rates": curve.learning_rates.tolist(),
                    "losses": curve.losses.tolist(),
                }
            )
        )
        return
    click.echo(f"--max-lr {curve.suggestion:.1e}")


@main.command()
@click.argument("source")
@_reviews_options(label=True)
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
    import pathlib

    _start_tensorflow()
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
    reviews = _load(source, limit=limit, seed=options["seed"], **reading)
    click.echo(reviews.summary(), err=True)
    if valid is not None:
        options["valid"] = _load(
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


@main.command()
@click.argument("model")
@click.argument("source")
@_reviews_options(label=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(model: str, source: str, as_json: bool, **reading: Any) -> None:
    """How good a run, or an export, is on labelled reviews.

    \b
    Example:
      kerassent evaluate runs/imdb test.xlsx --text Reviews --label Sentiment
    """
    _start_tensorflow()
    from kerassent.evaluation import evaluate as run
    from kerassent.prediction import open_model

    opened = open_model(model)
    evaluation = run(
        opened, _load(source, class_names=opened.class_names, **reading)
    )
    if as_json:
        click.echo(json.dumps(evaluation.to_dict()))
        return
    from kerassent.report import evaluation_tables

    _print(*evaluation_tables(evaluation))


@main.command()
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
        _start_tensorflow()
        predictions = run(texts.pop(0), texts)
    else:
        if model_name is None or not texts:
            raise click.UsageError("--url needs --model-name and a TEXT.")
        if url.startswith("grpc"):
            _start_tensorflow()  # the gRPC stubs import it
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


@main.command()
@click.argument("run")
@click.argument("path")
@click.option("--version", type=int, help="Default: the next free number.")
def export(run: str, path: str, version: int | None) -> None:
    """Write a run as a SavedModel that answers raw strings.

    PATH is the model's base path, such as models/sentiment.
    """
    _start_tensorflow()
    from kerassent.saved_model.exporting import export as write

    click.echo(write(run, path, version=version))


@main.command()
@click.argument("path")
@click.option("--model-name", help="Default: the last part of PATH.")
@click.option(
    "--host", default=contract.LOOPBACK, show_default=True, help="To bind to."
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
def serve(
    path: str, model_name: str | None, host: str, port: int, rest_api_port: int
) -> None:
    """Serve an export as TensorFlow Serving does.

    PATH is the model's base path, such as models/sentiment.
    """
    import signal

    from kerassent.server import serve as start

    def stop(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    _start_tensorflow()
    with start(
        path,
        model_name=model_name,
        host=host,
        port=port,
        rest_api_port=rest_api_port,
    ) as server:
        click.echo(
            f"Serving {server.model_name} version {server.version}\n"
            f"  gRPC  {server.grpc_url}\n"
            f"  REST  {server.rest_url}\n"
            f"Ask it:\n  {curl_line(server.rest_url, server.model_name)}\n"
            "Ctrl-C stops.",
            err=True,
        )
        try:
            server.wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


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


def _start_tensorflow() -> None:
    """Imports TensorFlow without the lines that it writes as it starts.

    Its C++ parts write some before any setting of theirs is read.
    """
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _load(
    source: str, *, limit: int | None = None, seed: int = 0, **reading: Any
) -> Any:
    from kerassent.reviews import load_reviews

    reviews = load_reviews(source, **reading)
    return reviews if limit is None else reviews.sample(limit, seed=seed)


def _peak(max_lr: str) -> Any:
    try:
        return float(max_lr)
    except ValueError:
        return max_lr  # "auto", or what `train` refuses


def _print(*renderables: Any) -> None:
    from rich.console import Console

    console = Console()
    for renderable in renderables:
        console.print(renderable)


def _say_trained(output: str, info: dict[str, Any]) -> None:
    valid = info["valid"]
    click.echo(
        f"{output}: accuracy {valid['accuracy']:.4f} on "
        f"{valid['num_reviews']} held-out reviews, "
        f"{info['seconds']:.0f} s. Next: kerassent export {output} "
        "models/sentiment"
    )
