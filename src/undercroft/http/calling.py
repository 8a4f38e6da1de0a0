"""Calling other servers, where `http.outgoing` lets us; no redirect is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from undercroft.http.outgoing import OutgoingFailed, Reply, Target, find_target

SECONDS: Final = 5.0
LARGEST: Final = 1024 * 1024


async def post(url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[str] = ()) -> Reply:
    """Send a body; what was answered, whatever it says.

    `networks` are private ones that it may go to all the same, as `10.0.0.0/8`. Raises
    `OutgoingRefused` and `OutgoingFailed`.
    """
    # The client is large, and many servers never call another one.
    import httpx2  # noqa: PLC0415 - see above

    try:
        async with asyncio.timeout(SECONDS):
            target = await find_target(url, networks)
            return await _send(target, body, headers)
    except TimeoutError as error:
        raise OutgoingFailed(f"There was no answer within {SECONDS:g} seconds.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise OutgoingFailed(f"The server cannot be reached: {type(error).__name__}: {error}.") from error


async def _send(target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
    import httpx2  # noqa: PLC0415 - see `post`

    extensions = {"sni_hostname": target.name}
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=SECONDS) as client:
        sent = {**headers, "Host": target.host, "Accept-Encoding": "identity"}
        async with client.stream("POST", target.url, content=body, headers=sent, extensions=extensions) as answer:
            received = b""
            async for piece in answer.aiter_raw():
                received += piece
                if len(received) >= LARGEST:
                    break
            return Reply(answer.status_code, received[:LARGEST])
