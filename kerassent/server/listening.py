"""Addresses and ports: what is bound, and what is said if it can't be."""

import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

from kerassent.contract import LOCALHOST, LOOPBACK
from kerassent.errors import ServingError

MAX_PORT: Final = 65535
# Of each port. One waits for each request, and batches want many at a time.
THREADS: Final = max(64, 4 * (os.cpu_count() or 1))


def make_url(scheme: str, host: str, port: int) -> str:
    """Returns a URL under which a server is reached from this machine.

    Args:
        scheme: `"grpc"` or `"http"`.
        host: The address that is bound.
        port: The port.
    """
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1", LOCALHOST: LOOPBACK}.get(  # noqa: S104
        host, host
    )
    if ":" in reachable:
        reachable = f"[{reachable}]"
    return f"{scheme}://{reachable}:{port}"


def all_hosts(host: str) -> tuple[str, ...]:
    """Returns the addresses to bind: both families' for `"localhost"`.

    Args:
        host: What was asked for.
    """
    return (LOOPBACK, "::1") if host == LOCALHOST else (host,)


def listen(host: str, port: int, argument: str) -> socket.socket:
    """Returns a listening socket.

    Args:
        host: The address to bind.
        port: The port; 0 takes a free one.
        argument: The argument's name, for the message.

    Raises:
        ServingError: If there is no such address, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServingError(
            f"`host` is {host!r}, which is no address of this machine "
            f"({error}). Pass '127.0.0.1', or '0.0.0.0' for all interfaces."
        ) from error
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Two sockets may be bound to one port as long as none listens.
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"Port {port} on {host} is in use. Stop the server that "
                f"listens there, or pass another `{argument}` (0 takes a "
                "free one)."
            ) from error
        raise ServingError(
            f"`{argument}` {port} on {host!r} cannot be opened: "
            f"{error.strerror}."
        ) from error
    return bound


def listen_all(
    hosts: Sequence[str], port: int, argument: str
) -> list[socket.socket]:
    """Returns a socket for each host, all on one port.

    Args:
        hosts: The addresses; one of two may be missing on this machine.
        port: The port; 0 takes a free one.
        argument: The argument's name, for the message.

    Raises:
        ServingError: If the first cannot be opened.
    """
    opened = [listen(hosts[0], port, argument)]
    for host in hosts[1:]:
        try:
            opened.append(listen(host, opened[0].getsockname()[1], argument))
        except ServingError:
            # A machine without IPv6, say, has the first.
            continue
    return opened


def check_ports(host: str, port: int, rest_api_port: int | None) -> None:
    """Raises unless both ports can be opened.

    Args:
        host: The address to bind.
        port: The gRPC port; 0 takes a free one.
        rest_api_port: The HTTP port, or `None`.

    Raises:
        ServingError: If one cannot be opened.
        TypeError: If one is no integer.
        ValueError: If one is no port, or both are the same.
    """
    ports = {"port": port, "rest_api_port": rest_api_port}
    for name, number in ports.items():
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(
                f"`{name}` must be an integer, 0 for a free port. Received: "
                f"{number!r} of type {type(number).__name__}"
            )
        if not 0 <= number <= MAX_PORT:
            raise ValueError(
                f"`{name}` is {number!r}. Pass a number from 1 to {MAX_PORT}, "
                "or 0 for a free one."
            )
    if port and port == rest_api_port:
        raise ValueError(
            f"`port` and `rest_api_port` are both {port}. gRPC and "
            "HTTP need a port each: pass two different numbers, or 0 for a "
            "free one."
        )
    for name, number in ports.items():
        if number is not None:
            for opened in listen_all(all_hosts(host), number, name):
                opened.close()
