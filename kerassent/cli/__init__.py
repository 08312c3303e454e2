"""The `kerassent` command: parse, call one library function, print."""

import logging
import os
from typing import Any

import click

from kerassent.cli import evaluating, explaining, exporting, preparing, serving
from kerassent.cli.checking import check
from kerassent.cli.load_testing import load_test
from kerassent.cli.predicting import predict
from kerassent.cli.terminal import ARGUMENTS, with_options_named
from kerassent.cli.train import train
from kerassent.errors import KerassentError
from kerassent.version import __version__

# The library leaves TensorFlow's chatter alone; a command's terminal is ours.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_CPP_MAX_VLOG_LEVEL": "0"}


class _Commands(click.Group):
    """Shows commands in the order of the work, and errors in one red line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KerassentError, ValueError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            message = str(error)
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is not None:
                message = with_options_named(message, command)
            click.secho(f"Error: {message}", fg="red", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="kerassent")
@click.option("--debug", is_flag=True, help="Show an error's traceback.")
def main(debug: bool) -> None:
    """From a spreadsheet of reviews to a model that production asks."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    log = logging.getLogger("kerassent")
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    root = logging.getLogger()
    if not root.handlers:
        # Otherwise whoever logs by `logging.info`, as libraries of ours do
        # when a model is exported, gives the root a handler that says all of
        # ours again.
        others = logging.StreamHandler()
        others.setLevel(logging.WARNING)
        others.addFilter(lambda record: not record.name.startswith(log.name))
        root.addHandler(others)


for command in (
    preparing.quickstart,
    preparing.presets,
    check,
    preparing.find_lr,
    train,
    evaluating.evaluate,
    evaluating.compare,
    evaluating.calibrate,
    predict,
    explaining.explain,
    exporting.export,
    exporting.inspect,
    serving.serve,
    load_test,
):
    main.add_command(command)
