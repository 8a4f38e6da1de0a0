"""Which hooks are called for which deed and outcome, and what of them stays: the table in the reference."""

from __future__ import annotations

from asyncio import sleep
from dataclasses import dataclass, field
from typing import Any

import pytest
from moments import PAGE

HEAD = "| Deed | Outcome | Answer | Called, in order | What they write stays |"
TROUBLE = {"a hook refuses before `next()`": "before", "a hook refuses after `next()`": "after"}


@dataclass
class Table:
    """A site whose hooks write down their calls, both in memory and in the transaction that they run in."""

    site: Any
    called: list[str] = field(default_factory=list)
    trouble: str = ""
    rows: list[str] = field(default_factory=list)

    def listen(self) -> None:
        for moment in (*self.site.around, *self.site.after):
            getattr(self.site.on, moment)("posts", "comments")(self._hook(moment))

    async def note(self, deed: str, outcome: str, answer: Any) -> None:
        """A row of the table for what has just been done."""
        engine = self.site.client.backend.engine
        kept = [text for (text,) in await engine.read('SELECT "text" FROM "marks" ORDER BY "n"')]
        called = " ".join(self.called) or "none"
        self.rows.append(f"| {deed} | {outcome} | {answer.status} | {called} | {', '.join(kept) or 'nothing'} |")
        self.called.clear()
        self.trouble = ""
        await self.site.client.delete("/api/collections/marks/truncate", as_=self.site.root)

    def _hook(self, moment: str) -> Any:
        name = moment.removeprefix("record_")

        async def hook(event: Any) -> None:
            whose = "" if event.collection.name == "posts" else "other "
            await event.records.as_system().marks.create(text=f"`{whose}{name}`", n=len(self.called))
            if moment in self.site.after:
                self.called.append(f"`{whose}{name}`")
                return
            self.called.append(f"`{whose}{name}`(")
            if moment == self.trouble_at and not whose:
                await self.make_trouble(event, "before")
            await event.next()
            if moment == self.trouble_at and not whose:
                await self.make_trouble(event, "after")
            self.called.append(")")

        return hook

    @property
    def trouble_at(self) -> str:
        return self.trouble.partition(" ")[0]

    async def make_trouble(self, event: Any, when: str) -> None:
        if self.trouble.endswith(f" {when}"):
            raise event.refuse("No.")
        if when == "before" and self.trouble.endswith(" fault"):
            raise RuntimeError("a fault")
        if when == "before" and self.trouble.endswith(" hang"):
            await sleep(60)


@pytest.fixture
async def table(site):
    made = Table(site)
    await site.collection("marks", {"name": "text", "type": "text"}, {"name": "n", "type": "number"})
    post = {"name": "post", "type": "relation", "collectionId": site.ids["posts"], "maxSelect": 1}
    await site.collection("comments", {"name": "title", "type": "text"}, {**post, "cascadeDelete": True})
    await site.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=site.root)
    site.client.backend.hooks.seconds = 0.5
    return made


async def test_the_table(table):
    """Deed by deed and outcome by outcome, the table in the reference says what happens."""
    await creates(table)
    await updates(table)
    await deletes(table)
    await batches(table)

    expected = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    assert table.rows == expected


async def creates(table):
    site = table.site
    await site.add("posts", title="taken")
    table.listen()
    await table.note("create", "done", await site.create("posts", title="one"))
    await table.note("create", "values are refused", await site.create("posts", title=""))
    await table.note("create", "the database refuses", await site.create("posts", title="taken"))
    for outcome, when in TROUBLE.items():
        table.trouble = f"record_create {when}"
        await table.note("create", outcome, await site.create("posts", title="two"))
    table.trouble = "record_validate fault"
    await table.note("create", "a hook of `record_validate` fails", await site.create("posts", title="two"))
    table.trouble = "record_create_execute hang"
    await table.note("create", "a hook of `record_create_execute` hangs", await site.create("posts", title="two"))
    await rule(site, "createRule", "title = 'allowed'")
    await table.note("create", "the rule refuses", await site.create("posts", title="two"))
    await rule(site, "createRule", "")


async def updates(table):
    site = table.site
    post = (await site.client.get("/api/collections/posts/records", filter="title='one'")).json["items"][0]["id"]
    await table.note("update", "done", await site.update("posts", post, title="other"))
    await table.note("update", "values are refused", await site.update("posts", post, title=""))
    for outcome, when in TROUBLE.items():
        table.trouble = f"record_update {when}"
        await table.note("update", outcome, await site.update("posts", post, title="two"))
    await table.note("update", "no such record", await site.update("posts", "a" * 15, title="two"))


async def deletes(table):
    site = table.site
    post = (await site.client.get("/api/collections/posts/records", filter="title='other'")).json["items"][0]["id"]
    for outcome, when in TROUBLE.items():
        table.trouble = f"record_delete {when}"
        await table.note("delete", outcome, await site.delete("posts", post))
    await site.client.backend.engine.read("SELECT 1")
    comment = await site.create("comments", title="on it", post=post)
    assert comment.status == 200
    table.called.clear()
    await site.client.delete("/api/collections/marks/truncate", as_=site.root)
    await table.note("delete", "done, with another that hangs on it", await site.delete("posts", post))
    await table.note("truncate", "done, with one record", await truncate(site))


async def batches(table):
    site = table.site
    await table.note("batch of two creates", "done", await batch(site, "three", "four"))
    await table.note("batch of two creates", "the second is refused", await batch(site, "five", ""))


async def rule(site, name, text):
    answer = await site.client.patch("/api/collections/posts", {name: text}, as_=site.root)
    assert answer.status == 200


async def truncate(site):
    return await site.client.delete("/api/collections/posts/truncate", as_=site.root)


async def batch(site, *titles):
    url = "/api/collections/posts/records"
    requests = [{"method": "POST", "url": url, "body": {"title": title}} for title in titles]
    return await site.client.post("/api/batch", {"requests": requests})
