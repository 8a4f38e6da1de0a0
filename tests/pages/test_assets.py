"""The script that pages include."""

from __future__ import annotations

from undercroft.pages import assets


async def test_script_is_served(client):
    """Its address names its content, so it is kept for good."""
    answer = await client.get(assets.URL)

    assert (answer.status, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]


async def test_other_versions_are_not_kept(client):
    """An address that names another content gets this one, and asks again the next time."""
    answer = await client.get("/_/undercroft.js", v="old")

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
