"""Results as tables for the terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from kerassent import contract
from kerassent.presets import Preset
from kerassent.saved_model.inspection import SAMPLE_TEXT, Inspection
from kerassent.saved_model.serving_ops import serving_ops, versions_listed


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


def inspection_tables(inspection: Inspection) -> tuple[Any, ...]:
    """Returns what to print of a SavedModel: facts, then signatures.

    Args:
        inspection: What `inspect_export` returned.
    """
    facts = Table(
        title=inspection.path, title_justify="left", show_header=False
    )
    facts.add_column("", no_wrap=True)
    facts.add_column("", overflow="fold")
    for name, value in _facts(inspection):
        facts.add_row(name, value)
    signatures = Table(title="signatures", title_justify="left")
    for name in ("signature", "input", "output", "type", "shape"):
        signatures.add_column(name, overflow="fold")
    for name, signature in inspection.signatures.items():
        for what in ("inputs", "outputs"):
            for tensor, described in signature[what].items():
                signatures.add_row(
                    name,
                    tensor if what == "inputs" else "",
                    tensor if what == "outputs" else "",
                    described["dtype"],
                    _shape(described["shape"]),
                )
                name = ""
        signatures.add_section()
    return facts, signatures


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Yields what there is to say, and what to call it."""
    info = inspection.info
    yield "size", _mebibytes(inspection.size_bytes)
    if inspection.resident_bytes is not None:
        yield (
            "memory",
            f"{_mebibytes(inspection.resident_bytes)} once loaded and warmed "
            f"by {inspection.num_warmup_requests} requests",
        )
    yield (
        "runs in",
        f"TensorFlow Serving {versions_listed(inspection.targets)}"
        if inspection.targets
        else "no known TensorFlow Serving",
    )
    for op, versions in inspection.ops.items():
        if len(versions) < len(serving_ops()):
            yield f"  {op}", versions_listed(versions) or "none"
    if not info:
        yield "made by", "not kerassent"
    else:
        made = info["versions"]
        yield "made by", ", ".join(f"{k} {v}" for k, v in made.items())
        yield "class names", ", ".join(info["class_names"])
        yield (
            "precision",
            f"{info['precision']} (processor: {info['processor']})",
        )
        yield (
            "reads",
            f"{info['sequence_length']} tokens of a text "
            f"({info['truncate']} of a longer one)",
        )
        yield "temperature", f"{info['temperature']:g}"
        yield from _run_facts(info.get("run") or {})
    for name, value in inspection.sample.items():
        if name == contract.LABEL:
            yield "says", f"{value} of {SAMPLE_TEXT!r}"
        elif name == contract.PROBABILITIES:
            yield "", ", ".join(f"{each:.4f}" for each in value)


def _run_facts(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what is known of the training."""
    if "preset" in run:
        yield "preset", str(run["preset"])
    if "num_reviews" in run:
        counts = run["num_reviews"]
        yield "trained on", f"{counts.get('train', 0):,} reviews"
    valid = run.get("valid") or {}
    if "accuracy" in valid:
        yield (
            "validation",
            f"accuracy {valid['accuracy']:.4f}, log loss "
            f"{valid['log_loss']:.4f}, {valid['num_reviews']:,} reviews",
        )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _shape(sizes: Sequence[int]) -> str:
    return f"({', '.join('?' if n < 0 else str(n) for n in sizes)})"
