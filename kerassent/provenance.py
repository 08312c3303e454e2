"""What was evaluated with what, to do it again."""

import pathlib
from typing import Any

from kerassent.evaluation_parts import Provenance
from kerassent.review_base import ReviewsBase
from kerassent.run_record import machine, now, versions


def provenance_of(
    model: Any, path: str | None, reviews: ReviewsBase, data_sha256: str
) -> Provenance:
    """Returns the provenance of what was just measured.

    Args:
        model: What was asked.
        path: Where it was opened, if it was.
        reviews: What it was asked of.
        data_sha256: Their hash.
    """
    return Provenance(
        model=path or _name(model),
        temperature=_temperature(model),
        data=reviews.source,
        data_sha256=data_sha256,
        when=now(),
        versions=versions(),
        machine=machine(),
    )


def _name(model: Any) -> str:
    if hasattr(model, "url") and hasattr(model, "model_spec"):
        return f"{model.model_spec} at {model.url}"
    path = getattr(model, "path", None)
    return type(model).__name__ if path is None else str(path)


def _temperature(model: Any) -> float | None:
    temperature = getattr(model, "temperature", None)
    path = getattr(model, "path", None)
    if temperature is None and isinstance(path, pathlib.Path):
        # An export is in memory, and TensorFlow with it.
        from kerassent.saved_model.export_info import read_export_info

        temperature = read_export_info(path).get("temperature")
    return None if temperature is None else float(temperature)
