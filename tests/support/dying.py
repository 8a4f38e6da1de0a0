"""A backend that is killed at one step after another of what it does with files.

Run as a program: `python dying.py DIRECTORY DATABASE DEED`. It does the deed in a process
that kills itself at its first step, looks in another process at what is left, and so on
with the second step, the third, until one process comes to the end of the deed alive. A
step is anything that changes a file, and the beginning and the end of any transaction.
Each line printed is a JSON object: the step, where it was, and what was found wrong.
No file turns by itself meanwhile, so that the same steps come each time; those who look have it done.
DRILL_STRIDE=4 takes every fourth step only, beginning at a step of chance. With
UNDERCROFT_ENCRYPTED=1 the files are stored encrypted.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from stored import due, stored, waiting

from undercroft import testing
from undercroft.files.ledger import abandon_due
from undercroft.files.versions import split_version
from undercroft.records.file_turner import FileTurner
from undercroft.records.file_turning import GRACE_SECONDS, Turner
from undercroft.testing import File

SUPERUSER = testing.SUPERUSER
RECORDS = "/api/collections/things/records"
THINGS = {
    "name": "things",
    "type": "base",
    "fields": [
        {"name": "title", "type": "text", "max": 20},
        {"name": "docs", "type": "file", "maxSelect": 5, "maxSize": 1_000_000},
    ],
    "indexes": ["CREATE UNIQUE INDEX one_title ON things (title) WHERE title != ''"],
}
if os.environ.get("UNDERCROFT_ENCRYPTED"):
    THINGS["fields"][1]["encrypted"] = True
OTHERS = {"name": "others", "type": "base", "fields": [{"name": "pic", "type": "file"}]}
CHANGES = ("os.link", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree")
MOST = 200


class Death:
    """Ends the process without warning at a step; before it is armed nothing counts."""

    def __init__(self, step: int, folder: Path, report: Path) -> None:
        self.left = step
        self.is_armed = False
        self._folder = str(folder)
        self._report = report
        sys.addaudithook(self._hear)

    def watch(self, engine) -> None:
        """Count the transactions of an engine."""
        write = engine.write

        async def watched(operation, **options):
            self.step("before a transaction")
            result = await write(operation, **options)
            self.step("after a transaction")
            return result

        engine.write = watched

    def step(self, place: str) -> None:
        if not self.is_armed:
            return
        self.left -= 1
        if self.left == 0:
            self._report.write_text(place)
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_CREAT)):
            self.step(f"{event} {Path(str(arguments[0])).name}")


async def act(directory: str, database: str, deed: str, death: Death) -> None:
    """Make something to work on, and do the deed under the eyes of death."""
    async with testing.client(directory, database) as client:
        root = await client.login("_superusers", *SUPERUSER)
        record = await make(client, root)
        await client.backend.filing.settle()
        death.watch(client.backend.engine)
        death.is_armed = True
        answer = await DEEDS[deed](client, root, record)
        await client.backend.filing.settle()
        death.is_armed = False
        assert (answer.status >= 400) is (deed == "refuse"), answer.text


async def make(client, root):
    """A record with two files, in a collection that is made when it is missing."""
    if (await client.post("/api/collections", THINGS, as_=root)).status != 200:
        await client.patch("/api/collections/things", THINGS, as_=root)
    await client.post("/api/collections", OTHERS, as_=root)
    form = {"docs": [File("a.txt", b"a" * 300_000), File("b.txt", b"b")]}
    answer = await client.post(RECORDS, form=form, as_=root)
    assert answer.status == 200, answer.text
    await client.post("/api/collections/others/records", form={"pic": File("c.png", b"c")}, as_=root)
    return answer.json


async def create(client, root, record):
    form = {"docs": [File("n.txt", b"n" * 300_000), File("m.txt", b"m")]}
    return await client.post(RECORDS, form=form, as_=root)


async def refuse(client, root, record):
    """A create that the database refuses after its files were put."""
    await client.patch(f"{RECORDS}/{record['id']}", {"title": record["id"]}, as_=root)
    form = {"title": record["id"], "docs": File("n.txt", b"n")}
    return await client.post(RECORDS, form=form, as_=root)


async def replace(client, root, record):
    form = {"docs": [record["docs"][1], File("n.txt", b"n")]}
    return await client.patch(f"{RECORDS}/{record['id']}", form=form, as_=root)


async def delete(client, root, record):
    return await client.delete(f"{RECORDS}/{record['id']}", as_=root)


async def delete_collection(client, root, record):
    return await client.delete("/api/collections/things", as_=root)


async def drop_field(client, root, record):
    return await client.patch("/api/collections/things", {"fields": THINGS["fields"][:1]}, as_=root)


async def empty(client, root, record):
    return await client.delete("/api/collections/things/truncate", as_=root)


async def batch(client, root, record):
    await client.patch("/api/settings", {"batch": {"enabled": True}}, as_=root)
    requests = [
        {"method": "POST", "url": RECORDS, "body": {}},
        {"method": "DELETE", "url": f"{RECORDS}/{record['id']}"},
    ]
    form = {"@jsonPayload": json.dumps({"requests": requests}), "requests.0.docs": File("n.txt", b"n")}
    return await client.post("/api/batch", form=form, as_=root)


async def turn(client, root, record):
    """Encrypt the files that are there, or decrypt them."""
    title, docs = THINGS["fields"]
    fields = [title, docs | {"encrypted": not docs.get("encrypted", False)}]
    answer = await client.patch("/api/collections/things", {"fields": fields}, as_=root)
    await turn_files(client)
    return answer


async def turn_files(client):
    """Store all files as their field wants."""
    backend = client.backend
    things = backend.catalog.find("things")
    if things is not None:
        turner = Turner(backend.engine, backend.files, backend.staging, things, things.file_fields)
        turned = await turner.run(SimpleNamespace(begin=lambda *_: None, advance=lambda *_: None))
        assert turned.is_complete, turned


async def turn_nothing(turner):
    """What the server does about files that are to turn: nothing, in this program."""
    await asyncio.Event().wait()


DEEDS = {
    each.__name__: each for each in (create, refuse, replace, delete, delete_collection, drop_field, empty, batch, turn)
}


async def look(directory: str, database: str) -> list[str]:
    """What is wrong once a new server has had the time to clear away."""
    if database:
        await let_an_hour_pass(directory, database)
    async with testing.client(directory, database) as client:
        await until_clear(client)
        await turn_files(client)
        await let_grace_pass(client)
        await until_clear(client)
        root = await client.login("_superusers", *SUPERUSER)
        named = []
        for collection, field in (("things", "docs"), ("others", "pic")):
            answer = await client.get(f"/api/collections/{collection}/records", as_=root, perPage="500")
            for record in answer.json.get("items", []):
                value = record.get(field) or []
                names = value if isinstance(value, list) else [value]
                named += [f"{record['collectionId']}/{record['id']}/{name}" for name in names]
        wrong = [f"not served {key}" for key in named if (await client.get(f"/api/files/{key}")).status != 200]
        there = await stored(client)
        kept = [split_version(key).file for key in there]
        wrong += ["two versions of one file"] * (len(there) != len(set(kept)))
        keys = await client.backend.engine.read('SELECT "key" FROM "_sealed_files"')
        wrong += [f"key of no file {key}" for (key,) in keys if key not in kept]
        hidden = [path.name for path in (Path(directory) / "storage").glob("[!.]*/**/.*")]
        wrong += [f"orphan {key}" for key in sorted(set(kept) - set(named))]
        wrong += [f"missing {key}" for key in sorted(set(named) - set(kept))]
        wrong += [f"hidden {name}" for name in hidden]
        return wrong + [f"still due {key}" for key in await due(client)] + [f"waits {n}" for n in waiting(client)]


async def let_an_hour_pass(directory: str, database: str) -> None:
    """Where other servers may be at work, what is held is given up after an hour."""
    async with testing.client(directory, database) as client:

        async def pass_(tx):
            await tx.run('UPDATE "_files_due" SET "due" = "due" - 4000 WHERE "due" > 0')

        await client.backend.engine.write(pass_)


async def let_grace_pass(client) -> None:
    """Nobody reads any more what was there before files turned."""
    engine = client.backend.engine

    async def pass_(tx):
        mark = engine.dialect.placeholder(1, "number")
        await tx.run(f'UPDATE "_files_due" SET "due" = "due" - {mark} WHERE "due" > 0', [GRACE_SECONDS + 1])
        await abandon_due(tx, engine.dialect)

    await engine.write(pass_)


async def until_clear(client) -> None:
    """Return once the ledger is empty, or after long enough."""
    for _ in range(200):
        if not await due(client) and not waiting(client):
            return
        await asyncio.sleep(0.05)


def in_process(work) -> int:
    """Run a coroutine in a process of its own; how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - told by the parent
            print(json.dumps({"error": repr(error)}), flush=True)  # noqa: T201 - the report of this program
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(directory: str, database: str, deed: str) -> None:
    place, found = Path(directory) / "place", Path(directory) / "found"
    data = str(Path(directory) / "data")
    FileTurner.run = turn_nothing  # in this program alone: tests import this module for its deeds

    async def begin() -> None:
        async with testing.client(data, database) as client:
            await client.superuser()

    in_process(begin)
    stride = int(os.environ.get("DRILL_STRIDE", "1"))
    for step in range(1 + secrets.randbelow(stride), MOST, stride):
        code = in_process(lambda at=step: act(data, database, deed, Death(at, Path(data), place)))

        async def examine() -> None:
            found.write_text(json.dumps(await look(data, database)))

        if in_process(examine) != 0:
            break
        where = place.read_text() if code == -signal.SIGKILL else ""
        line = {"step": step, "code": code, "where": where, "wrong": json.loads(found.read_text())}
        print(json.dumps(line), flush=True)  # noqa: T201 - the report of this program
        if code != -signal.SIGKILL:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
