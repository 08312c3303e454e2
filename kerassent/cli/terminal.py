"""What the commands show, and what they keep from showing."""

import os
from typing import Any, Final

import click

# Where the group keeps what it was called with.
ARGUMENTS: Final = "kerassent.cli.arguments"


def start_tensorflow() -> None:
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


def print_tables(*renderables: Any) -> None:
    """Shows rich tables on stdout."""
    from rich.console import Console

    console = Console()
    for renderable in renderables:
        console.print(renderable)


def command_arguments() -> list[str]:
    """Returns what `kerassent` was called with."""
    arguments: list[str] = click.get_current_context().meta[ARGUMENTS]
    return arguments
