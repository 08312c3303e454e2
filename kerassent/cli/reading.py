"""What the commands that read reviews have in common."""

from collections.abc import Callable
from typing import Any

import click

_TEXTS = (
    click.option(
        "--text",
        metavar="COLUMN",
        help="The column of the texts.  [default: the only one]",
    ),
    click.option("--sheet", metavar="NAME", help="The sheet of an xlsx file."),
    click.option(
        "--encoding", metavar="NAME", help="Of a csv, tsv or jsonl file."
    ),
    click.option(
        "--separator", metavar="CHARACTER", help="Of a csv or tsv file."
    ),
)
_DROP_EMPTY = click.option(
    "--drop-empty", is_flag=True, help="Leave empty texts out."
)
_LABEL = click.option(
    "--label", metavar="COLUMN", help="The column of the labels."
)


def reviews_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say where in a file the reviews are."""
    return columns_options(with_options(command, _DROP_EMPTY))


def columns_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the same, but for `--drop-empty`."""
    text, *others = _TEXTS
    return with_options(command, text, _LABEL, *others)


def texts_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the same, but for the labels, which are not read."""
    return unlabelled_options(with_options(command, _DROP_EMPTY))


def unlabelled_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the same, but for the labels and `--drop-empty`."""
    return with_options(command, *_TEXTS)


def with_options(
    command: Callable[..., Any], *options: Callable[..., Any]
) -> Callable[..., Any]:
    """Adds options, which `--help` shows in this order.

    Args:
        command: The command.
        *options: What `click.option` returns.
    """
    for option in reversed(options):
        command = option(command)
    return command


def load(
    source: str, *, limit: int | None = None, seed: int = 0, **reading: Any
) -> Any:
    """Returns the reviews of a file, or a sample of them.

    Args:
        source: The path.
        limit: How many to take, or `None` for all.
        seed: Of the sample.
        **reading: The arguments of `load_reviews`.
    """
    from kerassent.reviews import load_reviews

    reviews = load_reviews(source, **reading)
    return reviews if limit is None else reviews.sample(limit, seed=seed)
