"""Keys of people move with what they sealed, and so does who was erased."""

from __future__ import annotations

import asyncio
from pathlib import Path

from roots import carry_root

from undercroft import testing
from undercroft.keys.tombstones import Tombstones

FIELDS = [
    {"name": "diary", "type": "text", "encrypted": {"shred": "id", "search": "equality"}},
    {"name": "n", "type": "number"},
]
PEOPLE = {"name": "people", "fields": FIELDS, "listRule": "", "createRule": ""}
RECORDS = "/api/collections/people/records"


async def make(folder):
    """Two people, of whom one is erased; the receipt."""
    async with testing.client(folder) as client:
        root = await client.superuser()
        assert (await client.post("/api/collections", PEOPLE, as_=root)).status == 200
        made = [(await client.post(RECORDS, {"diary": f"day {n}", "n": n})).json for n in range(2)]
        erased = await client.delete(f"/api/encryption/subjects/{made[0]['id']}", as_=root)
        return erased.json["receipt"]


async def use(folder, database):
    """What a server there shows, looks up, and says of who was erased."""
    async with testing.client(folder, database) as client:
        root = await client.login("_superusers", *testing.SUPERUSER)
        shown = await client.get(RECORDS, sort="n")
        found = await client.get(RECORDS, filter="diary = 'day 1'")
        new = await client.post(RECORDS, {"diary": "day 2", "n": 2})
        erased = await client.get("/api/encryption/subjects", as_=root)
        assert new.status == 200, new.text
        return [item["diary"] for item in shown.json["items"]], found.json["totalItems"], erased.json


def test_keys_of_people_move(tmp_path, target, mover):
    """Others are read and found on the other engine, and who was erased is known there, with the receipt."""
    receipt = asyncio.run(make(tmp_path / "data"))

    outcome = mover.run(tmp_path / "data", target.name)

    assert outcome.exit_code == 0, outcome.output
    assert mover.report["equal"]
    folder = Path(target.name) if target.is_file else tmp_path / "files"
    carry_root(tmp_path / "data", folder)
    shown, found, erased = asyncio.run(use(folder, "" if target.is_file else target.name))
    assert (shown, found) == (["", "day 1"], 1)
    assert [each["receipt"] for each in erased] == [receipt]
    assert [each.signature for each in Tombstones(folder).load()] == [receipt["signature"]]
