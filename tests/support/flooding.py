"""Many who want the same at the same time, each on a connection of its own, and come back when they are told to.

Asking takes tens of microseconds: what floods a server shares its cores here, and is somewhere else in the world.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

MOST_TRIES = 20


class Person:
    """One of them, who is connected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def post(self, path: str, body: Any) -> list[str]:
        """What every try was answered: `200`, or a status and its Retry-After, such as `503 1`."""
        payload, answers = json.dumps(body).encode(), list[str]()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: flood\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}"
        )
        while True:
            self._writer.write(f"{head}\r\n\r\n".encode() + payload)
            answers.append(await self._hear())
            if not answers[-1].startswith("503 ") or len(answers) == MOST_TRIES:
                return answers
            await asyncio.sleep(int(answers[-1][4:]))

    async def _hear(self) -> str:
        told = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in told[1:] if line)
        await self._reader.readexactly(int(headers["content-length"]))
        return f"{told[0].split()[1]} {headers.get('retry-after', '')}".rstrip()

    def leave(self) -> None:
        """Let go of the connection."""
        self._writer.close()


@asynccontextmanager
async def crowd_at(address: str, count: int) -> AsyncIterator[list[Person]]:
    """So many people, all of them connected."""
    host, port = address.split(":")
    people = [Person(*await asyncio.open_connection(host, int(port))) for _ in range(count)]
    try:
        yield people
    finally:
        for person in people:
            person.leave()
