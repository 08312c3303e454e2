"""The parts of the documentation that are made of the code itself.

`docs/cli.md` and `docs/serving_files.md` call these functions. After a change
of a command's options, or of a file in `serving/`, run

    PYTHONPATH=. python -m cogapp -r -I tools docs/cli.md docs/serving_files.md

The tests fail while a page is not what it would then be.
"""

import argparse
import pathlib

import click
import cog

from kerassent.cli import main
from kerassent.server.flag_table import make_parser

ROOT = pathlib.Path(__file__).parent.parent
_LANGUAGES = {
    ".conf": "nginx",
    ".config": "protobuf",
    ".pbtxt": "protobuf",
    ".sh": "sh",
    ".yaml": "yaml",
}


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
        text = (action.help or "").removesuffix(" (default: %(default)s)")
        value = action.metavar.replace("|", "\\|")
        default = "" if action.default in ("", None) else str(action.default)
        default = {"True": "true", "False": "false"}.get(default, default)
        cog.outl(
            f"| `{action.option_strings[0]}={value}` | {text} "
            f"| {default and f'`{default}`'} |"
        )


def serving_file(name: str) -> None:
    """Writes a file of `serving/` as it is."""
    path = ROOT / "serving" / name
    language = _LANGUAGES.get(path.suffix, "dockerfile")
    text = path.read_text("utf-8").rstrip("\n")
    cog.outl(f"\n```{language}\n{text}\n```")
