"""How the account of an address is found: by an index on both engines, however many there are."""

from __future__ import annotations

import pytest
from post_office import PASSWORD, USERS

from undercroft.auth.password import Credentials, find_account, find_account_id

pytestmark = pytest.mark.anyio


async def by_log_in(backend, users, email):
    found = await find_account(backend, users, Credentials(email, "", "email"))
    return found["id"] if found else None


WAYS = (by_log_in, find_account_id)


@pytest.fixture(params=["", "COLLATE NOCASE"])
async def users(request, client):
    """The accounts' collection, with an index that minds the case of addresses or does not, and Ada in it."""
    root = await client.superuser()
    held = (await client.get(USERS, as_=root)).json
    email = f"CREATE UNIQUE INDEX one_email ON users (email {request.param}) WHERE email != ''"
    others = [index for index in held["indexes"] if "email" not in index]
    assert (await client.patch(USERS, {"indexes": [*others, email]}, as_=root)).status == 200
    body = {"email": "ada@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    assert (await client.post(f"{USERS}/records", body, as_=root)).status == 200
    return client.backend.catalog.collection("users")


async def plan_of(engine, sql, values):
    """How the engine finds the rows, with as many of them as make it look for an index."""
    async with engine.transaction() as transaction:
        if engine.is_networked:
            await transaction.run("SET LOCAL enable_seqscan = off")
        rows = await transaction.run(engine.dialect.explain(sql), values)
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("find", WAYS)
async def test_an_index_serves(client, users, find, monkeypatch):
    """Nothing is read from one end to the other."""
    engine, asked, read = client.backend.engine, [], client.backend.engine.read

    async def note(sql, values=()):
        asked.append((sql, values))
        return await read(sql, values)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "read", note)
        await find(client.backend, users, "ada@example.com")
    (sql, values), *_ = asked
    plan = await plan_of(engine, sql, values)

    assert "one_email" in plan
    assert "Seq Scan" not in plan
    assert not any(line.startswith("SCAN users") for line in plan.splitlines())


@pytest.mark.parametrize("find", WAYS)
async def test_who_is_found(client, users, find):
    """The account of the address and no other; its spelling counts where the index says so."""
    ada = (await client.get(f"{USERS}/records", as_=await client.superuser())).json["items"][0]["id"]
    spelled = "NOCASE" in " ".join(users.indexes)

    assert await find(client.backend, users, "ada@example.com") == ada
    assert await find(client.backend, users, "Ada@Example.com") == (ada if spelled else None)
    assert await find(client.backend, users, "eve@example.com") is None
    assert await find(client.backend, users, "") is None


@pytest.mark.parametrize("find", WAYS)
async def test_nobody_is_there(client, find):
    """Among no accounts nobody is found."""
    assert await find(client.backend, client.backend.catalog.collection("users"), "ada@example.com") is None
