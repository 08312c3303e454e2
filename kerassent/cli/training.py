"""What the commands that train have in common."""

import click

preset_option = click.option(
    "--preset",
    metavar="NAME",
    help="One of `kerassent presets`, or a directory.  [default: "
    "minilm_l6_en_uncased]",
)
weights_option = click.option(
    "--weights", metavar="FILE", help="A local file with the preset's weights."
)
sequence_length_option = click.option(
    "--sequence-length",
    type=int,
    help="The most tokens of a text.  [default: 400]",
)
layer_decay_option = click.option(
    "--layer-decay",
    type=float,
    default=1.0,
    show_default=True,
    help="How many times as fast a layer learns as the one above it.",
)
