"""Where a bucket of the settings may be: anywhere but at addresses that no storage has.

Settings are changed over HTTP. Somebody who has got hold of a superuser's token shall not
make this machine talk to the metadata service of its cloud, however the address is spelt. A
storage in the same network, or on the same machine, is what many people have.

A name can mean one address now and another a moment later. With TLS a server must prove
its name, so only without it the address that was looked at is the one that is asked.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from undercroft.files.s3_bucket import Bucket
from undercroft.files.store import StoreUnavailable
from undercroft.http.addresses import Address, carried

_METADATA: Final = ip_address("fd00:ec2::254")
_SECONDS: Final = 5.0


async def guarded(bucket: Bucket) -> Bucket:
    """The bucket, at an address that was looked at. Raises `StoreUnavailable` where no storage can be."""
    addresses = await _addresses(bucket)
    if any(map(is_forbidden, addresses)):
        raise StoreUnavailable("The file storage is not set up rightly: no storage is at its address.", 60)
    if bucket.endpoint.startswith("https://"):
        return bucket
    address, port = addresses[0], urlsplit(bucket.endpoint).port
    host = f"[{address}]" if address.version == 6 else str(address)
    return replace(bucket, endpoint=f"http://{host}" + (f":{port}" if port else ""), is_path_style=True)


async def _addresses(bucket: Bucket) -> list[Address]:
    parts = urlsplit(bucket.root if bucket.endpoint.startswith("https://") else bucket.endpoint)
    host, port = parts.hostname or "", parts.port or 443
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = "it cannot be found by its name"
        raise StoreUnavailable(f"The file storage is not available: {reason}. Try again.", 5) from error
    return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


def is_forbidden(address: Address) -> bool:
    """Whether no storage can be at an address: link-local (there are the metadata services), multicast, unspecified."""
    inner = carried(address)
    if inner is not None:
        return is_forbidden(inner)
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _METADATA
        or (address.is_reserved and not address.is_loopback)
        or (address.version == 4 and address in ip_network("0.0.0.0/8"))
    )
