"""Many requests at once: `python flooding.py URL COUNT BODY` posts a JSON body so many times, and prints what came back.

A program of its own, which lets everybody else go first: it shares its cores with the server that it floods.
Its connections are open before it says `ready`, and it begins at the next line of its standard input. Each line
printed then is a status and the header Retry-After.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx


@contextmanager
def flood_of(url: str, count: int, body: Any) -> Iterator[Callable[[], Counter[str]]]:
    """What lets the flood go; how often each answer came: `200`, or a status and its Retry-After, such as `503 1`."""
    command = [sys.executable, __file__, url, str(count), json.dumps(body)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def go() -> Counter[str]:
            told, _ = process.communicate("go\n", timeout=120)
            return Counter(line.strip() for line in told.splitlines())

        yield go


async def main(url: str, count: str, body: str) -> None:
    os.nice(19)
    limits = httpx.Limits(max_connections=int(count), max_keepalive_connections=int(count))
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        await asyncio.gather(*(client.get(urljoin(url, "/api/health")) for _ in range(int(count))))
        print("ready", flush=True)  # noqa: T201 - what this program is for
        await asyncio.to_thread(sys.stdin.readline)
        requests = (client.post(url, json=json.loads(body)) for _ in range(int(count)))
        for answer in await asyncio.gather(*requests):
            print(answer.status_code, answer.headers.get("retry-after", ""))  # noqa: T201 - as above


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
