"""Whether the address can be listened on, asked before anything else is touched."""

from __future__ import annotations

import errno
import socket

from undercroft.config import Address
from undercroft.errors import Problem


class PortTaken(Problem):
    """Another program listens there."""

    code = "port_taken"

    def __init__(self, address: Address) -> None:
        super().__init__(
            f"Port {address.port} on {address.host} is taken by another program: "
            "stop that one, or choose another port with --http HOST:PORT."
        )


class CannotListen(Problem):
    """The address is not ours, or not for us."""

    code = "cannot_listen"

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(
            f"Cannot listen on {address.host}:{address.port} ({reason}): choose another address with --http HOST:PORT."
        )


def check_port(address: Address) -> Address:
    """The address, with a free port in the place of port 0. Raises `PortTaken` and `CannotListen`."""
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            probe.listen(1)
            return Address(address.host, probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(address) from error
        raise CannotListen(address, error.strerror or str(error)) from error
