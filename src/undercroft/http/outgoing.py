"""Where requests to other servers may go: to addresses on the internet, and networks that are named.

A name is resolved once, every address it has is looked at, and one of these is what is connected
to: so neither a strange spelling nor a name that means something else a moment later leads into
this machine, its network, or the metadata service of its cloud.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final, Protocol
from urllib.parse import urlsplit

from undercroft.errors import Problem
from undercroft.http.addresses import Address, is_public

LARGEST: Final = 1024 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class OutgoingRefused(Problem):
    """A request would go where none of ours may go."""

    code = "outgoing_refused"


class OutgoingFailed(Problem):
    """Another server could not be reached, or did not answer in time."""

    code = "outgoing_failed"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the URL with an address in place of the name, for each it has, and the name."""

    urls: Sequence[str]
    host: str
    name: str

    @property
    def url(self) -> str:
        """The first of the URLs."""
        return self.urls[0]


@dataclass(frozen=True, slots=True)
class Call:
    """A request to another server.

    `networks` are private ones that it may go to all the same, as `10.0.0.0/8`; a redirect that
    leaves the host of `url` leaves them as well. At most `largest` bytes of the answer are read.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    networks: Sequence[str] = ()
    largest: int = LARGEST
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What another server answered: its number, where it points to, and its body, which may be cut."""

    number: int
    body: bytes
    location: str = ""
    is_cut: bool = False


class Caller(Protocol):
    """What calls other servers: `http.calling.call` is one."""

    async def __call__(self, asked: Call) -> Reply:
        """What was answered, whatever it says. Raises `OutgoingRefused` and `OutgoingFailed`."""
        ...


async def find_target(url: str, networks: Sequence[str] = ()) -> Target:
    """Where a URL leads. Raises `OutgoingRefused` where nothing of ours may go, and `OutgoingFailed`."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise OutgoingRefused(f"{url[:200]!r} is no URL.") from error
    if parts.scheme not in _PORTS or not name or parts.username is not None or parts.password is not None:
        raise OutgoingRefused(f"{url[:200]!r} must begin with http:// or https://, and have a host and no password.")
    addresses = await _resolve(name, port)
    allowed = [ip_network(network) for network in networks]
    for address in addresses:
        if not (is_public(address) or any(address in network for network in allowed)):
            raise OutgoingRefused(f"{name[:200]!r} is at {address}, which is not on the internet.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    urls = [f"{parts.scheme}://{_shown(address)}:{port}{path}" for address in addresses]
    shown = f"[{name}]" if ":" in name else name
    return Target(urls, shown if port in _PORTS.values() else f"{shown}:{port}", name)


def _shown(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


async def _resolve(name: str, port: int) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutgoingFailed(f"{name[:200]!r} cannot be found.") from error
    return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
