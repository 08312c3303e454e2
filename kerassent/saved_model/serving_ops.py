"""What each version of TensorFlow Serving can run, as it was recorded."""

import functools
import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class ServingOps:
    """The ops that one version of TensorFlow Serving can run on a CPU.

    Args:
        attributes: Each op's attributes.
        refused_values: `(op, attribute, value)`: what some other version
            takes and this one doesn't. A value is a type, such as
            `"DT_BFLOAT16"`, or a string.
    """

    attributes: dict[str, frozenset[str]]
    refused_values: list[tuple[str, str, str]]


@functools.cache
def serving_ops() -> dict[str, ServingOps]:
    """Returns what each version can run, oldest first: `"2.16"`, ..."""
    attributes: dict[str, frozenset[str]] = {}
    by_version: dict[str, dict[str, frozenset[str]]] = {}
    added: dict[tuple[str, str, str], int] = {}
    removed: dict[tuple[str, str, str], int] = {}
    for line in _lines():
        if line.startswith("["):
            attributes = by_version[line.strip("[]")] = dict(attributes)
            continue
        name, *words = line.split()
        if name.startswith("-"):
            del attributes[name[1:]]
            continue
        known = set(attributes.get(name, ()))
        for word in words:
            minus, attribute = word.startswith("-"), word.removeprefix("-")
            if "=" in attribute:
                attribute, value = attribute.split("=")
                changed = removed if minus else added
                changed[name, attribute, value] = len(by_version) - 1
            elif minus:
                known.remove(attribute)
            else:
                known.add(attribute)
        attributes[name] = frozenset(known)
    return {
        version: ServingOps(
            found,
            [value for value, since in added.items() if number < since]
            + [value for value, since in removed.items() if number >= since],
        )
        for number, (version, found) in enumerate(by_version.items())
    }


def versions_listed(versions: Iterable[str]) -> str:
    """Returns versions for a message: `2.16 to 2.18, 2.21`.

    Args:
        versions: Some of `serving_ops()`, in its order.
    """
    order = list(serving_ops())
    runs: list[list[str]] = []
    for version in versions:
        if runs and order.index(version) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run)
        for run in runs
    )


def _lines() -> list[str]:
    file = importlib.resources.files(__package__).joinpath("serving_ops.txt")
    return [
        line
        for line in file.read_text("ascii").splitlines()
        if line and not line.startswith("#")
    ]
