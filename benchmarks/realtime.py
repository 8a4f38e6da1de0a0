"""What live updates cost: many who listen, many who are idle, and some who do not read.

    python benchmarks/realtime.py [fan] [idle] [stalled] [--subscribers 500 2000] [--events 20]

fan      so many subscribers hear so many events, here and at PocketBase: events a second, CPU for each delivered
         event, memory for each connection. Once as guests, who all hear the same, and once as fifty accounts
         under a rule.
idle     5,000 connections are held for a while, then everyone hears ten events.
stalled  100 clients never read while 1,500 events of 4 KB happen; ten others read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from servers import PASSWORD, ROOT, Server, all_servers
from world import make_world

PATH = "/api/collections/live/records"
ACCOUNTS = 50
HEAD = "GET /api/realtime HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n"


class Subscriber(asyncio.Protocol):
    """A connection that counts what it hears; `seen` is when it heard last."""

    def __init__(self, *, reads: bool = True) -> None:
        self.client_id = asyncio.get_running_loop().create_future()
        self.count = 0
        self.seen = 0.0
        self.is_open = False
        self._reads = reads
        self._text = b""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.is_open = transport, True
        transport.write(HEAD.encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False

    def data_received(self, data: bytes) -> None:
        if self.client_id.done():
            self.count += data.count(b"\ndata:")
            self.seen = time.perf_counter()
            return
        self._text += data
        if b"\n\n" in self._text:
            self.client_id.set_result(json.loads(self._text.partition(b"data:")[2].partition(b"\n")[0])["clientId"])
            if not self._reads:
                self.transport.pause_reading()


@dataclass
class Run:
    """What a scenario needs of a server."""

    server: Server
    root: str
    tokens: list[str] = field(default_factory=lambda: [""])

    async def connect(self, count: int, *, reads: bool = True, topic: str = "live/*") -> list[Subscriber]:
        """So many who listen, each as the next of the accounts."""
        loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(50)

        async def one(number: int) -> Subscriber:
            async with gate:
                source = (f"127.0.0.{2 + number // 2000}", 0) if self.server.name == "undercroft" else None
                _, made = await loop.create_connection(
                    lambda: Subscriber(reads=reads), "127.0.0.1", self.server.port, local_addr=source
                )
                wish = {"clientId": await made.client_id, "subscriptions": [topic]}
                await self.post("/api/realtime", wish, self.tokens[number % len(self.tokens)], source)
                return made

        return list(await asyncio.gather(*(one(number) for number in range(count))))

    async def post(self, path: str, body: Any, token: str = "", source: Any = None) -> None:
        """One POST on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, local_addr=source)
        data = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: bench", "Connection: close", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(data)}", *([f"Authorization: {token}"] if token else []), "", ""]
        writer.write("\r\n".join(lines).encode() + data)
        answer = await reader.read()
        writer.close()
        if answer[9:10] != b"2":
            raise SystemExit(f"{self.server.name}: POST {path}: {answer[:300]!r}")

    async def wait(self, subscribers: Iterable[Subscriber], events: int, seconds: float = 60) -> float:
        """When the last of them had heard so many events."""
        waiting, until = list(subscribers), time.perf_counter() + seconds
        while waiting := [each for each in waiting if each.is_open and each.count < events]:
            if time.perf_counter() > until:
                print(f"  {len(waiting)} have not heard everything")
                break
            await asyncio.sleep(0.01)
        return time.perf_counter()


def main() -> None:
    options = parse_options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for work in options.works:
        asyncio.run(WORKS[work](options))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", default=["fan", "idle", "stalled"])
    parser.add_argument("--servers", nargs="+", default=["pocketbase", "undercroft"])
    parser.add_argument("--subscribers", nargs="+", type=int, default=[500, 2000])
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--burst", action="store_true", help="write all events at once, not one after the other")
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20, help="for which idle connections are held")
    return parser.parse_args()


async def fan(options: argparse.Namespace) -> None:
    """Many hear the same, as guests and as accounts."""
    per_event: dict[tuple[str, int, str], float] = {}
    for name in options.servers:
        for who in ("guests", "accounts"):
            for count in options.subscribers:
                with Started(name, who) as run:
                    per_event[name, count, who] = await fan_once(run, count, who, options.events, burst=options.burst)
    for (name, count, who), ours in per_event.items():
        if name == "undercroft" and (peer := per_event.get(("pocketbase", count, who))):
            print(f"{count} {who}: {ours / peer:.2f} of the peer's CPU for each event")


