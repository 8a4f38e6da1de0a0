"""Verification: who brings the token of the letter reads the mail of the address."""

from __future__ import annotations

import pytest
from after_answers import all_letters_sent
from post_office import NEW, PASSWORD, USERS, at_once

from undercroft.auth.tokens import issue
from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio


async def test_verified(office):
    """The letter's token verifies the account, ends nobody's session, and does no harm a second time."""
    account = await office.join()
    session = (await office.log_in()).json["token"]
    letter = await office.letter("request-verification", email="ada@example.com")
    assert letter.recipients == ["ada@example.com"]
    token = letter.body().split("/confirm-verification/")[1].split()[0]

    assert (await office.ask("confirm-verification", token=token)).status == 204

    assert (await office.record(account))["verified"]
    assert await office.knows(session)
    assert (await office.ask("confirm-verification", token=token)).status == 204


async def test_link_is_of_the_settings(office):
    """The link leads where the settings say, whatever the request claims to have come for."""
    await office.join()
    spoofed = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    path = f"{USERS}/request-verification"

    await office.client.post(path, {"email": "ada@example.com"}, headers=spoofed | {"x-forwarded-proto": "ftp"})

    (letter,) = await office.server.arrived()
    assert "https://app.example.com/_/#/auth/confirm-verification/" in letter.body()
    assert "evil" not in letter.content.decode()


async def test_once_in_two_minutes(office):
    """Asking again and again sends one letter; twenty at once too."""
    await office.join()
    path = f"{USERS}/request-verification"

    statuses = await at_once(20, lambda: office.client.post(path, {"email": "ada@example.com"}))

    assert statuses == [204] * 20
    await office.server.arrived()
    await office.client.backend.errands.done()
    assert len(await office.client.backend.engine.read('SELECT 1 FROM "_outbox"')) == 1


async def test_nobody_to_verify(office):
    """For an address that nobody has, and for who is verified, the answer is the same and no letter is sent."""
    await office.join(verified=True)

    answers = [await office.ask("request-verification", email=f"{name}@example.com") for name in ("ada", "who")]

    assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 2
    await all_letters_sent(office.client.backend)
    assert office.server.letters == []


async def test_password_of_somebody_else(office):
    """Where nobody logs in with passwords, one that was set before is worth nothing after the verification."""
    await office.join()
    token = await office.token("request-verification", email="ada@example.com")
    await office.options(passwordAuth={"enabled": False}, otp={"enabled": True})

    await office.ask("confirm-verification", token=token)

    await office.options(passwordAuth={"enabled": True})
    assert (await office.log_in(password=PASSWORD)).status == 400


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "\x00", "🔑"])
async def test_no_token(office, token):
    """What is no token is refused."""
    answer = await office.ask("confirm-verification", token=token)

    assert answer.status == 400
    code = "validation_invalid_token_claims" if token else "validation_required"
    assert answer.error.data["token"]["code"] == code


async def test_token_of_another_kind(office):
    """A token for something else, of another collection, or from before another address, verifies nobody."""
    account = await office.join()
    reset = await office.token("request-password-reset", email="ada@example.com")
    token = await office.token("request-verification", email="ada@example.com")
    await office.client.post("/api/collections", {"name": "others", "type": "auth"}, as_=office.root)

    elsewhere = await office.client.post("/api/collections/others/confirm-verification", {"token": token})
    assert elsewhere.error.data["token"]["code"] == "validation_token_collection_mismatch"
    refused = await office.ask("confirm-verification", token=reset)
    assert refused.error.data["token"]["code"] == "validation_invalid_token"
    await office.client.patch(f"{USERS}/records/{account}", {"email": "eve@example.com"}, as_=office.root)
    assert (await office.ask("confirm-verification", token=token)).status == 400
    assert not (await office.record(account))["verified"]


async def test_expired(office):
    """A token that has expired verifies nobody."""
    account = await office.join()
    users = office.client.backend.catalog.collection("users")
    engine = office.client.backend.engine
    record = await find_record(engine.read, engine.dialect, users, {"id": account})

    late = issue("verification", users, record, -1, email="ada@example.com")

    answer = await office.ask("confirm-verification", token=late)
    assert answer.error.data["token"]["code"] == "validation_invalid_token"
    assert (await office.ask("confirm-verification", token=issue("verification", users, record))).status == 400


async def test_superusers(office):
    """Superusers have nothing to verify."""
    path = "/api/collections/_superusers/request-verification"

    answer = await office.client.post(path, {"email": "root@example.com"})

    assert (answer.status, answer.code) == (400, "always_verified")


async def test_letter_is_no_way_in(office):
    """The token of a letter speaks for nobody, and sets no password."""
    await office.join()
    token = await office.token("request-verification", email="ada@example.com")

    assert not await office.knows(token)
    assert (await office.ask("confirm-password-reset", token=token, **NEW)).status == 400
    assert (await office.ask("confirm-email-change", token=token, password=PASSWORD)).status == 400
