"""With what a run was made, in words."""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from kerassent import contract
from kerassent.errors import PresetError
from kerassent.html_report.wording import count, listed, rate
from kerassent.run_record import read_info


def run_facts(run: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Returns with what a run was made, as names and values.

    Args:
        run: A run directory.

    Raises:
        PresetError: It is none.
    """
    if not pathlib.Path(run, contract.TRAIN_INFO).is_file():
        raise PresetError(
            f"There is no run of `train` at {os.fspath(run)!r}: it has no "
            f"{contract.TRAIN_INFO}. Leave `run` out, and the page says "
            "nothing of the training."
        )
    info = read_info(run)
    return [(name, value) for name, value in _facts(info) if value]


def _facts(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in (
        "preset",
        "epochs",
        "batch_size",
        "max_lr",
        "seed",
        "sequence_length",
        "truncate",
        "precision",
    ):
        if info.get(name) is not None:
            value = info[name]
            yield name, rate(value) if name == "max_lr" else str(value)
    counts = info.get("num_reviews") or {}
    yield (
        "reviews",
        listed([f"{count(n)} {part}" for part, n in counts.items()])
        if counts
        else "",
    )
    for name, value in (info.get("sha256") or {}).items():
        yield f"SHA-256 of {name}", str(value or "")
    yield "finished", str(info.get("finished", ""))
    seconds = info.get("seconds")
    yield "took", f"{seconds / 60:,.0f} minutes" if seconds else ""
    yield "machine", machine_text(info.get("machine") or {})
    yield "versions", versions_text(info.get("versions") or {})


def machine_text(machine: Mapping[str, Any]) -> str:
    """Returns what machine it was, in a line.

    Args:
        machine: As `run_record.machine` returns it.
    """
    parts = [str(machine[k]) for k in ("processor", "system") if machine.get(k)]
    if machine.get("cores"):
        parts.append(f"{machine['cores']} cores")
    return ", ".join(parts)


def versions_text(versions: Mapping[str, Any]) -> str:
    """Returns versions in a line.

    Args:
        versions: By the name of what has them.
    """
    return ", ".join(f"{name} {value}" for name, value in versions.items())
