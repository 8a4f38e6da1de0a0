"""Where a request comes from, behind proxies that are trusted to say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IP = IPv4Address | IPv6Address


def client_ip(peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[str], *, leftmost: bool) -> str:
    """The caller's address: the TCP peer, or what a trusted header says.

    The first trusted header that is there counts, in its last occurrence; of the
    addresses in it the rightmost valid one, or the leftmost. IPv6 is written out in full.
    """
    if trusted:
        told = _from_headers(headers, trusted, leftmost=leftmost)
        if told is not None:
            return told.exploded
    known = _parse(peer)
    return known.exploded if known else peer


def is_listed(address: str, listed: Sequence[str]) -> bool:
    """Whether an address is one of, or inside one of, the listed addresses and networks."""
    known = _parse(address)
    return known is not None and any(known in network for network in _networks(tuple(listed)))


def network_of(address: str) -> str:
    """What one caller has of addresses: one of IPv4, and of IPv6, written out in full, a whole /64."""
    return address[:19] if ":" in address else address


def _from_headers(headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[str], *, leftmost: bool) -> IP | None:
    found = {name: value for name, value in headers}  # noqa: C416 - the last occurrence wins, which is the point
    for name in trusted:
        value = found.get(name.lower().encode("latin-1", "replace"))
        if value is not None:
            parts = value.decode("latin-1").split(",")
            known = (_parse(part.strip()) for part in (parts if leftmost else reversed(parts)))
            address = next((address for address in known if address is not None), None)
            if address is not None:
                return address
    return None


@lru_cache(maxsize=1024)
def _parse(text: str) -> IP | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@lru_cache(maxsize=16)
def _networks(listed: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text, strict=False) for text in listed)
