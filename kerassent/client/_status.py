"""What a server says of the versions of a model."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelVersionStatus:
    """The state of one version of a model.

    Args:
        version: The version's number.
        state: `"START"`, `"LOADING"`, `"AVAILABLE"`, `"UNLOADING"` or
            `"END"`.
        error_code: `"OK"`, or why the version ended, as in `"NOT_FOUND"`.
        error_message: Empty when all is well.
    """

    version: int
    state: str
    error_code: str
    error_message: str

    def __str__(self) -> str:
        """The state in a line: `version 2 is END (UNKNOWN: …)`."""
        line = f"version {self.version} is {self.state}"
        if self.error_code != "OK":
            line += f" ({self.error_code}: {self.error_message})"
        return line


def statuses_from_json(answer: Any) -> list[ModelVersionStatus]:
    """Reads a `GetModelStatusResponse` in its JSON form.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not one.
    """
    statuses = []
    for entry in answer["model_version_status"]:
        status = entry.get("status", {})
        statuses.append(
            ModelVersionStatus(
                # Protobuf's JSON writes an int64 as a string.
                version=int(entry["version"]),
                state=str(entry["state"]),
                error_code=str(status.get("error_code", "OK")),
                error_message=str(status.get("error_message", "")),
            )
        )
    return statuses
