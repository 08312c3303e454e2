"""What the commands that ask a server have in common."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from kerassent.cli.reading import with_options


def _headers(
    context: click.Context, parameter: click.Parameter, lines: Sequence[str]
) -> dict[str, str] | None:
    """Returns headers by name; values are secrets, which no message shows."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise click.BadParameter(
                "expected 'NAME: VALUE', such as 'Authorization: Bearer …'. "
                f"Received {len(line)} characters without a colon."
            )
        if name in headers:
            raise click.BadParameter(f"{name!r} is given twice.")
        headers[name] = value
    return headers or None


_SERVER: Final = (
    click.option(
        "--url",
        metavar="URL",
        help="Ask a server: grpc://HOST:PORT or http://HOST:PORT.",
    ),
    click.option(
        "--model-name",
        metavar="NAME",
        help="With --url: the model's name there.",
    ),
)
# By the name of `Client`'s argument.
_CLIENT: Final = {
    "version": click.option(
        "--version", type=int, help="Of the model.  [default: the newest]"
    ),
    "version_label": click.option(
        "--version-label",
        metavar="NAME",
        help="Instead of --version: a label, such as stable.",
    ),
    "signature_name": click.option(
        "--signature-name",
        metavar="NAME",
        help="The signature to ask, where it is another.",
    ),
    "headers": click.option(
        "--header",
        "headers",
        metavar="NAME:VALUE",
        multiple=True,
        callback=_headers,
        help="For every request, HTTP's or gRPC's; may be given again.",
    ),
    "ca_cert": click.option(
        "--ca-cert",
        metavar="FILE",
        help="PEM, with https or grpcs: the authorities to trust.",
    ),
    "client_cert": click.option(
        "--client-cert", metavar="FILE", help="PEM: what the server asks for."
    ),
    "client_key": click.option(
        "--client-key", metavar="FILE", help="PEM: of --client-cert."
    ),
}


def client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what else a server can be asked with.

    The command gets `client`: those of `Client`'s arguments that are given.
    """

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        client = {name: given.pop(name) for name in _CLIENT}
        client = {name: v for name, v in client.items() if v is not None}
        return command(client=client, **given)

    return with_options(gathered, *_CLIENT.values())


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds these options and which server to ask, if any.

    The command gets `server`: `Client`'s arguments, or `None` without --url.
    """

    @functools.wraps(command)
    def gathered(
        *,
        url: str | None,
        model_name: str | None,
        client: dict[str, Any],
        **given: Any,
    ) -> Any:
        if model_name is not None:
            client = {"model_name": model_name} | client
        if url is None:
            for name in client:
                raise click.UsageError(f"{_option(name)} goes with --url.")
            return command(server=None, **given)
        if model_name is None:
            raise click.UsageError("--url needs --model-name.")
        return command(server={"url": url} | client, **given)

    return with_options(client_options(gathered), *_SERVER)


def _option(argument: str) -> str:
    return {"headers": "--header"}.get(
        argument, f"--{argument.replace('_', '-')}"
    )
