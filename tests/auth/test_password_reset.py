"""A new password for who brings the token of the letter."""

from __future__ import annotations

import pytest
from after_answers import hold
from post_office import NEW, PASSWORD, USERS, at_once

pytestmark = pytest.mark.anyio


async def test_new_password(office):
    """The old password, every session and the token itself are worthless; the address is verified."""
    account = await office.join()
    session = (await office.log_in()).json["token"]
    token = await office.token("request-password-reset", email="ada@example.com")

    assert (await office.ask("confirm-password-reset", token=token, **NEW)).status == 204

    assert (await office.log_in(password=PASSWORD)).status == 400
    assert (await office.log_in(password=NEW["password"])).status == 200
    assert not await office.knows(session)
    assert (await office.record(account))["verified"]
    again = await office.ask("confirm-password-reset", token=token, **NEW)
    assert (again.status, again.error.data["token"]["code"]) == (400, "validation_invalid_token")


async def test_twenty_at_once(office):
    """Of twenty who bring one token at the same moment one sets the password."""
    await office.join()
    for _ in range(3):
        await office.client.backend.engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
        body = {"token": await office.token("request-password-reset", email="ada@example.com")} | NEW

        statuses = await at_once(20, lambda body=body: office.client.post(f"{USERS}/confirm-password-reset", body))

        assert statuses == [204] + [400] * 19


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (
            {},
            {
                "token": "validation_required",
                "password": "validation_required",
                "passwordConfirm": "validation_required",
            },
        ),
        ({"token": "x"} | NEW, {"token": "validation_invalid_token"}),
        (
            {"password": "a", "passwordConfirm": "b"},
            {"password": "validation_length_out_of_range", "passwordConfirm": "validation_values_mismatch"},
        ),
        ({"password": "a" * 72, "passwordConfirm": "a" * 72}, {"password": "validation_max_text_constraint"}),
    ],
    ids=["nothing", "no token", "short", "long"],
)
async def test_refused(office, body, codes):
    """What is wrong is said of each value, and nothing is changed."""
    await office.join()
    token = await office.token("request-password-reset", email="ada@example.com")

    answer = await office.ask("confirm-password-reset", **({"token": token} | body if body else {}))

    assert answer.status == 400
    assert {name: error["code"] for name, error in answer.error.data.items()} == codes
    assert (await office.log_in()).status == 200


async def test_nobody(office):
    """For an address that nobody has the answer is the same, and no letter is sent; the next one is not held up."""
    await office.join()

    known = await office.ask("request-password-reset", email="ada@example.com")
    unknown = await office.ask("request-password-reset", email="who@example.com")

    assert (known.status, known.body) == (unknown.status, unknown.body) == (204, b"")
    (letter,) = await office.server.arrived()
    assert letter.recipients == ["ada@example.com"]


async def test_answered_before_it_is_looked_for(office):
    """The answer comes before the account is looked for, so that its time tells nothing."""
    await office.join()
    errands = office.client.backend.errands
    begin = hold(errands)

    await office.client.post(f"{USERS}/request-password-reset", {"email": "ada@example.com"})

    assert await office.client.backend.engine.read('SELECT 1 FROM "_outbox"') == []
    begin.set()
    await errands.done()
    assert len(await office.client.backend.engine.read('SELECT 1 FROM "_outbox"')) == 1


async def test_what_the_table_tells(office):
    """Who reads the table of rations learns of no address that was asked for."""
    for name in ("ada", "who"):
        await office.ask("request-password-reset", email=f"{name}@example.com")

    rows = await office.client.backend.engine.read('SELECT "key" FROM "_rations"')

    assert rows
    assert all(len(key) == 64 and "@" not in key for (key,) in rows)


async def test_no_passwords(office):
    """A collection without passwords resets none."""
    await office.options(passwordAuth={"enabled": False}, otp={"enabled": True})

    answer = await office.ask("request-password-reset", email="ada@example.com")

    assert (answer.status, answer.code) == (400, "no_passwords_here")


async def test_superusers(office):
    """A superuser who has lost the password gets a letter too."""
    path = "/api/collections/_superusers/request-password-reset"

    await office.client.post(path, {"email": "root@example.com"})

    (letter,) = await office.server.arrived()
    assert letter.recipients == ["root@example.com"]


async def test_token_ends_with_the_password(office):
    """A password that was changed in the meantime ends the token."""
    account = await office.join()
    token = await office.token("request-password-reset", email="ada@example.com")

    await office.client.patch(f"{USERS}/records/{account}", NEW, as_=office.root)

    body = {"token": token, "password": "eves-horse-11", "passwordConfirm": "eves-horse-11"}
    assert (await office.ask("confirm-password-reset", **body)).status == 400
    assert (await office.log_in(password=NEW["password"])).status == 200


async def test_name_that_would_be_a_header(office):
    """What somebody calls themselves changes neither the headers nor the HTML of their letter."""
    template = {"subject": "Hello {RECORD:name}", "body": "<p>{RECORD:name}</p>"}
    await office.options(resetPasswordTemplate=template)
    await office.join(name="<b>Ada</b>\r\nBcc: all@example.com\r\n\r\n{TOKEN}")

    letter = await office.letter("request-password-reset", email="ada@example.com")

    assert letter.recipients == ["ada@example.com"]
    assert letter.message["Bcc"] is None
    assert letter.message["Subject"] == "Hello <b>Ada</b> Bcc: all@example.com {TOKEN}"
    assert "&lt;b&gt;Ada&lt;/b&gt;" in letter.body("html")
    assert "{TOKEN}" in letter.body("html")
