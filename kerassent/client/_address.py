"""Where a server is: the URL a caller writes, taken apart once."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from kerassent.contract import GRPC_PORT, REST_PORT

_PORTS: Final = {
    "grpc": GRPC_PORT,
    "grpcs": GRPC_PORT,
    "http": REST_PORT,
    "https": REST_PORT,
}
_UNIX: Final = "unix://"
_EXAMPLES: Final = (
    f"`grpc://localhost:{GRPC_PORT}` or `http://localhost:{REST_PORT}` "
    "(with TLS: `grpcs://`, `https://`; gRPC over a socket: `unix:///path`)"
)


@dataclass(frozen=True)
class Address:
    """A server's address.

    Args:
        scheme: `"grpc"`, `"grpcs"`, `"unix"`, `"http"` or `"https"`.
        netloc: Host and port, an IPv6 host in brackets: `"[::1]:8500"`. For
            `"unix"` the path of the socket.
        prefix: What comes before the server's own paths, `/v1/models` or a
            gRPC service: `""` or `"/some/prefix"`.
    """

    scheme: str
    netloc: str
    prefix: str = ""

    @property
    def is_grpc(self) -> bool:
        """Whether the server is asked over gRPC, not REST."""
        return self.scheme in ("grpc", "grpcs", "unix")

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("grpcs", "https")

    @property
    def url(self) -> str:
        """The address as one URL, without a trailing slash."""
        return f"{self.scheme}://{self.netloc}{self.prefix}"

    @property
    def grpc_target(self) -> str:
        """The address as gRPC's libraries name it.

        Reference: https://github.com/grpc/grpc/blob/master/doc/naming.md
        """
        if self.scheme == "unix":
            return f"unix:{quote(self.netloc)}"  # It is a URI to gRPC.
        return f"dns:///{self.netloc}"

    def __str__(self) -> str:
        """The address as messages show it: `localhost:8500 (gRPC)`."""
        protocol = "gRPC" if self.is_grpc else "REST"
        return f"{self.netloc}{self.prefix} ({protocol})"


def parse_url(url: str) -> Address:
    """Takes a server's URL apart.

    Args:
        url: `grpc://host:port[/prefix]`, `grpcs://…`, `http://…`, `https://…`,
            or `unix:///path` for gRPC over a socket. Without a port it is
            8500 for gRPC and 8501 for REST.

    Raises:
        TypeError: `url` is not a string.
        ValueError: `url` is not of one of these forms.
    """
    if not isinstance(url, str):
        raise TypeError(
            f"`url` must be a string such as {_EXAMPLES}. Received: {url!r} "
            f"of type {type(url).__name__}"
        )
    received = f"Received: url={url!r}"
    if "://" not in url:
        raise ValueError(
            f"`url` must say the protocol: `grpc://{url}` or `http://{url}`? "
            f"{received}"
        )
    if url.lower().startswith(_UNIX):
        path = url[len(_UNIX) :]
        if not path.startswith("/") or not path.isprintable():
            raise ValueError(
                "`url` must have the absolute path of a socket after "
                f"`unix://`, as in `unix:///run/model.sock`. {received}"
            )
        return Address("unix", path)
    try:
        parts = urlsplit(url)
        port = parts.port
        # Labels that are empty or too long are no host to either library.
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise ValueError(
            f"`url` is not a URL ({error}). Expected {_EXAMPLES}. {received}"
        ) from error
    if parts.scheme not in _PORTS:
        raise ValueError(
            f"`url` must begin with `grpc://`, `grpcs://`, `http://`, "
            f"`https://` or `unix://`, as in {_EXAMPLES}. {received}"
        )
    if not parts.hostname or port == 0:
        raise ValueError(
            f"`url` must name a host and a port above 0 (or none), as in "
            f"{_EXAMPLES}. {received}"
        )
    if "@" in parts.netloc:
        # The URL is in every message; a password must not be.
        raise ValueError(
            "`url` must not hold a user or password. Pass "
            "`headers={'Authorization': …}` instead."
        )
    prefix = parts.path.rstrip("/")
    if parts.query or parts.fragment:
        raise ValueError(
            f"`url` must end after the host, port and path, as in "
            f"{_EXAMPLES}. {received}"
        )
    if prefix.startswith("/v1"):
        raise ValueError(
            "`url` must end before `/v1`; the model goes into `model_name`. "
            f"{received}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(
        scheme=parts.scheme,
        netloc=f"{host}:{port or _PORTS[parts.scheme]}",
        prefix=prefix,
    )
