"""What a request names: a model, and perhaps a version or a label."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for.

    Args:
        name: The model's name.
        version: An exact version, or `None` for the newest.
        label: A version label, or `None`. At most one of the two.
    """

    name: str
    version: int | None = None
    label: str | None = None
