"""A value that somebody may not read is nowhere in what they get."""

from __future__ import annotations

import json

SECRET = "sesame-opens-the-door"


async def test_absent_for_who_may_not_read_it(blog):
    """A hidden encrypted value is in no answer, event, error, batch or sum that somebody else gets."""
    made = await blog.collection(
        "cases", {"name": "code", "type": "text", "hidden": True, "encrypted": {"search": "equality"}}
    )
    relation = {"name": "case", "type": "relation", "collectionId": made["id"]}
    await blog.collection("visits", relation)
    await blog.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=blog.root)
    seen = []

    async with blog.client.listen("cases/*") as guest, blog.client.listen("cases/*", as_=blog.root) as root:
        case = await blog.add("cases", code=SECRET)
        await blog.add("visits", case=case["id"])
        path = f"/api/collections/cases/records/{case['id']}"
        steps = [{"method": "PATCH", "url": path, "body": {}}]
        seen += [
            await blog.list("cases"),
            await blog.view("cases", case["id"]),
            await blog.list("visits", expand="case", fields="*,expand.case.code"),
            await blog.list("cases", filter=f"code = '{SECRET}'"),
            await blog.list("cases", sort="code"),
            await blog.client.get("/api/collections/cases/aggregate", fields="count()", groupBy="code"),
            await blog.client.get("/api/collections/cases/records", explain="1"),
            await blog.client.post("/api/batch", {"requests": steps}),
            await blog.client.patch(path, {"code": f"{SECRET}-2"}),
        ]
        await blog.client.delete(path, as_=blog.root)
        heard = [json.dumps(event.json) for event in await guest.events()]
        known = [json.dumps(event.json) for event in await root.events()]

    assert [answer.text for answer in seen if SECRET in answer.text] == []
    assert [text for text in heard if SECRET in text] == []
    assert len(heard) == len(known) > 2
    assert all(SECRET in text for text in known)
