"""What the commands show, and what they keep from showing."""

import ast
import os
import re
import shlex
from typing import Any, Final

import click

# Where the group keeps what it was called with.
ARGUMENTS: Final = "kerassent.cli.arguments"

# What the library's messages call an argument, maybe with a value to pass.
_ARGUMENT: Final = re.compile(r"`(\w+)(?:=([^`]+))?`")
_TWICE: Final = re.compile(r"(`[^`]+`) \(\1\)")


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


def with_options_named(message: str, command: click.Command) -> str:
    """Returns a message of the library that names options, not arguments.

    `chunk_rows` becomes `--chunk-rows`, `text='Reviews'` `--text Reviews`.

    Args:
        message: The message.
        command: Whose options there are.
    """
    options = {
        each.name: each.opts[0]
        for each in command.params
        if isinstance(each, click.Option)
    }

    def named(found: re.Match[str]) -> str:
        argument, value = found.groups()
        option = options.get(argument)
        if option is None:
            return found[0]
        if value in (None, "True"):
            return f"`{option}`"
        try:
            literal = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            return found[0]
        if not isinstance(literal, str | int | float):
            return found[0]
        return f"`{option} {shlex.quote(str(literal))}`"

    # Some messages name both.
    return _TWICE.sub(r"\1", _ARGUMENT.sub(named, message))
