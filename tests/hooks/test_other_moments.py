"""Hooks around collections, letters, accounts and settings."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from undercroft.mail.carrier import NotSent, Posted

AROUND = ["collection_create", "collection_update", "collection_delete", "collection_validate"]
AFTER = ["collection_created", "collection_updated", "collection_deleted"]
FAILED = ["collection_create_failed", "collection_update_failed", "collection_delete_failed"]


def write_down(site):
    """Write down what happens to collections."""
    for moment in (*AROUND, *AFTER, *FAILED):

        def note(event, moment=moment):
            site.fired.append(f"{moment.removeprefix('collection_')} {event.collection.name}")

        getattr(site.on, moment)()(note)


async def test_collections(site):
    """A collection is made, changed and deleted with its hooks around it."""
    write_down(site)

    await site.collection("notes")
    await site.client.patch("/api/collections/notes", {"name": "memos"}, as_=site.root)
    await site.client.delete("/api/collections/memos", as_=site.root)

    assert site.fired == [
        *("create notes", "validate notes", "created notes"),
        *("update memos", "validate memos", "updated memos"),
        *("delete memos", "deleted memos"),
    ]
    assert site.client.backend.catalog.by_name("memos") is None


async def test_collections_that_are_refused(site):
    """What a hook or a check refuses is undone, and told of."""
    write_down(site)

    @site.on.collection_create()
    async def refuse(event):
        await event.next()
        if event.collection.name == "secret":
            raise event.refuse("No secrets.")

    body = {"name": "secret", "fields": []}
    refused = await site.client.post("/api/collections", body, as_=site.root)
    wrong = await site.client.post("/api/collections", {"name": "posts", "fields": []}, as_=site.root)

    assert (refused.status, refused.error.message) == (400, "No secrets.")
    assert wrong.status == 400
    assert site.fired == [
        *("create secret", "validate secret", "create_failed secret"),
        *("create posts", "validate posts", "create_failed posts"),
    ]
    assert site.client.backend.catalog.by_name("secret") is None
    assert (await site.client.get("/api/collections/secret", as_=site.root)).status == 404


async def test_a_collection_that_a_hook_changes(site):
    """A hook puts another definition in place of the one that was sent."""

    @site.on.collection_create()
    async def close(event):
        event.collection = replace(event.collection, list_rule=None)

    await site.collection("notes")

    assert site.client.backend.catalog.collection("notes").list_rule is None


async def test_an_import_of_collections(site):
    """Each collection of an import has its hooks."""
    write_down(site)
    items = [{"name": name, "type": "base", "fields": []} for name in ("a_one", "a_two")]

    answer = await site.client.put("/api/collections/import", {"collections": items}, as_=site.root)

    assert answer.status == 204, answer.text
    assert site.fired == [
        *("create a_one", "validate a_one", "create a_two", "validate a_two", "created a_one", "created a_two")
    ]


@pytest.fixture
async def member(site):
    """A site with an account."""
    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    await site.create("users", site.root, **account, name="Ann")
    return site


async def test_accounts_that_the_server_changes(member):
    """A new password by letter is an update like any other: its hooks are called."""
    titles = []
    for moment in ("record_update", "record_updated", "record_validate"):
        getattr(member.on, moment)("users")(lambda event: titles.append(event.record["email"]))
    await member.client.post("/api/collections/users/request-verification", {"email": "a@example.com"})
    letter = await member.client.letter("a@example.com")
    token = letter.get_body(("plain",)).get_content().split("/confirm-verification/")[1].split()[0]

    answer = await member.client.post("/api/collections/users/confirm-verification", {"token": token})

    assert answer.status == 204, answer.text
    assert titles == ["a@example.com"] * 3


POSTED = Posted(
    "a" * 15, "otp", "us@example.com", "you@example.com", "Subject: Code\r\nTo: you@example.com\r\n\r\n123\r\n"
)


async def test_letters(site):
    """A hook changes a letter on its way out."""

    @site.on.mailer_send("otp")
    async def sign(event):
        event.message.replace_header("Subject", "Your code")
        event.message.set_content(event.message.get_content() + "Yours, the server\n")

    await site.client.backend.carrier.carry(POSTED)

    [sent] = site.client.letters
    assert "Your code" in str(sent)
    assert "Yours, the server" in str(sent)


async def test_a_letter_that_is_refused(site):
    """A letter that a hook refuses is never sent; one whose hook is broken is tried again."""

    @site.on.mailer_send()
    async def refuse(event):
        if event.recipient.startswith("you"):
            raise event.refuse("Not to you.")
        raise ValueError

    with pytest.raises(NotSent) as refused:
        await site.client.backend.carrier.carry(POSTED)
    with pytest.raises(NotSent) as broken:
        await site.client.backend.carrier.carry(Posted("b" * 15, "otp", "us@example.com", "me@example.com", "x"))

    assert refused.value.is_final
    assert not broken.value.is_final
    assert not site.client.letters


async def test_letters_of_another_kind(site):
    """A hook of one kind of letter is not called for another."""
    site.on.mailer_send("verification")(lambda _: site.fired.append("called"))

    await site.client.backend.carrier.carry(POSTED)

    assert site.fired == []


async def test_settings(site):
    """Hooks hear when other settings count."""
    heard = asyncio.Event()

    @site.on.settings_reload()
    async def hear(event):
        site.fired.append(event.backend.settings.meta.app_name)
        heard.set()

    await site.client.patch("/api/settings", {"meta": {"appName": "Renamed"}}, as_=site.root)
    await asyncio.wait_for(heard.wait(), 5)

    assert site.fired[0] == "Renamed"
