"""Results as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from kerassent.evaluation import Evaluation
from kerassent.presets import Preset


def evaluation_tables(evaluation: Evaluation) -> tuple[Any, ...]:
    """Returns what to print of an evaluation: figures and confusions.

    Args:
        evaluation: What `evaluate` returned.
    """
    classes = Table(
        title=(
            f"accuracy {evaluation.accuracy:.4f}, log loss "
            f"{evaluation.log_loss:.4f}, {evaluation.num_reviews:,} reviews"
        ),
        title_justify="left",
    )
    for name in ("class", "precision", "recall", "F1", "reviews"):
        classes.add_column(name, justify="left" if name == "class" else "right")
    confusions = Table(title="true \\ predicted", title_justify="left")
    confusions.add_column("")
    for name in evaluation.class_names:
        confusions.add_column(name, justify="right")
    for i, name in enumerate(evaluation.class_names):
        counts = evaluation.confusion_matrix[i]
        classes.add_row(
            name,
            f"{evaluation.precision[i]:.4f}",
            f"{evaluation.recall[i]:.4f}",
            f"{evaluation.f1[i]:.4f}",
            f"{sum(counts):,}",
        )
        confusions.add_row(name, *(f"{count:,}" for count in counts))
    return classes, confusions


def presets_table(presets: Sequence[Preset]) -> Table:
    """Returns a table of presets.

    Args:
        presets: What `list_presets` returned.
    """
    table = Table()
    for name in ("preset", "parameters", "languages", "source", "here"):
        table.add_column(
            name,
            justify="right" if name == "parameters" else "left",
            no_wrap=name == "preset",
            overflow="fold",
        )
    for preset in presets:
        table.add_row(
            preset.name,
            f"{preset.parameters / 1e6:.1f} M",
            preset.languages,
            "Kaggle" if preset.source.startswith("kaggle://") else "PyPI",
            "yes" if preset.cached else "no",
        )
    return table
