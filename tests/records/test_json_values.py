"""JSON fields: what is sent is what is shown, whatever the column makes of it."""

import pytest

OPEN = {"viewRule": "", "createRule": ""}


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, 17, -1.5, 0.1, 1e300, "text", "", "17x", [], [1, "a", None], {}, {"a": {"b": [1.5]}}],
    ids=repr,
)
async def test_round_trip(client, value):
    """A JSON value comes back as it was sent; SQLite's column turns numbers into numbers of its own."""
    fields = [{"name": "meta", "type": "json"}]
    await client.post("/api/collections", {"name": "notes", "fields": fields, **OPEN}, as_=await client.superuser())
    made = await client.post("/api/collections/notes/records", {"meta": value})
    shown = await client.get(f"/api/collections/notes/records/{made.json['id']}")

    assert (made.status, made.json["meta"]) == (200, value)
    assert shown.json["meta"] == value
