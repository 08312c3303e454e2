"""The PEM files with which both ends of a TLS connection prove who they are."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from kerassent.client._address import Address

PathArgument = str | PathLike[str]


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files that were there when the client was made.

    Args:
        ca_cert: Whom to trust, or `None` for the usual authorities.
        client_cert: The client's certificate chain, or `None`.
        client_key: The certificate's private key; given with `client_cert`.
    """

    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None


def checked_tls_files(
    address: Address,
    *,
    ca_cert: PathArgument | None,
    client_cert: PathArgument | None,
    client_key: PathArgument | None,
) -> TlsFiles:
    """Returns the TLS files, each of them readable and PEM.

    Raises:
        ValueError: A file is missing or not PEM, only one of `client_cert`
            and `client_key` is given, or the URL is not one with TLS.
    """
    given = {
        name: Path(path)
        for name, path in (
            ("ca_cert", ca_cert),
            ("client_cert", client_cert),
            ("client_key", client_key),
        )
        if path is not None
    }
    if given and not address.has_tls:
        names = ", ".join(f"`{name}`" for name in given)
        secure = "grpcs" if address.is_grpc else "https"
        raise ValueError(
            f"{names} need TLS. Use `{secure}://{address.netloc}"
            f"{address.prefix}`. Received: url={address.url!r}"
        )
    if (client_cert is None) != (client_key is None):
        raise ValueError(
            "`client_cert` and `client_key` belong together. Received: "
            f"client_cert={client_cert!r}, client_key={client_key!r}"
        )
    for name, path in given.items():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(
                f"`{name}` must be the path of a PEM file. Received: "
                f"{str(path)!r} ({error.strerror})"
            ) from error
        if b"-----BEGIN " not in content:
            raise ValueError(
                f"`{name}` must be the path of a PEM file (`-----BEGIN …`). "
                f"Received: {str(path)!r}, which has no such line"
            )
    return TlsFiles(**given)
