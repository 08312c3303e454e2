"""The parts of the documentation that are made of the code itself.

`docs/cli.md` calls these functions. After a change of a command's options run

    PYTHONPATH=. python -m cogapp -r -I tools docs/cli.md

The tests fail while the page is not what it would then be.
"""

import argparse

import click
import cog

from kerassent.cli import main
from kerassent.server.flag_table import make_parser


def commands() -> None:
    """Writes the help of each command, as in a terminal of 80 columns."""
    for name, command in main.commands.items():
        context = click.Context(
            command,
            info_name=f"kerassent {name}",
            terminal_width=80,
        )
        cog.outl(f"\n## kerassent {name}\n")
        cog.outl(f"```text\n{command.get_help(context)}\n```")


def model_server() -> None:
    """Writes the flags of `kerassent-model-server` as a table."""
    cog.outl("\n| flag | | default |\n| --- | --- | --- |")
    for action in make_parser()._actions:
        if action.help is argparse.SUPPRESS or not action.metavar:
            continue
        text = (action.help or "").partition(" (default: ")[0]
        value = action.metavar.replace("|", "\\|")
        default = "" if action.default in ("", None) else str(action.default)
        default = {"True": "true", "False": "false"}.get(default, default)
        cog.outl(
            f"| `{action.option_strings[0]}={value}` | {text} "
            f"| {default and f'`{default}`'} |"
        )
