"""The REST API's URLs: which model, and what is asked of it.

Reference:
    tensorflow_serving/model_servers/http_rest_api_util.cc
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from kerassent.server.model_spec import ModelSpec
from kerassent.server.status import StatusError, invalid_argument

_API: Final = re.compile(r"/v1/.*", re.IGNORECASE)
_POST: Final = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r":(classify|regress|predict)",
    re.IGNORECASE,
)
_GET: Final = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r"(?:/(metadata))?",
    re.IGNORECASE,
)
_MAX_INT64: Final = 2**63 - 1
# int() of more digits is refused, and takes its time.
_MAX_DIGITS: Final = 4000


@dataclass(frozen=True)
class Target:
    """What a URL asks for.

    Args:
        spec: Which model.
        verb: As it came: `predict`, `classify` or `regress` of a POST,
            `metadata` or nothing of a GET.
    """

    spec: ModelSpec
    verb: str


def is_api(path: str) -> bool:
    """Tells whether a URL is the REST API's.

    Args:
        path: Path and query.
    """
    return _API.fullmatch(path) is not None


def read_url(method: str, path: str) -> Target:
    """Returns what a URL asks for.

    Args:
        method: The HTTP method.
        path: Path and query, for both are matched.

    Raises:
        StatusError: If it is of another shape.
    """
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    match = pattern.fullmatch(path) if pattern is not None else None
    if match is None:
        raise malformed(method, path)
    return Target(_model_spec(match), match[4] or "")


def malformed(method: str, path: str) -> StatusError:
    """Returns the error of a URL that asks for nothing, ready to be raised.

    Args:
        method: The HTTP method.
        path: Path and query.
    """
    return invalid_argument(f"Malformed request: {method} {path}")


def _unescape(text: str | None) -> str | None:
    if text is None:
        return None
    raw = text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def _model_spec(match: re.Match[str]) -> ModelSpec:
    version = None
    if match[2] is not None:
        if len(match[2]) > _MAX_DIGITS or int(match[2]) > _MAX_INT64:
            raise invalid_argument(
                f"Failed to convert version: {match[2]} to numeric."
            )
        version = int(match[2])
    return ModelSpec(
        _unescape(match[1]) or "", version=version, label=_unescape(match[3])
    )
