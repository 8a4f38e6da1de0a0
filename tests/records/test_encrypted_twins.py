"""A plain and an encrypted collection that live through the same: nobody who asks can tell them apart."""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest

OPEN = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), "")
STEPS = int(os.environ.get("DRILL_STEPS") or 120)
WORDS = ["", "a", "A", "b", "zebra", "Zebra ✓", "a b", "0", "1.5", "null", "true"]
NUMBERS = [0, 1, -1, 1.5, 2**53, -0.25, 1e21]
DATES = ["", "2024-01-01 00:00:00.000Z", "2024-01-01 00:00:00.001Z"]
SEARCHED = {"search": "equality"}


def fields(encrypted):
    """Fields of several types, with or without encryption."""
    option = {"encrypted": SEARCHED} if encrypted else {}
    hidden = {"encrypted": {"pad": 32}} if encrypted else {}
    return [
        {"name": "word", "type": "text", **option},
        {"name": "only", "type": "text", **option},
        {"name": "number", "type": "number", **option},
        {"name": "day", "type": "date", **option},
        {"name": "data", "type": "json", **hidden},
        {"name": "rank", "type": "number"},
    ]


@pytest.fixture
async def twins(blog):
    """Both collections, one of their fields unique."""
    for name in ("plain", "sealed"):
        index = f"CREATE UNIQUE INDEX only_{name} ON {name} (only) WHERE only != ''"
        await blog.collection(name, *fields(name == "sealed"), indexes=[index])
    return blog


class Life:
    """What happens to both, by chance."""

    def __init__(self, blog, chance):
        self.blog, self.chance = blog, chance
        self.ids = []
        self.steps = [self.create] * 3 + [self.update] * 3 + [self.delete, self.view] + [self.find] * 4

    def values(self):
        chance = self.chance
        made = {
            "word": chance.choice(WORDS),
            "only": chance.choice(["", str(chance.randrange(40))]),
            "number": chance.choice(NUMBERS),
            "day": chance.choice(DATES),
            "data": chance.choice([None, {}, [1, "x"], {"a": {"b": 1.5}}, "text", 7, True]),
            "rank": chance.randrange(100),
        }
        return {name: made[name] for name in chance.sample(list(made), chance.randrange(1, len(made) + 1))}

    async def create(self):
        record_id = f"record{len(self.ids):09}"
        self.ids.append(record_id)
        values = self.values()
        return [await self.blog.create(name, {"id": record_id, **values}) for name in ("plain", "sealed")]

    async def update(self):
        values, record_id = self.values(), self.chance.choice(self.ids or ["none"])
        if self.chance.random() < 0.2:
            values = {"number+": self.chance.choice(NUMBERS)}
        return [await self.blog.update(name, record_id, values) for name in ("plain", "sealed")]

    async def delete(self):
        record_id = self.chance.choice(self.ids or ["none"])
        return [await self.blog.delete(name, record_id) for name in ("plain", "sealed")]

    async def view(self):
        record_id = self.chance.choice(self.ids or ["none"])
        return [await self.blog.view(name, record_id) for name in ("plain", "sealed")]

    async def find(self):
        name = self.chance.choice(["word", "only", "number", "day", "data"])
        if name == "data":
            text = self.chance.choice(["data = null", "data != null"])
        else:
            value = self.chance.choice({"number": NUMBERS, "day": DATES}.get(name, WORDS))
            spelled = value if name == "number" else f"'{value}'"
            text = f"{name} {self.chance.choice(['=', '!=', '?=', '?!='])} {spelled}"
        if self.chance.random() < 0.3:
            text = f"({text}) && rank > {self.chance.randrange(100)}"
        query = {"filter": text, "sort": "rank,id", "perPage": 200}
        return [await self.blog.list(each, **query) for each in ("plain", "sealed")]


async def test_twins(twins, seed):
    """Whatever happens, both answer the same, word for word but for what is each one's own."""
    life = Life(twins, Random(seed))

    for number in range(STEPS):
        step = life.chance.choice(life.steps)
        plain, sealed = await step()
        assert told(plain) == told(sealed), f"step {number}, {step.__name__}"


def told(answer):
    """What an answer says, without names of collections and moments of writing."""
    text = answer.text.replace("sealed", "plain")
    for name in ("plain", "sealed"):
        text = text.replace(f'"collectionId":"{COLLECTION_IDS[name]}"', '"collectionId":"x"')
    return answer.status, text


COLLECTION_IDS = {"plain": "", "sealed": ""}


@pytest.fixture(autouse=True)
async def known_ids(twins):
    """The ids that the two collections have."""
    for name in COLLECTION_IDS:
        found = await twins.client.get(f"/api/collections/{name}", as_=twins.root)
        COLLECTION_IDS[name] = found.json["id"]


async def test_one_of_fifty(blog):
    """Of fifty who create the same address at once, each in another spelling, one succeeds."""
    mail = {"name": "mail", "type": "email", "encrypted": {**SEARCHED, "normalize": "email"}}
    await blog.collection("people", mail, indexes=["CREATE UNIQUE INDEX one_mail ON people (mail)"])
    spellings = ["".join(s.upper() if n >> at & 1 else s for at, s in enumerate("ada")) for n in range(8)]
    addresses = [f"{spellings[n % 8]}@example.com" for n in range(50)]

    answers = await asyncio.gather(*(blog.create("people", {"mail": mail}) for mail in addresses))

    assert sorted(answer.status for answer in answers) == [200] + [400] * 49
    assert all(a.json["data"]["mail"]["code"] == "validation_not_unique" for a in answers if a.status == 400)


async def test_listeners_and_hooks(blog):
    """Who listens is judged and told by values, by rules and filters over encrypted fields too."""
    mail = {"name": "mail", "type": "email", "encrypted": {**SEARCHED, "normalize": "email"}}
    hidden = {"name": "code", "type": "text", "hidden": True, "encrypted": True}
    await blog.collection("notes", mail, hidden, listRule="mail = @request.auth.email", viewRule="")
    async with blog.client.listen("notes/*", as_=blog.ann) as ann, blog.client.listen("notes/*", as_=blog.ben) as ben:
        made = await blog.add("notes", mail="ANN@example.com", code="sesame")
        await blog.delete("notes", made["id"])

        told = [(await ann.event()).json for _ in range(2)]

        assert [each["action"] for each in told] == ["create", "delete"]
        assert all(each["record"]["mail"] == "ANN@example.com" for each in told)
        assert "sesame" not in str(told)
        assert await ben.events(0.3) == []
