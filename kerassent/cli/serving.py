"""`kerassent serve`."""

import signal
from typing import Any

import click

from kerassent import contract
from kerassent.cli.terminal import start_tensorflow


@click.command()
@click.argument("path")
@click.option(
    "--model-name",
    metavar="NAME",
    help="What clients call the model.  [default: the last part of PATH]",
)
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
    metavar="ADDRESS",
    help="To bind to; only the embedded server can choose.  [default: "
    "localhost]",
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
    help="Merge requests that come at about the same time, as the version's "
    "batching_params.pbtxt says.",
)
@click.option(
    "--ui",
    is_flag=True,
    help="A page to type texts into, on this machine; the embedded server's.",
)
def serve(
    path: str,
    model_name: str | None,
    engine: str,
    host: str | None,
    port: int,
    rest_api_port: int,
    batching: bool,
    ui: bool,
) -> None:
    """Serve an export as TensorFlow Serving does.

    PATH is the model's base path, such as models/sentiment.
    """
    from kerassent.server import serve as start
    from kerassent.server.binary import find_binary, run_binary

    if ui and engine == "tensorflow_model_server":
        raise click.UsageError(
            "--ui is a page of the embedded server, which "
            "tensorflow_model_server does not have. Leave --engine out, or "
            "pass --engine embedded."
        )
    binary = None if ui else find_binary(engine, host)
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

    before = signal.signal(signal.SIGTERM, stop)
    try:
        start_tensorflow()
        with start(
            path,
            model_name=model_name,
            host=host or contract.LOCALHOST,
            port=port,
            rest_api_port=rest_api_port,
            batching=batching,
            ui=ui,
        ) as server:
            if ui:
                click.echo(f"Playground: {server.rest_url}/", err=True)
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
    finally:
        signal.signal(signal.SIGTERM, before)


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
