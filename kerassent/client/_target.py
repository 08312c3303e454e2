"""Which model on which server: what every request and every error names."""

from dataclasses import dataclass
from typing import TypeVar

from kerassent.client._address import Address
from kerassent.errors import ServingError

ErrorT = TypeVar("ErrorT", bound=ServingError)

_MAX_VERSION = 2**63 - 1


@dataclass(frozen=True)
class Target:
    """A model on a server.

    Args:
        address: The server.
        model_name: The name under which it serves the model.
        version: A version, or `None` for the newest.
        version_label: A version's label, or `None`.
        signature_name: The signature to ask, or `None` for the usual ones.

    Raises:
        TypeError: A name is not a string or a version not an integer.
        ValueError: A name is empty or not printable, `version` is negative, or
            both `version` and `version_label` are given.
    """

    address: Address
    model_name: str
    version: int | None = None
    version_label: str | None = None
    signature_name: str | None = None

    def __post_init__(self) -> None:
        _check_name("model_name", self.model_name)
        if self.signature_name is not None:
            _check_name("signature_name", self.signature_name)
        if self.version_label is not None:
            _check_name("version_label", self.version_label)
            if self.version is not None:
                raise ValueError(
                    "Pass `version` or `version_label`, not both. Received: "
                    f"version={self.version!r}, "
                    f"version_label={self.version_label!r}"
                )
        if self.version is not None:
            if not isinstance(self.version, int) or self.version is True:
                raise TypeError(
                    "`version` must be an integer. Received: "
                    f"{self.version!r} of type {type(self.version).__name__}"
                )
            if not 0 <= self.version <= _MAX_VERSION:
                raise ValueError(
                    "`version` must be from 0 to 2**63 - 1. Received: "
                    f"version={self.version!r}"
                )

    def __str__(self) -> str:
        """The model as messages show it: `'sentiment', version 3`."""
        if self.version is not None:
            return f"{self.model_name!r}, version {self.version}"
        if self.version_label is not None:
            return f"{self.model_name!r}, label {self.version_label!r}"
        return repr(self.model_name)

    @property
    def model_spec(self) -> str:
        """The model and what of it is asked: `sentiment, version 3`."""
        parts = {
            "version": self.version,
            "label": self.version_label,
            "signature": self.signature_name,
        }
        given = [f", {what} {v}" for what, v in parts.items() if v is not None]
        return self.model_name + "".join(given)

    def error(self, error_class: type[ErrorT], message: str) -> ErrorT:
        """Returns an error that knows this model and this server."""
        return error_class(
            message, model_name=self.model_name, url=self.address.url
        )


def _check_name(argument: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"`{argument}` must be a string. Received: {name!r} of type "
            f"{type(name).__name__}"
        )
    if not name or not name.isprintable():
        raise ValueError(
            f"`{argument}` must be printable characters, at least one. "
            f"Received: {name!r}"
        )
