"""/api/settings: who may, what changes, and that it is obeyed at once."""

import asyncio

import pytest

from undercroft import testing

SETTINGS = "/api/settings"


async def test_only_superusers(client):
    """Guests are asked who they are."""
    assert (await client.get(SETTINGS)).status == 401
    assert (await client.patch(SETTINGS, {})).status == 401


async def test_change_is_kept(client, tmp_path, database):
    """A change is answered, read again, and still there after a restart; secrets are kept unseen."""
    token = await client.superuser()
    change = {"meta": {"appName": "Cellar"}, "smtp": {"password": "hush"}}
    answer = await client.patch(SETTINGS, change, as_=token)

    assert answer.status == 200
    assert answer.json["meta"]["appName"] == "Cellar"
    assert (await client.get(SETTINGS, as_=token)).json == answer.json
    await client.app.stop()
    async with testing.client(tmp_path, database) as again:
        assert again.backend.settings.meta.app_name == "Cellar"
        assert again.backend.settings.smtp.password == "hush"


async def test_refused_change_changes_nothing(client):
    """Every error is told at its place, and nothing is kept."""
    token = await client.superuser()
    answer = await client.patch(SETTINGS, {"meta": {"appName": "X", "appURL": "x y"}}, as_=token)

    assert answer.status == 400
    assert answer.error.code == "invalid_settings"
    assert answer.error.data["meta"]["appURL"]["code"] == "validation_is_url"
    assert client.backend.settings.meta.app_name == "Acme"


async def test_form(client):
    """A form names settings with dots."""
    token = await client.superuser()
    answer = await client.patch(SETTINGS, form={"meta.appName": "7", "batch.timeout": "9"}, as_=token)

    assert (answer.json["meta"]["appName"], answer.json["batch"]["timeout"]) == ("7", 9)


@pytest.mark.parametrize("body", [[1, 2], 5, "x", {"meta": 5}])
async def test_wrong_types(client, body):
    """What is no object, or holds wrong types, is refused as a whole."""
    answer = await client.patch(SETTINGS, body, as_=await client.superuser())

    assert answer.status == 400
    assert answer.json["message"] == "An error occurred while loading the submitted data."


async def test_concurrent_changes_are_both_kept(client):
    """Of many changes at once none is lost."""
    token = await client.superuser()
    changes = [{"meta": {"appName": "A"}}, {"logs": {"maxDays": 9}}, {"batch": {"timeout": 7}}, {"smtp": {"port": 26}}]
    await asyncio.gather(*(client.patch(SETTINGS, change, as_=token) for change in changes))

    settings = client.backend.settings
    assert (settings.meta.app_name, settings.logs.max_days) == ("A", 9)
    assert (settings.batch.timeout, settings.smtp.port) == (7, 26)


async def test_superuser_addresses(client):
    """A superuser from an address that is not listed is refused everywhere, also where a guest may go."""
    token = await client.superuser()
    listed = {"superuserIPs": ["127.0.0.1"], "trustedProxy": {"headers": ["X-Real-IP"]}}
    await client.patch(SETTINGS, listed, as_=token)
    elsewhere = {"x-real-ip": "9.9.9.9"}

    assert (await client.get("/api/health", as_=token)).status == 200
    assert (await client.get("/api/health", as_=token, headers=elsewhere)).status == 403
    assert (await client.get("/api/health", headers=elsewhere)).status == 200
    form = {"identity": testing.SUPERUSER[0], "password": testing.SUPERUSER[1]}
    path = "/api/collections/_superusers/auth-with-password"
    assert (await client.post(path, form, headers=elsewhere)).status == 403


async def test_untrusted_headers_are_not_believed(client):
    """Without a trusted proxy nobody can claim an address."""
    token = await client.superuser()
    await client.patch(SETTINGS, {"superuserIPs": ["9.9.9.9"]}, as_=token)

    assert (await client.get("/api/health", as_=token, headers={"x-forwarded-for": "9.9.9.9"})).status == 403
