"""Superusers: made, changed and ended by the command line, beside a server or without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from undercroft.app import close_backend, open_backend
from undercroft.auth.identify import identify
from undercroft.auth.password import Credentials, LoginFailed, log_in
from undercroft.auth.password_guesses import Guesser
from undercroft.auth.sessions import Device
from undercroft.auth.superusers import (
    UnknownSuperuser,
    create_superuser,
    delete_superuser,
    update_superuser,
    upsert_superuser,
)
from undercroft.auth.tokens import issue
from undercroft.backend import Backend
from undercroft.collections.fields.registry import dump_field
from undercroft.collections.store import Store, update_collection
from undercroft.database.changes import changes_since
from undercroft.errors import Invalid
from undercroft.records.accounts import LastSuperuser

pytestmark = pytest.mark.anyio
ROOT = "root@example.com"
OTHER = "other@example.com"
PASSWORD = "correct-horse-9"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    opened = await open_backend(tmp_path / "data")
    yield opened
    await close_backend(opened)


async def can_log_in(backend: Backend, email: str, password: str) -> bool:
    try:
        await log_in(backend, backend.catalog.superusers, Credentials(email, password), Guesser(Device()))
    except LoginFailed:
        return False
    return True


async def test_create(backend: Backend):
    """A superuser can log in, is verified, and the change log knows."""
    record_id = await create_superuser(backend, ROOT, PASSWORD)

    record = await log_in(backend, backend.catalog.superusers, Credentials(ROOT, PASSWORD), Guesser(Device()))
    assert (record["id"], record["verified"]) == (record_id, True)
    assert record["created"] == record["updated"] != ""
    assert len(record["tokenKey"]) == 50
    last = (await changes_since(backend.engine, 0))[-1].change
    assert (last.kind, last.record, last.action) == ("record", record_id, "create")


@pytest.mark.parametrize(
    ("email", "password", "codes"),
    [
        ("", PASSWORD, {"email": "validation_required"}),
        ("root", PASSWORD, {"email": "validation_is_email"}),
        (ROOT, "short", {"password": "validation_min_text_constraint"}),
        (ROOT, "", {"password": "validation_required"}),
        ("root", "x" * 72, {"email": "validation_is_email", "password": "validation_max_text_constraint"}),
    ],
)
async def test_bad_input(backend: Backend, email: str, password: str, codes: dict[str, str]):
    """A bad address or a bad password is refused, with the reason for each."""
    with pytest.raises(Invalid) as refused:
        await create_superuser(backend, email, password)

    assert {name: error.code for name, error in refused.value.data.items()} == codes


async def test_create_twice(backend: Backend):
    """An address is one superuser's."""
    await create_superuser(backend, ROOT, PASSWORD)

    with pytest.raises(Invalid) as refused:
        await create_superuser(backend, ROOT, PASSWORD)

    assert refused.value.data["email"].code == "validation_not_unique"


async def test_update(backend: Backend):
    """A new password takes the place of the old one and ends every session."""
    await create_superuser(backend, ROOT, PASSWORD)
    collection = backend.catalog.superusers
    record = await log_in(backend, collection, Credentials(ROOT, PASSWORD), Guesser(Device()))
    token = issue("auth", collection, record, refreshable=True)
    assert await identify(backend, token) is not None

    await update_superuser(backend, ROOT, "another-horse-9")

    assert await identify(backend, token) is None
    assert not await can_log_in(backend, ROOT, PASSWORD)
    assert await can_log_in(backend, ROOT, "another-horse-9")


async def test_update_nobody(backend: Backend):
    """Who is not there cannot be changed."""
    with pytest.raises(UnknownSuperuser, match=r"nobody@example\.com"):
        await update_superuser(backend, "nobody@example.com", PASSWORD)


async def test_upsert(backend: Backend):
    """An upsert makes a superuser or changes the password of one."""
    await upsert_superuser(backend, ROOT, PASSWORD)
    await upsert_superuser(backend, ROOT, "another-horse-9")

    assert await can_log_in(backend, ROOT, "another-horse-9")
    assert len(await backend.engine.read('SELECT id FROM "_superusers"')) == 1


async def test_delete(backend: Backend):
    """A superuser can be deleted while another remains."""
    await create_superuser(backend, ROOT, PASSWORD)
    await create_superuser(backend, OTHER, PASSWORD)

    await delete_superuser(backend, ROOT)

    assert not await can_log_in(backend, ROOT, PASSWORD)
    assert await can_log_in(backend, OTHER, PASSWORD)


async def test_last_one_stays(backend: Backend):
    """The only superuser cannot be deleted."""
    await create_superuser(backend, ROOT, PASSWORD)

    with pytest.raises(LastSuperuser):
        await delete_superuser(backend, ROOT)

    assert await can_log_in(backend, ROOT, PASSWORD)


async def test_delete_nobody(backend: Backend):
    """Who is not there cannot be deleted."""
    with pytest.raises(UnknownSuperuser):
        await delete_superuser(backend, ROOT)


async def test_beside_a_server(tmp_path: Path):
    """What one process changes, another one that has the same data open sees at once."""
    server, tool = await open_backend(tmp_path / "data"), await open_backend(tmp_path / "data")
    await create_superuser(tool, ROOT, PASSWORD)
    collection = server.catalog.superusers
    record = await log_in(server, collection, Credentials(ROOT, PASSWORD), Guesser(Device()))
    token = issue("auth", collection, record, refreshable=True)
    assert await identify(server, token) is not None

    await update_superuser(tool, ROOT, "another-horse-9")

    assert await identify(server, token) is None
    await close_backend(tool)
    await close_backend(server)


async def test_fields_of_superusers_are_filled_as_for_any_record(backend: Backend):
    """A text that the server makes for a new record is made for a superuser too."""
    fields = [dump_field(field) for field in backend.catalog.superusers.fields]
    badge = {"name": "badge", "type": "text", "autogeneratePattern": "[a-z]{9}"}
    store = Store(backend.engine, backend.catalogs, lambda *_: None)
    await update_collection(store, "_superusers", {"fields": [*fields, badge]})

    record_id = await create_superuser(backend, ROOT, PASSWORD)

    rows = await backend.engine.read('SELECT length("badge") FROM "_superusers" WHERE "id" = ?', [record_id])
    assert rows == [(9,)]
