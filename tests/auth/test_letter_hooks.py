"""Hooks around the letters to accounts, before they are put into the outbox."""

from __future__ import annotations

import pytest
from post_office import USERS

pytestmark = pytest.mark.anyio
EVERY = ("verification", "password_reset", "email_change", "otp", "auth_alert")


async def test_a_letter_is_changed(office):
    """A hook puts another letter in place of the one from the template; it knows the account and what is in it."""
    seen = []

    @office.client.app.on.mailer_record_verification_send("users")
    async def rewrite(event):
        seen.append((event.record["email"], event.record["password"], bool(event.values["TOKEN"])))
        event.letter = replace_words(event.letter)

    await office.join()

    caught = await office.letter("request-verification", email="ada@example.com")

    assert seen == [("ada@example.com", "", True)]
    assert "Rewritten" in caught.body()


def replace_words(letter):
    return type(letter)(letter.sender, letter.to, "Changed", text="Rewritten")


async def test_each_kind_has_its_own(office):
    """A hook of one kind of letter is called for that kind, and for the accounts of its collection."""
    called = []
    for kind in EVERY:

        async def note(event, kind=kind):
            called.append(kind)

        getattr(office.client.app.on, f"mailer_record_{kind}_send")("users")(note)
        getattr(office.client.app.on, f"mailer_record_{kind}_send")("_superusers")(lambda _: called.append("never"))
    await office.options(otp={"enabled": True, "duration": 180, "length": 8})
    await office.join()
    token = (await office.log_in()).json["token"]

    await office.letter("request-verification", email="ada@example.com")
    await office.letter("request-password-reset", email="ada@example.com")
    await office.letter("request-email-change", token, newEmail="eve@example.com")
    await office.code()
    await office.options(authAlert={"enabled": True})
    await office.log_in()
    await office.client.post(
        f"{USERS}/auth-with-password",
        {"identity": "ada@example.com", "password": "correct-horse-9"},
        headers={"user-agent": "another one"},
    )

    assert called == list(EVERY)


async def test_nobody_hears_of_a_refusal(office):
    """A letter that a hook refuses, or whose hook fails, is not sent; the answer is the same, and so is a code."""
    await office.options(otp={"enabled": True, "duration": 180, "length": 8})
    await office.join()

    @office.client.app.on.mailer_record_verification_send()
    async def refuse(event):
        raise event.refuse("Not now.")

    @office.client.app.on.mailer_record_otp_send()
    async def fail(event):
        raise RuntimeError("a fault")

    answers = [await office.ask("request-verification", email="ada@example.com")]
    answers.append(await office.ask("request-otp", email="ada@example.com"))

    assert [answer.status for answer in answers] == [204, 200]
    assert await office.client.backend.engine.read('SELECT 1 FROM "_outbox"') == []
    assert len(await office.client.backend.engine.read('SELECT 1 FROM "_otps"')) == 1


async def test_a_change_of_address_that_is_refused(office):
    """Whoever asks for it hears why."""
    await office.join()
    token = (await office.log_in()).json["token"]

    @office.client.app.on.mailer_record_email_change_send("users")
    async def refuse(event):
        raise event.refuse("Keep the old one.")

    answer = await office.ask("request-email-change", token, newEmail="eve@example.com")

    assert (answer.status, answer.error.message) == (400, "Keep the old one.")
    assert await office.client.backend.engine.read('SELECT 1 FROM "_outbox"') == []


async def test_strangers_have_no_letters(office):
    """For an address that nobody has, no hook is called."""
    called = []
    office.client.app.on.mailer_record_password_reset_send()(called.append)

    assert (await office.ask("request-password-reset", email="nobody@example.com")).status == 204

    assert called == []
