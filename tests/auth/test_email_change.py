"""Another address: asked for by the account, confirmed by a letter to it and the password."""

from __future__ import annotations

import pytest
from post_office import PASSWORD, USERS, at_once

pytestmark = pytest.mark.anyio
NEW_ADDRESS = "new@example.com"


async def signed_in(office):
    await office.join()
    return (await office.log_in()).json["token"]


async def test_moves(office):
    """The account is at its new address, verified; every session is over."""
    session = await signed_in(office)
    letter = await office.letter("request-email-change", session, newEmail=NEW_ADDRESS)
    assert letter.recipients == [NEW_ADDRESS]
    token = letter.body().split("/confirm-email-change/")[1].split()[0]

    assert (await office.ask("confirm-email-change", token=token, password=PASSWORD)).status == 204

    answer = await office.log_in(NEW_ADDRESS)
    assert (answer.status, answer.json["record"]["verified"]) == (200, True)
    assert (await office.log_in()).status == 400
    assert not await office.knows(session)
    assert (await office.ask("confirm-email-change", token=token, password=PASSWORD)).status == 400


async def test_needs_the_password(office):
    """The letter alone does not do, and guesses come to an end."""
    token = await office.token("request-email-change", await signed_in(office), newEmail=NEW_ADDRESS)

    answers = [await office.ask("confirm-email-change", token=token, password=f"guess-{n}") for n in range(6)]

    assert answers[0].error.data["password"]["code"] == "validation_invalid_password"
    assert [answer.status for answer in answers] == [400] * 5 + [429]
    assert answers[-1].error.code == "too_many_guesses"
    assert (await office.log_in()).status == 200


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "validation_required"),
        ("new", "validation_is_email"),
        ("ada@example.com", "validation_not_in_invalid"),
        ("bob@example.com", "validation_invalid_new_email"),
        ("new@example.com\r\nBcc: all@example.com", "validation_is_email"),
    ],
)
async def test_addresses(office, address, code):
    """An address that is none, the present one, or somebody's is refused."""
    await office.join("bob@example.com")

    answer = await office.ask("request-email-change", await signed_in(office), newEmail=address)

    assert (answer.status, answer.error.data["newEmail"]["code"]) == (400, code)


async def test_taken_in_the_meantime(office):
    """Who takes the address in the meantime keeps it."""
    token = await office.token("request-email-change", await signed_in(office), newEmail=NEW_ADDRESS)
    await office.join(NEW_ADDRESS)

    answer = await office.ask("confirm-email-change", token=token, password=PASSWORD)

    assert answer.error.data["token"]["code"] == "validation_invalid_token_email"


async def test_twenty_at_once(office):
    """Of those who bring one token at the same moment one moves the account."""
    token = await office.token("request-email-change", await signed_in(office), newEmail=NEW_ADDRESS)
    body = {"token": token, "password": PASSWORD}

    statuses = await at_once(20, lambda: office.client.post(f"{USERS}/confirm-email-change", body))

    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 400, 429}


async def test_who_may_ask(office):
    """Guests, accounts of other collections and superusers change no address this way."""
    assert (await office.ask("request-email-change", newEmail=NEW_ADDRESS)).status == 401
    assert (await office.ask("request-email-change", office.root, newEmail=NEW_ADDRESS)).status == 403
    path = "/api/collections/_superusers/request-email-change"
    answer = await office.client.post(path, {"newEmail": NEW_ADDRESS}, as_=office.root)
    assert (answer.status, answer.code) == (400, "changed_directly")


async def test_nobody_is_flooded(office):
    """An account has so many letters sent to addresses of its choice, and no more."""
    session = await signed_in(office)

    answers = [await office.ask("request-email-change", session, newEmail=NEW_ADDRESS) for _ in range(21)]

    assert [answer.status for answer in answers] == [204] * 20 + [429]


async def test_few_addresses_are_asked_about(office):
    """Who asks for addresses that others have learns it of so many, and of no more."""
    await office.join("bob@example.com")
    session = await signed_in(office)

    answers = [await office.ask("request-email-change", session, newEmail="bob@example.com") for _ in range(21)]

    assert [answer.status for answer in answers] == [400] * 20 + [429]
    assert (await office.ask("request-email-change", session, newEmail=NEW_ADDRESS)).status == 429
