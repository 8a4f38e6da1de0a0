"""The sockets that a server listens on, had before anything else is touched."""

from __future__ import annotations

import errno
import socket
from typing import Final

from undercroft.config import Address
from undercroft.errors import Problem

BACKLOG: Final = 2048


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


def listen(address: Address) -> socket.socket:
    """A socket that listens there; on a free port in the place of port 0. Raises `PortTaken` and `CannotListen`."""
    return _open(address, is_one_of_many=False)


def listen_beside(address: Address) -> socket.socket:
    """One of several sockets on an address, among which the kernel shares out who connects.

    Raises `CannotListen`, and `PortTaken` where only one socket can be there.
    """
    return _open(address, is_one_of_many=True)


def address_of(listener: socket.socket, asked: Address) -> Address:
    """The address as it was asked for, with the port that was found for port 0."""
    return Address(asked.host, listener.getsockname()[1])


def _open(address: Address, *, is_one_of_many: bool) -> socket.socket:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Connections inherit it. Without, the end of an answer in pieces waits 40 ms for the client's receipt.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_one_of_many:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(target)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(address) from error
        raise CannotListen(address, error.strerror or str(error)) from error
    return listener
