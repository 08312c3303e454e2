"""Everything that kerassent raises on purpose.

    KerassentError
      DataError(ValueError)        a file or frame cannot become Reviews
      PresetError(ValueError)      a preset cannot be found, fetched or read
      ExportError                  an export cannot be made, or is not exact
      ServingError                 a server did not give an answer
        ServerUnavailable          no connection, or the connection was lost
        DeadlineExceeded           the answer took longer than `timeout`
        Overloaded                 the server has more work than it takes
        ModelNotFound              the server has no such model or version
        InvalidRequest             the server refuses the request as it is
          TextTooLong              one text alone is more than it takes

A wrong argument raises the built-in `ValueError` or `TypeError`. Every message
says what was received, what was expected, and how to fix it.
"""

from collections.abc import Iterable


class KerassentError(Exception):
    """Base class: `except KerassentError` catches all that is ours."""


class DataError(KerassentError, ValueError):
    """A file or frame cannot become Reviews."""


class PresetError(KerassentError, ValueError):
    """A preset cannot be found, fetched or read."""


class ExportError(KerassentError):
    """An export cannot be made, or does not reproduce the classifier."""


class ServingError(KerassentError):
    """A server did not give an answer.

    Args:
        message: What happened and what to do about it.
        model_name: The model that was asked for, or `None`.
        url: The server that was asked, or `None`.
    """

    def __init__(
        self,
        message: str,
        *,
        model_name: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.model_name = model_name
        self.url = url


class ServerUnavailable(ServingError):
    """No connection, or the connection was lost."""


class DeadlineExceeded(ServingError):
    """The answer took longer than `timeout`."""


class Overloaded(ServingError):
    """The server has more work than it takes; try again later."""


class ModelNotFound(ServingError):
    """The server has no such model or version."""


class InvalidRequest(ServingError):
    """The server refuses the request as it is; sending it again won't help."""


class TextTooLong(InvalidRequest):
    """One text alone is larger than the server takes in a request."""


def listed(values: Iterable[object], limit: int = 5) -> str:
    """Returns values for a message: `'a', 'b' and 3 more`.

    Args:
        values: What to list, each shown by `repr`.
        limit: How many to show before the rest is only counted.
    """
    shown = [repr(value) for value in values]
    if len(shown) <= limit:
        return ", ".join(shown)
    return f"{', '.join(shown[:limit])} and {len(shown) - limit} more"
