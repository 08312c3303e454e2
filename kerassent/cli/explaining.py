"""`kerassent explain`."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from kerassent.cli.asking import server_options
from kerassent.cli.terminal import start_tensorflow
from kerassent.contract import Explanation


@click.command()
@click.argument("arguments", metavar="[MODEL] TEXT...", nargs=-1)
@server_options
@click.option(
    "--target",
    metavar="CLASS",
    help="Explain this class instead of the label; a run's only.",
)
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
@click.option(
    "--html", metavar="FILE", help="Write a page with the words coloured."
)
def explain(
    arguments: Sequence[str],
    server: dict[str, Any] | None,
    target: str | None,
    as_json: bool,
    html: str | None,
) -> None:
    """Which words moved the answer of a run, an export, or a server.

    MODEL is a run or an export; with --url there is none.

    \b
    Examples:
      kerassent explain runs/imdb "A wonderful film."
      kerassent explain --url grpc://localhost:8500 --model-name imdb "Dull."
    """
    from kerassent.prediction import explain as run

    if html is not None:
        from kerassent.html_report.rendering import check_page_path

        check_page_path(html)
    texts = list(arguments)
    with _opened(texts, server) as model:
        explanations = run(model, texts, target=target)
    if html is not None:
        from kerassent.highlighting import explanation_page
        from kerassent.html_report.rendering import write_page

        write_page(explanation_page(texts, explanations), html)
        click.echo(f"wrote {html}", err=True)
    for text, explanation in zip(texts, explanations, strict=True):
        if as_json:
            click.echo(json.dumps({"text": text, **asdict(explanation)}))
        elif html is None:
            _show(text, explanation)


@contextlib.contextmanager
def _opened(texts: list[str], server: dict[str, Any] | None) -> Iterator[Any]:
    """Yields what to ask, taking its path from the texts if it is there."""
    if len(texts) < (2 if server is None else 1):
        raise click.UsageError("Give a MODEL and a TEXT, or --url and a TEXT.")
    if server is None:
        start_tensorflow()
        yield texts.pop(0)
        return
    from kerassent.client import Client

    with Client(**server) as client:
        yield client


def _show(text: str, explanation: Explanation) -> None:
    """Shows a text's answer, its words in colour, and the strongest's names."""
    from rich.console import Console
    from rich.text import Text

    from kerassent.highlighting import highlighted_line, shown, strongest

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        Text(f"{shown(explanation.label)}  {explanation.score:.4f}", "bold")
    )
    console.print(highlighted_line(text, explanation))
    for what, sign in (("for", 1), ("against", -1)):
        words = strongest(explanation, sign=sign)
        if words:
            console.print(
                Text(
                    f"  {what}: "
                    + ", ".join(
                        f"{shown(word.text)} {word.attribution:+.2f}"
                        for word in words
                    )
                )
            )
