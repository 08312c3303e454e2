"""`kerassent load-test`."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from kerassent import contract
from kerassent.cli.asking import client_options
from kerassent.cli.reading import load, texts_options
from kerassent.cli.terminal import print_tables

_LOOPBACK = (contract.LOCALHOST, contract.LOOPBACK, "::1")


@click.command("load-test")
@click.option(
    "--url",
    metavar="URL",
    default=f"grpc://{contract.LOCALHOST}:{contract.GRPC_PORT}",
    show_default=True,
    help="The server: grpc://HOST:PORT or http://HOST:PORT.",
)
@click.option(
    "--model-name",
    metavar="NAME",
    required=True,
    help="The model's name there.",
)
@client_options
@click.option(
    "--input",
    "source",
    metavar="FILE",
    help="A file of reviews to send.  [default: the packaged sample]",
)
@texts_options
@click.option("--rate", type=float, help="Send so many requests a second.")
@click.option(
    "--clients",
    type=int,
    help="Instead: so many clients, each asking when it has its answer.",
)
@click.option(
    "--sweep",
    is_flag=True,
    help="Instead, and by default: rising rates, until one is too much.",
)
@click.option(
    "--rates",
    metavar="RATE,...",
    help="The rates of the sweep, such as 10,20,50.  [default: from what the "
    "server can do]",
)
@click.option(
    "--max-latency-ms",
    type=float,
    help="What 95 % of a sustained rate's requests must keep to.  [default: "
    "five times what one request takes alone]",
)
@click.option(
    "--seconds",
    type=float,
    help="How long; in a sweep each rate.  [default: 10, in a sweep 5]",
)
@click.option("--requests", type=int, help="How many requests at most.")
@click.option(
    "--warmup",
    type=float,
    default=1.0,
    show_default=True,
    help="Seconds before, which are not counted.",
)
@click.option(
    "--texts-per-request",
    type=int,
    default=1,
    show_default=True,
    help="How many texts a request has.",
)
@click.option(
    "--arrivals",
    type=click.Choice(["even", "poisson"]),
    default="even",
    show_default=True,
    help="Of a rate: evenly spaced, or at random as people come.",
)
@click.option(
    "--max-in-flight",
    type=int,
    default=256,
    show_default=True,
    help="Of a rate: how many requests may be under way.",
)
@click.option(
    "--timeout",
    type=float,
    default=10.0,
    show_default=True,
    help="Seconds until a request counts as failed.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of all chance."
)
@click.option("--html", metavar="FILE", help="Write a page with the curves.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def load_test(
    url: str,
    model_name: str,
    client: dict[str, Any],
    source: str | None,
    rate: float | None,
    clients: int | None,
    sweep: bool,
    rates: str | None,
    max_latency_ms: float | None,
    seconds: float | None,
    html: str | None,
    as_json: bool,
    timeout: float,
    texts_per_request: int,
    **options: Any,
) -> None:
    """How fast a served model answers, and how much it can take.

    A rate is kept up whatever the server does, and latencies count from when a
    request was to be sent. A sweep overloads the server on purpose; on another
    machine it has to be asked for.

    \b
    Examples:
      kerassent load-test --model-name sentiment --html load.html
      kerassent load-test --url http://localhost:8501 --model-name sentiment \\
        --rate 50 --input test.xlsx --text Reviews
    """
    modes = [rate is not None, clients is not None, sweep or rates is not None]
    if sum(modes) > 1:
        raise click.UsageError(
            "Give one of --rate, --clients and --sweep (or --rates)."
        )
    if not any(modes) and not _is_here(url):
        raise click.UsageError(
            "The default is a sweep, which overloads the server. Give --sweep "
            "if you want that for another machine, else --rate or --clients."
        )
    if seconds is None:
        seconds = 10.0 if rate is not None or clients is not None else 5.0
    if html is not None:
        from kerassent.html_report.rendering import check_page_path

        check_page_path(html)
    reading = {
        name: options.pop(name)
        for name in ("text", "sheet", "encoding", "separator", "drop_empty")
    }
    if source is None:
        if any(reading.values()):
            raise click.UsageError("--text and its like need --input.")
        from kerassent.packaged_sample import load_sample

        reviews: Any = load_sample()
    else:
        reviews = load(source, **reading)
    from kerassent import load_test as run

    payloads = run.Payloads(
        reviews.texts,
        texts_per_request=texts_per_request,
        seed=options["seed"],
    )
    with run.Connections(
        url, model_name=model_name, timeout=timeout, **client
    ) as server:
        measured: Any
        if clients is not None:
            measured = run.run_closed_loop(
                server,
                payloads,
                clients=clients,
                seconds=seconds,
                requests=options["requests"],
                warmup=options["warmup"],
            )
        elif rate is not None:
            measured = run.run_open_loop(
                server, payloads, rate=rate, seconds=seconds, **options
            )
        else:
            measured = run.run_sweep(
                server,
                payloads,
                rates=_numbers(rates),
                max_latency_ms=max_latency_ms,
                seconds=seconds,
                say=_say,
                **options,
            )
    if html is not None:
        from kerassent.load_test.page import write_load_page

        write_load_page(measured, html)
    if as_json:
        click.echo(json.dumps(measured.to_dict()))
        return
    from kerassent.load_test.tables import load_tables, sweep_tables

    tables = sweep_tables if isinstance(measured, run.Sweep) else load_tables
    print_tables(*tables(measured))


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" or parts.hostname in _LOOPBACK


def _numbers(rates: str | None) -> Sequence[float] | None:
    if rates is None:
        return None
    try:
        return [float(rate) for rate in rates.split(",")]
    except ValueError:
        raise click.UsageError(
            f"--rates must be numbers, such as 10,20,50. Received: {rates!r}"
        ) from None


def _say(result: Any) -> None:
    from kerassent.load_test.tables import milliseconds

    click.echo(
        f"{result.load}: {result.throughput:.4g} answers a second, p50 "
        f"{milliseconds(result.latency_ms['p50'])} ms, p99 "
        f"{milliseconds(result.latency_ms['p99'])} ms, {result.num_failed} "
        "failed",
        err=True,
    )