async def fan_once(run: Run, count: int, who: str, events: int, *, burst: bool) -> float:
    before = run.server.memory()
    subscribers = await run.connect(count)
    memory = (run.server.memory() - before) * 1024 / count
    cpu, began = run.server.cpu_seconds(), time.perf_counter()
    written = (run.post(PATH, {"title": f"Event {number}", "body": "x" * 200}, run.root) for number in range(events))
    if burst:
        await asyncio.gather(*written)
    else:
        for each in written:
            await each
    seconds = await run.wait(subscribers, events) - began
    spent = run.server.cpu_seconds() - cpu
    heard = sum(each.count for each in subscribers)
    micros = spent / heard * 1e6
    print(
        f"{run.server.name:10} {count:5} {who:8} {heard / seconds:9.0f} events/s  {micros:6.1f} us CPU each  "
        f"{memory:6.1f} KB a connection  {heard} of {count * events} heard  load {os.getloadavg()[0]:.1f}"
    )
    close(subscribers)
    return micros


async def idle(options: argparse.Namespace) -> None:
    """Many who wait, and then hear."""
    with Started("undercroft", "guests") as run:
        before = run.server.memory()
        subscribers = await run.connect(options.idle)
        memory, cpu = run.server.memory(), run.server.cpu_seconds()
        await asyncio.sleep(options.seconds)
        spent = run.server.cpu_seconds() - cpu
        is_open = sum(each.is_open for each in subscribers)
        began = time.perf_counter()
        for number in range(10):
            await run.post(PATH, {"title": f"Event {number}"}, run.root)
        seconds = await run.wait(subscribers, 10) - began
        print(
            f"{options.idle} idle: {is_open} open after {options.seconds:.0f} s, "
            f"{(memory - before) * 1024 / options.idle:.1f} KB each, {spent / options.seconds * 100:.1f} % of a core; "
            f"ten events heard by all {sum(each.count for each in subscribers)} times in {seconds:.2f} s"
        )
        close(subscribers)


async def stalled(options: argparse.Namespace) -> None:
    """Some who never read, and others who do; what the writes alone cost is told beside it."""
    del options
    for count in (0, 100):
        await stalled_once(count)


async def stalled_once(count: int) -> None:
    with Started("undercroft", "guests") as run:
        readers, sleepers = await run.connect(10), await run.connect(count, reads=False)
        before, worst = run.server.memory(), 0.0
        most = before
        for number in range(1500):
            began = time.perf_counter()
            await run.post(PATH, {"title": f"Event {number}", "body": "x" * 4096}, run.root)
            worst = max(worst, await run.wait(readers, number + 1) - began)
            if number % 50 == 0:
                most = max(most, run.server.memory())
        after = run.server.memory()
        print(
            f"{count} who never read, 1,500 events of 4 KB: memory grew by {max(most, after) - before:.1f} MB at most, "
            f"{after - before:.1f} MB in the end; readers heard {sum(each.count for each in readers)} of 15000, "
            f"the slowest {worst * 1000:.0f} ms after the write began"
        )
        close([*readers, *sleepers])


def close(subscribers: Iterable[Subscriber]) -> None:
    for each in subscribers:
        each.transport.abort()


class Started:
    """A server with the collection that is listened to, and who listens."""

    def __init__(self, name: str, who: str) -> None:
        self.server = all_servers()[name]
        self.who = who

    def __enter__(self) -> Run:
        server = self.server
        try:
            server.prepare(make_world(1))
            server.start()
            run = Run(server, self._sign_in("_superusers", ROOT))
            server.call("PATCH", "/api/settings", {"rateLimits": {"enabled": False}}, run.root)
            rule = '@request.auth.id != "" && title != ""' if self.who == "accounts" else ""
            fields = [{"name": name, "type": "text"} for name in ("title", "body")]
            server.call("POST", "/api/collections", {"name": "live", "listRule": rule, "fields": fields}, run.root)
            if self.who == "accounts":
                run.tokens = [self._account(number, run.root) for number in range(ACCOUNTS)]
        except BaseException:
            server.stop()
            raise
        return run

    def __exit__(self, *error: object) -> None:
        self.server.stop()

    def _account(self, number: int, root: str) -> str:
        email = f"listener{number}@example.com"
        body = {"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD}
        self.server.call("POST", "/api/collections/users/records", body, root)
        return self._sign_in("users", email)

    def _sign_in(self, collection: str, identity: str) -> str:
        body = {"identity": identity, "password": PASSWORD}
        answer = self.server.call("POST", f"/api/collections/{collection}/auth-with-password", body)
        token: str = answer["token"]
        return token


WORKS = {"fan": fan, "idle": idle, "stalled": stalled}

if __name__ == "__main__":
    main()
