"""Keys turned under a server that is asked all the time, by somebody who knows what the answers must be.

A drill fills a collection, starts the server as a program of its own, asks it at a steady rate whatever it
answers, has a key of the encrypted field turned, kills the server on the way as often as it is to, and in the
end compares every record, and counts what is left under the old key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal
from urllib.parse import quote

from network import free_port
from program import COMMAND, wait_for
from roots import environment

from undercroft import testing
from undercroft.app import close_backend, open_backend
from undercroft.collections.cipher import value_scope
from undercroft.collections.seals import cell_name
from undercroft.encryption.values import key_prefix
from undercroft.ids import record_id
from undercroft.keys.changing import SetOf
from undercroft.keys.rotation import rotate_key
from undercroft.records.cipher import stored_columns
from undercroft.records.index_turning import turn_index

PEOPLE = "/api/collections/people/records"
OPEN = {f"{action}Rule": "" for action in ("list", "view", "create", "update", "delete")}
COLLECTION = {
    "name": "people",
    "type": "base",
    "fields": [
        {"name": "mail", "type": "email", "encrypted": {"search": "equality", "normalize": "email"}},
        {"name": "about", "type": "text"},
    ],
    "indexes": ["CREATE UNIQUE INDEX one_mail ON people (mail)"],
    **OPEN,
}
CONNECTIONS = 24
MIX = {"view": 40, "find": 20, "list": 10, "update": 15, "create": 5, "delete": 5, "clash": 5}
WRITES = frozenset({"update", "create", "delete"})


class Cut(Exception):
    """The connection ended before the answer."""


@dataclass
class Known:
    """What a record must be: one of these addresses; None stands for no record. More than one after a write was cut."""

    mails: set[str | None]
    written: int = 0
    is_busy: bool = False


@dataclass
class Seen:
    """What came of a drill."""

    requests: int = 0
    cut: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=lambda: {"read": [], "write": []})
    kinds: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def p(self, kind: str, share: float) -> float:
        """How many milliseconds only the slowest took longer than."""
        sorted_waits = sorted(self.waits[kind])
        return sorted_waits[min(int(len(sorted_waits) * share), len(sorted_waits) - 1)] * 1000 if sorted_waits else 0.0


@dataclass(frozen=True)
class Plan:
    """What is drilled: how many records, asked how often a second, killed how often; `what` is turned."""

    what: Literal["value", "index"] = "value"
    rows: int = 1500
    rate: float = 60.0
    kills: int = 0
    workers: int = 1
    most: float = 0.0
    """Rows a second that the work may take, so that it lasts as long as the kills; 0 for any number."""
    before: float = 1.0
    """Seconds of asking before anything is turned."""
    limit: float = 120.0
    """Seconds after which it must be done."""


@dataclass
class Figures:
    """What a drill came to."""

    plan: Plan
    seen: Seen
    usual: Seen
    seconds: float = 0.0
    turned: int = 0
    left: int = 0
    records: int = 0
    starts: list[float] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The figures, for people."""
        plan, seen, usual = self.plan, self.seen, self.usual
        yield f"turned the key of the {plan.what}: {self.turned:,} rows in {self.seconds:.1f} s, {self.rate:,.0f} rows/s"
        asked = ", ".join(f"{count:,} {kind}" for kind, count in sorted((usual.kinds + seen.kinds).items()))
        yield f"asked {usual.requests + seen.requests:,} times at {plan.rate:g} a second: {asked}"
        yield f"failed {len(usual.failed) + len(seen.failed)}, wrong {len(usual.wrong) + len(seen.wrong)}"
        yield f"kills {seen.kills}, requests cut by them {seen.cut}"
        for kind in ("read", "write"):
            before, during = (f"p50 {each.p(kind, 0.5):.1f} p99 {each.p(kind, 0.99):.1f} ms" for each in (usual, seen))
            yield f"{kind}s before {before}; during {during}"
        if self.starts:
            yield f"restarts {len(self.starts)}, at most {max(self.starts):.1f} s until the first answer"
        yield f"records in the end {self.records:,}, cells under the old key {self.left}"

    @property
    def rate(self) -> float:
        """Rows a second, over all."""
        return self.turned / self.seconds if self.seconds else 0.0


