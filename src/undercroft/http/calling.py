"""Calling other servers, where `http.outgoing` lets us."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from ssl import SSLContext
from typing import Final
from urllib.parse import urljoin, urlsplit

from undercroft.http.outgoing import Call, OutgoingFailed, OutgoingRefused, Reply, Target, find_target

SECONDS: Final = 5.0
_REDIRECTS: Final = (301, 302, 303, 307, 308)


async def call(asked: Call) -> Reply:
    """What another server answers within five seconds, redirects that are followed included.

    Each redirect is looked at like the first URL. Raises `OutgoingRefused` and `OutgoingFailed`.
    """
    # The client is large, and many servers never call another one.
    import httpx2  # noqa: PLC0415 - see above

    try:
        async with asyncio.timeout(SECONDS):
            return await _follow(asked)
    except TimeoutError as error:
        raise OutgoingFailed(f"There was no answer within {SECONDS:g} seconds.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        raise OutgoingFailed(f"The server cannot be reached: {type(error).__name__}: {error}.") from error


async def post(url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[str] = ()) -> Reply:
    """Send a body; what was answered, whatever it says. No redirect is followed.

    `networks` are private ones that it may go to all the same, as `10.0.0.0/8`. Raises
    `OutgoingRefused` and `OutgoingFailed`.
    """
    return await call(Call(url, "POST", headers, body, networks))


async def _follow(asked: Call) -> Reply:
    reply = await _reach(asked)
    for _ in range(asked.redirects):
        if reply.number not in _REDIRECTS or not reply.location:
            break
        asked = _redirected(asked, reply.location)
        reply = await _reach(asked)
    return reply


def _redirected(asked: Call, location: str) -> Call:
    try:
        url = urljoin(asked.url, location)
        is_same = urlsplit(url)[:2] == urlsplit(asked.url)[:2]
    except ValueError as error:
        raise OutgoingRefused(f"It points to {location[:200]!r}, which is no URL.") from error
    return replace(asked, url=url) if is_same else replace(asked, url=url, networks=(), headers={})


async def _reach(asked: Call) -> Reply:
    """The answer of the first address that can be reached."""
    import httpx2  # noqa: PLC0415 - see `call`

    target = await find_target(asked.url, asked.networks)
    for url in target.urls[:-1]:
        try:
            return await _send(asked, target, url)
        except httpx2.ConnectError:
            continue
    return await _send(asked, target, target.urls[-1])


async def _send(asked: Call, target: Target, url: str) -> Reply:
    import httpx2  # noqa: PLC0415 - see `call`

    extensions = {"sni_hostname": target.name}
    headers = {"User-Agent": "Undercroft", **asked.headers, "Host": target.host, "Accept-Encoding": "identity"}
    trust = await asyncio.to_thread(_trust)
    async with httpx2.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=SECONDS) as client:
        request = client.stream(asked.method, url, content=asked.body, headers=headers, extensions=extensions)
        async with request as answer:
            received = b""
            async for piece in answer.aiter_raw():
                received += piece
                if len(received) > asked.largest:
                    break
            location = answer.headers.get("location", "")
            return Reply(answer.status_code, received[: asked.largest], location, is_cut=len(received) > asked.largest)


@cache
def _trust() -> SSLContext:
    """Whose certificates are believed; reading them takes a tenth of a second."""
    import httpx2  # noqa: PLC0415 - see `call`

    return httpx2.create_ssl_context(trust_env=False)
