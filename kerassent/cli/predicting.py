"""`kerassent predict`: of texts, and of files of any size."""

import contextlib
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from kerassent.cli.asking import server_options
from kerassent.cli.reading import unlabelled_options
from kerassent.cli.terminal import start_tensorflow

_RAY_OPTIONS = {"text", "prefix", "batch_size", "chunk_rows", "workers"}


@click.command()
@click.argument("arguments", metavar="[MODEL] [TEXT]...", nargs=-1)
@server_options
@click.option(
    "--timeout",
    type=float,
    help="With --url: seconds for a request.  [default: 30; for files 600]",
)
@click.option(
    "--input", "source", metavar="FILE", help="Score the rows of this file."
)
@click.option(
    "--output", metavar="FILE", help="With --input: the file to write."
)
@unlabelled_options
@click.option(
    "--prefix", help="What the names of the added columns begin with."
)
@click.option(
    "--strict", is_flag=True, help="Refuse a file with a row that has no text."
)
@click.option("--resume", is_flag=True, help="Go on with an unfinished output.")
@click.option(
    "--batch-size",
    type=int,
    help="How many texts go through the model at once.  [default: more of "
    "short ones]",
)
@click.option(
    "--chunk-rows",
    type=int,
    help="How many rows are scored and written at a time.  [default: 8192]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="ray: parquet files on a Ray cluster.",
)
@click.option(
    "--workers", type=int, help="Of a Ray cluster.  [default: one a node]"
)
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def predict(
    arguments: Sequence[str],
    server: dict[str, Any] | None,
    source: str | None,
    timeout: float | None,
    output: str | None,
    engine: str,
    as_json: bool,
    **options: Any,
) -> None:
    """What a run, an export, or a server says of texts.

    MODEL is a run or an export; with --url there is none. With --input the
    texts are a file's: .xlsx, .csv, .tsv, .parquet or .jsonl. All its columns
    are kept, and label, score, probabilities and error are added.

    \b
    Examples:
      kerassent predict runs/imdb "A wonderful film."
      kerassent predict --url grpc://localhost:8500 --model-name imdb "Dull."
      kerassent predict runs/imdb --input reviews.xlsx --text Reviews \\
        --output scored.csv
    """
    left = list(arguments)
    if server is None and not left:
        raise click.UsageError("Give a MODEL and a TEXT, or --url and a TEXT.")
    path = left.pop(0) if server is None else None
    if server is None and timeout is not None:
        raise click.UsageError("--timeout goes with --url.")
    if timeout is None:
        # Of a file, requests are large, several at a time, and nobody waits.
        timeout = 30.0 if source is None else 600.0
    options = {
        name: given
        for name, given in options.items()
        if given is not None and given is not False
    }
    if source is None:
        if output is not None or options:
            name = "output" if output is not None else next(iter(options))
            raise click.UsageError(
                f"--{name.replace('_', '-')} goes with --input."
            )
        if not left:
            raise click.UsageError(
                "Give a MODEL and a TEXT, or --url and a TEXT."
            )
        with _model(path, server, timeout) as model:
            _say_predictions(model, left, as_json)
        return
    if output is None:
        raise click.UsageError("--input needs --output, the file to write.")
    if left:
        raise click.UsageError(
            f"--input takes the texts from a file. Leave {left[0]!r} out."
        )
    if engine == "ray":
        _check_ray(path, options)
        _score_dataset(path, source, output, as_json, options)
        return
    if "workers" in options:
        raise click.UsageError("--workers goes with --engine ray.")
    with _model(path, server, timeout) as model:
        _score(model, source, output, as_json, options)


@contextlib.contextmanager
def _model(
    path: str | None, server: dict[str, Any] | None, timeout: float
) -> Iterator[Any]:
    if server is None:
        start_tensorflow()
        yield path
        return
    from kerassent.client import Client

    with Client(**server, timeout=timeout) as client:
        yield client


def _say_predictions(model: Any, texts: list[str], as_json: bool) -> None:
    from kerassent.client import Client

    if isinstance(model, Client):
        predictions = model.predict(texts)
    else:
        from kerassent.prediction import predict as run

        predictions = run(model, texts)
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


def _score(
    model: Any,
    source: str,
    output: str,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from kerassent.cli.progress import RowProgress
    from kerassent.scoring.local import score_file

    try:
        with RowProgress() as progress:
            scored = score_file(
                model, source, output, progress=progress, **options
            )
    except KeyboardInterrupt:
        click.secho(
            "\nStopped. Go on with the same command and --resume.",
            fg="yellow",
            err=True,
        )
        sys.exit(1)
    for message in scored.messages:
        click.secho(message, fg="yellow", err=True)
    _say_scored(scored, output, as_json)


def _check_ray(path: str | None, options: dict[str, Any]) -> None:
    if path is None:
        raise click.UsageError(
            "--engine ray takes a run or an export, not --url: each worker "
            "holds the model."
        )
    for name in options.keys() - _RAY_OPTIONS:
        raise click.UsageError(
            f"--{name.replace('_', '-')} is not for --engine ray."
        )


def _score_dataset(
    path: str | None,
    source: str,
    output: str,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    start_tensorflow()
    from kerassent.scoring.ray_engine import score_dataset

    try:
        # Ray says on stdout what becomes of its workers.
        with contextlib.redirect_stdout(sys.stderr):
            scored = score_dataset(path or "", source, output, **options)
            importlib.import_module("ray").shutdown()
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    for what, count in scored.problems.items():
        have = "1 row has" if count == 1 else f"{count:,} rows have"
        click.secho(f"{have} {what}", fg="yellow", err=True)
    _say_scored(scored, output, as_json)


def _say_scored(scored: Any, output: str, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "output": output,
                    "num_rows": scored.num_rows,
                    "num_scored": scored.num_scored,
                    "problems": scored.problems,
                    "seconds": round(scored.seconds, 3),
                }
            )
        )
        return
    click.echo(
        f"{output}: {scored.num_scored:,} of {scored.num_rows:,} rows scored, "
        f"{scored.seconds:.0f} s",
        err=True,
    )
