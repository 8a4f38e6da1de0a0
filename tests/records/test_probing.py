"""What nobody learns by asking twice: the answer does not depend on what the caller may not see."""

from __future__ import annotations

import pytest


@pytest.fixture
async def board(blog):
    """Ann, whose address is shown, and Ben, whose is not; notes that guests may list when they are open."""
    users = (await blog.client.get("/api/collections/users", as_=blog.root)).json
    await blog.change("users", listRule="", viewRule="")
    await blog.update("users", blog.ann_id, {"emailVisibility": True}, blog.root)
    relation = {"type": "relation", "collectionId": users["id"]}
    await blog.collection(
        "notes",
        {"name": "title", "type": "text"},
        {"name": "open", "type": "bool"},
        {"name": "owner", **relation},
        {"name": "readers", **relation, "maxSelect": 5},
        {"name": "suspect", **relation, "hidden": True},
        listRule="open = true",
    )
    return blog


@pytest.mark.parametrize("guess", ["ben@example.com", "nobody@example.com"])
async def test_no_address_among_many_can_be_probed(board, guess):
    """A filter that must hold for all readers says nothing about an address that is not shown."""
    note = await board.add("notes", open=True, readers=[board.ann_id, board.ben_id])

    assert await board.ids("notes", filter=f"readers.email != '{guess}'") == [note["id"]]


@pytest.mark.parametrize("guess", ["plan", "else"])
async def test_no_unlisted_record_among_many_can_be_probed(board, guess):
    """A filter over a back-relation asks only the records that the caller may list."""
    await board.add("notes", open=True, owner=board.ann_id, title="hello")
    await board.add("notes", open=False, owner=board.ann_id, title="plan")

    assert board.ann_id in await board.ids("users", filter=f"notes_via_owner.title != '{guess}'")


async def test_a_hidden_relation_leads_nowhere_backwards(board):
    """A back-relation over a hidden field is told apart from a missing one by superusers only."""
    await board.add("notes", open=True, suspect=board.ben_id, title="x")

    hidden = await board.list("users", filter="notes_via_suspect.title = 'x'")
    missing = await board.list("users", filter="notes_via_suspecx.title = 'x'")
    sorted_ = await board.list("users", sort="notes_via_suspect.title")

    assert (hidden.status, sorted_.status) == (400, 400)
    assert hidden.body.replace(b"suspect", b"suspecx") == missing.body
    assert await board.ids("users", board.root, filter="notes_via_suspect.title = 'x'") == [board.ben_id]


@pytest.mark.parametrize("asked", ["strftime('%Y', email) = null", "geoDistance(email, 1, 2, 3) = null"])
async def test_no_function_goes_around_an_address_that_is_not_shown(board, asked):
    """A comparison of what is made from an address holds only where the address is shown."""
    assert await board.ids("users", filter=asked) == [board.ann_id]
