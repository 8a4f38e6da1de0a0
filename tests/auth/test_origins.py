"""Log-ins from somewhere new: an account is told of them."""

from __future__ import annotations

import pytest
from after_answers import all_letters_sent
from post_office import NEW, PASSWORD, USERS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def watched(office):
    """A post office that tells accounts of log-ins."""
    await office.options(authAlert={"enabled": True})
    await office.join(verified=True)
    return office


async def log_in(office, agent, password=PASSWORD):
    body = {"identity": "ada@example.com", "password": password}
    answer = await office.client.post(f"{USERS}/auth-with-password", body, headers={"user-agent": agent})
    assert answer.status == 200


async def origins(office):
    return await office.client.backend.engine.read("""SELECT "id" FROM "_authOrigins" WHERE "collectionRef" <> ''""")


async def test_somewhere_new(watched):
    """The first place is nothing to tell of, a second one is, once; what the browser calls itself is escaped."""
    for agent in ("first", "first", "<b>second</b>", "<b>second</b>"):
        await log_in(watched, agent)

    (letter,) = await watched.server.arrived()
    await all_letters_sent(watched.client.backend)
    assert letter.recipients == ["ada@example.com"]
    assert "127.0.0.1 <b>second</b>" in letter.body()
    assert "127.0.0.1 &lt;b&gt;second&lt;/b&gt;" in letter.body("html")
    assert len(watched.server.letters) == 1


async def test_five_are_kept(watched):
    """The five newest places are remembered; who comes back after that is told of again."""
    for number in range(7):
        await log_in(watched, f"browser {number}")
    await watched.server.arrived(6)
    count = 'SELECT 1 FROM "_authOrigins" WHERE "collectionRef" = \'_pb_users_auth_\''
    assert len(await watched.client.backend.engine.read(count)) == 5

    await log_in(watched, "browser 0")

    await watched.server.arrived(7)


async def test_new_password_forgets(watched):
    """After a new password the next place is the first again."""
    await log_in(watched, "first")
    token = await watched.token("request-password-reset", email="ada@example.com")
    await watched.ask("confirm-password-reset", token=token, **NEW)

    await log_in(watched, "second", NEW["password"])

    await all_letters_sent(watched.client.backend)
    assert len(watched.server.letters) == 1


async def test_own_origins(watched):
    """An account sees its origins, and may forget one."""
    await log_in(watched, "first")
    token = (await watched.log_in()).json["token"]

    shown = await watched.client.get("/api/collections/_authOrigins/records", as_=token)

    first = shown.json["items"][0]["id"]
    assert (await watched.client.delete(f"/api/collections/_authOrigins/records/{first}", as_=token)).status == 204


async def test_off(office):
    """Where nobody is to be told nothing is kept."""
    await office.join()
    await log_in(office, "first")
    await log_in(office, "second")

    await all_letters_sent(office.client.backend)
    rows = 'SELECT 1 FROM "_authOrigins" WHERE "collectionRef" = \'_pb_users_auth_\''
    assert await office.client.backend.engine.read(rows) == []
