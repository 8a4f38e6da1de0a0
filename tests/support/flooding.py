"""Many requests at once: `python flooding.py URL COUNT BODY` posts a JSON body so many times, and prints what came back.

A program of its own, which lets everybody else go first: it shares its cores with the server that it floods.
Each line printed is a status and the header Retry-After.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import httpx


def flood(url: str, count: int, body: Any) -> Counter[str]:
    """How often each answer came: `200`, or a status and its Retry-After, such as `503 1`."""
    command = [sys.executable, __file__, url, str(count), json.dumps(body)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
    return Counter(line.strip() for line in told.splitlines())


async def main(url: str, count: str, body: str) -> None:
    os.nice(19)
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=int(count)), timeout=60) as client:
        requests = (client.post(url, json=json.loads(body)) for _ in range(int(count)))
        for answer in await asyncio.gather(*requests):
            print(answer.status_code, answer.headers.get("retry-after", ""))  # noqa: T201 - what this program is for


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