@dataclass
class Line:
    """A connection that stays open from one request to the next."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Let go of it."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def run_drill(plan: Plan, folder: Path, database: str, seed: int) -> Figures:
    """Drill from beginning to end."""
    drill = Drill(folder, database, seed, rows=plan.rows, rate=plan.rate, workers=plan.workers)
    figures = Figures(plan, drill.seen, Seen())
    await drill.fill()
    await drill.start()
    stop = asyncio.Event()
    asking = asyncio.create_task(drill.ask_on(stop))
    try:
        await drill.sign_in()
        await asyncio.sleep(plan.before)
        figures.usual, drill.seen = drill.seen, figures.usual
        figures.seen = drill.seen
        await _turn_on(drill, plan, figures)
    finally:
        stop.set()
        drill.resume()
        await asyncio.gather(asking)
    figures.records = await drill.compare()
    await drill.stop()
    for key_id in drill.old_keys:
        figures.left += await drill.count_cells(key_id)
    return figures


async def _turn_on(drill: Drill, plan: Plan, figures: Figures) -> None:
    """Turn keys until it was done once at least, and the server was killed as often as it was to be."""
    async with asyncio.timeout(plan.limit):
        while not figures.turned or drill.seen.kills < plan.kills:
            await drill.turn(plan.what)
            await drill.limit(plan.most)
            began = time.perf_counter()
            killing = asyncio.create_task(_kill_on(drill, plan.kills - drill.seen.kills, figures))
            row = await drill.wait_for_work()
            killing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killing
            figures.seconds += time.perf_counter() - began
            figures.turned += row["done"]


async def _kill_on(drill: Drill, kills: int, figures: Figures) -> None:
    """Kill the server at random moments, and start it again at once."""
    for _ in range(kills):
        await asyncio.sleep(drill.chance.uniform(0.2, 2.0))
        await asyncio.shield(_kill_once(drill, figures))


async def _kill_once(drill: Drill, figures: Figures) -> None:
    await drill.kill()
    figures.starts.append(await drill.start())


class Drill:
    """One run; `database` is the URL of a PostgreSQL database, or empty."""

    def __init__(self, folder: Path, database: str, seed: int, *, rows: int, rate: float, workers: int = 1) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.database = database
        self.chance = Random(seed)
        self.rows = rows
        self.rate = rate
        self.workers = workers
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""
        self.known: dict[str, Known] = {}
        self.ids: list[str] = []
        self.seen = Seen()
        self._lines: list[Line] = []
        self._up = asyncio.Event()
        self._number = 0
        self._moment = 0
        self.old_keys: list[int] = []
        self._what, self._wanted = "", 0

    # Preparing

    async def fill(self) -> None:
        """Make the collection and its records, without a server."""
        with self._environment():
            async with testing.client(self.data, self.database) as client:
                root = await client.superuser()
                answer = await client.post("/api/collections", COLLECTION, as_=root)
                assert answer.status == 200, answer.text
                await self._insert(client.backend)

    async def _insert(self, backend: Any) -> None:
        people, dialect = backend.catalog.collection("people"), backend.engine.dialect
        names = ", ".join(dialect.quote(column.name) for column in people.columns)
        marks = ", ".join(dialect.placeholder(n) for n in range(1, len(people.columns) + 1))
        sql = f"INSERT INTO people ({names}) VALUES ({marks})"
        for start in range(0, self.rows, 1000):
            made = [(record_id(), self._next_mail()) for _ in range(start, min(start + 1000, self.rows))]
            rows = [
                list(stored_columns(people, key, {"id": key, "mail": mail, "about": "x" * 40}).values())
                for key, mail in made
            ]

            async def add(tx: Any, rows: list[Any] = rows) -> None:
                for row in rows:
                    await tx.run(sql, row)

            await backend.engine.write(add)
            self.known |= {key: Known({mail}) for key, mail in made}
        self.ids = list(self.known)

    def _next_mail(self) -> str:
        self._number += 1
        return f"person{self._number}@example.com"

    # The server

    async def start(self) -> float:
        """Start the server; the seconds until it answered."""
        began = time.perf_counter()
        await asyncio.to_thread(self._start)
        self._up.set()
        return time.perf_counter() - began

    def _start(self) -> None:
        workers = ["--workers", str(self.workers)] if self.workers > 1 else []
        place = ["--dir", "data", *(["--database", self.database] if self.database else [])]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", "--http", f"127.0.0.1:{self.port}", *workers, *place],
                cwd=self.folder,
                env=os.environ | self._secrets,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.port, self.process)

    async def kill(self) -> None:
        """Kill every process of the server at once."""
        assert self.process is not None
        self._up.clear()
        os.killpg(self.process.pid, signal.SIGKILL)
        await asyncio.to_thread(self.process.wait)
        self.seen.kills += 1

    async def stop(self) -> None:
        """End the server in order."""
        for line in self._lines:
            await line.close()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            await asyncio.to_thread(self.process.wait)

    @property
    def _secrets(self) -> dict[str, str]:
        return environment() if self.database else {}

    @contextlib.contextmanager
    def _environment(self) -> Any:
        before = {name: os.environ.get(name) for name in self._secrets}
        os.environ.update(self._secrets)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)

    # Asking

    async def call(self, method: str, path: str, body: Any = None, *, as_root: bool = False) -> tuple[int, Any]:
        """The status and the JSON of an answer. Raises `Cut`."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        head += "Content-Type: application/json\r\n" if content else ""
        head += f"Authorization: {self.token}\r\n" if as_root else ""
        line = await self._line()
        try:
            line.writer.write(head.encode() + b"\r\n" + content)
            answer = await asyncio.wait_for(_read_answer(line.reader), 60)
        except (OSError, EOFError, TimeoutError) as error:
            await line.close()
            raise Cut(repr(error)) from error
        self._lines.append(line)
        return answer

    async def _line(self) -> Line:
        while self._lines:
            line = self._lines.pop()
            if not line.reader.at_eof():
                return line
            await line.close()
        try:
            return Line(*await asyncio.open_connection("127.0.0.1", self.port))
        except OSError as error:
            raise Cut(repr(error)) from error

    async def sign_in(self) -> None:
        """Get the token of the superuser."""
        path = "/api/collections/_superusers/auth-with-password"
        status, answer = await self.call(
            "POST", path, dict(zip(("identity", "password"), testing.SUPERUSER, strict=True))
        )
        assert status == 200, answer
        self.token = answer["token"]

    async def work(self) -> list[dict[str, Any]]:
        """The rows of work that the server tells of."""
        status, answer = await self.call("GET", "/api/encryption/work", as_root=True)
        assert status == 200, answer
        return answer

    async def ask_on(self, until: asyncio.Event) -> None:
        """Ask at the rate, whatever is answered, until told to stop."""
        asked: set[asyncio.Task[None]] = set()
        next_at = time.perf_counter()
        kinds, weights = list(MIX), list(MIX.values())
        while not until.is_set():
            await self._up.wait()
            (kind,) = self.chance.choices(kinds, weights)
            if len(asked) < CONNECTIONS:
                task = asyncio.create_task(self._ask(kind))
                asked.add(task)
                task.add_done_callback(asked.discard)
            next_at = max(next_at + 1 / self.rate, time.perf_counter() - 0.5)
            await asyncio.sleep(max(0.0, next_at - time.perf_counter()))
        await asyncio.gather(*asked)

    async def _ask(self, kind: str) -> None:
        key = self.chance.choice(self.ids)
        known = self.known[key]
        if known.is_busy:
            return
        known.is_busy = kind != "list"
        try:
            if len(known.mails) > 1:
                await self._settle(key, known)
            began, self.seen.requests = time.perf_counter(), self.seen.requests + 1
            self.seen.kinds[kind] += 1
            await getattr(self, f"_{kind}")(key, known)
            self.seen.waits["write" if kind in WRITES else "read"].append(time.perf_counter() - began)
        except Cut:
            self.seen.cut += 1
        finally:
            known.is_busy = False

    async def _settle(self, key: str, known: Known) -> None:
        """Find out what came of a write that was cut."""
        status, answer = await self.call("GET", f"{PEOPLE}/{key}")
        mail = answer.get("mail") if status == 200 else None
        if (status not in (200, 404)) or mail not in known.mails:
            self.seen.wrong.append(f"{key} is {status} {mail!r} after a cut, not one of {known.mails}")
        known.mails = {mail}

    async def _view(self, key: str, known: Known) -> None:
        (mail,) = known.mails
        status, answer = await self.call("GET", f"{PEOPLE}/{key}")
        if status != (404 if mail is None else 200):
            self._fail("view", status, answer)
        elif mail is not None and answer["mail"] != mail:
            self.seen.wrong.append(f"view {key}: {answer['mail']!r}, not {mail!r}")

    async def _find(self, key: str, known: Known) -> None:
        (mail,) = known.mails
        text = quote(f"mail = '{_spelled(mail or 'nobody@example.com', self.chance)}'")
        status, answer = await self.call("GET", f"{PEOPLE}?filter={text}&skipTotal=1")
        found = [item["id"] for item in answer.get("items", [])]
        if status != 200:
            self._fail("find", status, answer)
        elif found != ([] if mail is None else [key]):
            self.seen.wrong.append(f"find {mail!r}: {found}, not {key}")

    async def _list(self, key: str, _: Known) -> None:
        """A page from anywhere, as those ask who go on from what they saw last."""
        text, began = quote(f"id > '{key}'"), self._moment
        status, answer = await self.call("GET", f"{PEOPLE}?filter={text}&skipTotal=1&sort=id")
        if status != 200:
            self._fail("list", status, answer)
            return
        for item in answer["items"]:
            known = self.known.get(item["id"])
            is_sure = known is not None and not known.is_busy and known.written <= began and len(known.mails) == 1
            if is_sure and known.mails != {item["mail"]}:
                self.seen.wrong.append(f"list {item['id']}: {item['mail']!r}, not {known.mails}")

    async def _update(self, key: str, known: Known) -> None:
        mail = self._next_mail()
        after, expected = ({None}, 404) if known.mails == {None} else ({mail}, 200)
        await self._write(known, after, expected, "PATCH", f"{PEOPLE}/{key}", {"mail": mail})

    async def _create(self, _: str, __: Known) -> None:
        made, mail = record_id(), self._next_mail()
        fresh = self.known[made] = Known({None}, is_busy=True)
        self.ids.append(made)
        try:
            await self._write(fresh, {mail}, 200, "POST", PEOPLE, {"id": made, "mail": mail, "about": "new"})
        finally:
            fresh.is_busy = False

    async def _delete(self, key: str, known: Known) -> None:
        expected = 404 if known.mails == {None} else 204
        await self._write(known, {None}, expected, "DELETE", f"{PEOPLE}/{key}")

    async def _clash(self, _: str, known: Known) -> None:
        """Make a second one of an address: refused, always."""
        (mail,) = known.mails
        if mail is None:
            return
        body = {"mail": _spelled(mail, self.chance), "about": "second"}
        status, answer = await self.call("POST", PEOPLE, body)
        code = answer.get("data", {}).get("mail", {}).get("code") if isinstance(answer, dict) else None
        if status == 200:
            self.seen.wrong.append(f"a second record with {mail!r}")
        elif code != "validation_not_unique":
            self._fail("clash", status, answer)

    async def _write(self, known: Known, after: set[str | None], expected: int, *request: Any) -> None:
        known.written = self._moment = self._moment + 1
        before, known.mails = known.mails, known.mails | after
        status, answer = await self.call(*request)
        known.written = self._moment = self._moment + 1
        known.mails = after if status == expected else before
        if status != expected:
            self._fail(request[0], status, answer)

    def _fail(self, what: str, status: int, answer: Any) -> None:
        self.seen.failed.append(f"{what}: {status} {json.dumps(answer)[:300]}")

    def resume(self) -> None:
        """Let whoever waits for the server see that it is told to stop."""
        self._up.set()

    # Turning, and looking at what came of it

    async def turn(self, what: Literal["value", "index"]) -> None:
        """Turn a key, beside the server."""
        if what == "index":
            self._what, self._wanted = "index", await self.turn_index()
        else:
            old, self._wanted = await self.turn_key()
            self._what = "reseal"
            self.old_keys.append(old)

    async def limit(self, most: float) -> None:
        """Have the work that was last begun take no more than so many rows a second."""
        row = None
        while most and row is None:
            row = next((row for row in await self.work() if self._is_last(row)), None)
        if row is not None:
            path = f"/api/encryption/work/{row['id']}"
            status, answer = await self.call("PATCH", path, {"mostRowsPerSecond": most}, as_root=True)
            assert status == 200 or row["state"] == "done", answer

    def _is_last(self, row: dict[str, Any]) -> bool:
        return (row["kind"], row["number"]) == (self._what, self._wanted)

    async def wait_for_work(self) -> dict[str, Any]:
        """Wait until the work that was last begun is done; its row."""
        while True:
            await self._up.wait()
            with contextlib.suppress(Cut):
                for row in await self.work():
                    is_it = self._is_last(row)
                    assert not is_it or row["state"] not in ("failed", "paused"), row
                    if is_it and row["state"] == "done":
                        return row
            await asyncio.sleep(0.1)

    async def turn_key(self) -> tuple[int, int]:
        """Turn the key of the values, as the command does, beside the server; the old and the new one."""
        with self._environment():
            backend = await open_backend(self.data, self.database)
            try:
                people = backend.catalog.collection("people")
                scope = value_scope(people.id, people.by_name["mail"].id)
                done = await rotate_key(SetOf(backend.engine, backend.keyring, "value", scope))
                return done.old_id, done.new_id
            finally:
                await close_backend(backend)

    async def turn_index(self) -> int:
        """Turn the key of the index, beside the server; the number of the new one."""
        with self._environment():
            backend = await open_backend(self.data, self.database)
            try:
                people = backend.catalog.collection("people")
                return (await turn_index(backend, people.id, people.by_name["mail"].id)).new
            finally:
                await close_backend(backend)

    async def compare(self) -> int:
        """Compare every record with what it must be; how many there are."""
        found: dict[str, str] = {}
        last = ""
        while True:
            text = quote(f"id > '{last}'")
            status, answer = await self.call("GET", f"{PEOPLE}?perPage=1000&sort=id&skipTotal=1&filter={text}")
            assert status == 200, answer
            if not answer["items"]:
                break
            found |= {item["id"]: item["mail"] for item in answer["items"]}
            last = answer["items"][-1]["id"]
        for key, known in self.known.items():
            if found.get(key) not in known.mails:
                self.seen.wrong.append(f"in the end {key} is {found.get(key)!r}, not one of {known.mails}")
        self.seen.wrong += [f"{key} is nobody's" for key in found.keys() - self.known.keys()]
        same = [mail for mail, count in Counter(map(str.lower, found.values())).items() if count > 1]
        self.seen.wrong += [f"{mail!r} is there more than once" for mail in same]
        for key in self.chance.sample(sorted(found), min(200, len(found))):
            await self._find(key, Known({found[key]}))
        return len(found)

    async def count_cells(self, key_id: int) -> int:
        """How many cells a key sealed."""
        with self._environment():
            backend = await open_backend(self.data, self.database)
            try:
                people, dialect = backend.catalog.collection("people"), backend.engine.dialect
                cell = dialect.quote(cell_name(people.by_name["mail"].id))
                sql = f"SELECT count(*) FROM people WHERE substr({cell}, 1, 5) = {dialect.placeholder(1, 'bytes')}"
                rows = await backend.engine.read(sql, [key_prefix(key_id)])
                return int(rows[0][0])
            finally:
                await close_backend(backend)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    lengths = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")]
    body = await reader.readexactly(lengths[0]) if lengths and lengths[0] else b""
    return int(lines[0].split()[1]), json.loads(body) if body else None


def _spelled(mail: str, chance: Random) -> str:
    return mail.upper() if chance.random() < 0.5 else mail
