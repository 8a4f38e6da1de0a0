"""Codes of an authenticator app as the second factor: set up, asked for, used once, ended by who shows one."""

from __future__ import annotations

import os
import time

import pytest
from post_office import NEW, PASSWORD, USERS, at_once

from undercroft.auth.mfa import begin_mfa
from undercroft.auth.tokens import issue
from undercroft.auth.totp import forget_totp
from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.query.scope import Identity
from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("DRILL_ROUNDS", "3"))


class Phone:
    """An account with an authenticator app. Each code that is asked for is of a later step, as time passes."""

    def __init__(self, office, email="ada@example.com"):
        self.office = office
        self.email = email
        self.seed = ""
        self.recovery = []

    async def arrive(self, **values):
        self.id = await self.office.join(self.email, **{"verified": True} | values)
        self.token = (await self.office.log_in(self.email)).json["token"]
        return self

    async def ask(self, what, as_=None, **body):
        return await self.office.client.post(f"{USERS}/{what}", body, as_=self.token if as_ is None else as_)

    async def code(self):
        """A code that counts: what was used before is as if it were long ago, and so are tries."""
        engine = self.office.client.backend.engine
        await engine.write(lambda tx: tx.run('UPDATE "_totp" SET "step" = 0'))
        await engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
        return self.now()

    def now(self, steps=0):
        return code_at(self.seed, int(time.time()) // PERIOD + steps)

    async def set_up(self):
        self.seed = (await self.ask("request-totp")).json["secret"]
        answer = await self.ask("confirm-totp", code=await self.code())
        assert answer.status == 200, answer.text
        self.recovery = answer.json["recoveryCodes"]
        return self

    async def half(self):
        answer = await self.office.log_in(self.email)
        assert answer.status == 401, answer.text
        return answer.json["mfaId"]

    async def complete(self, code, mfa_id=None):
        return await self.ask("auth-with-totp", "", code=code, mfaId=mfa_id or await self.half())


@pytest.fixture
async def ada(office):
    await office.options(totp={"enabled": True})
    return await Phone(office).arrive()


async def test_set_up(ada):
    """A secret counts once a code of it was shown; then there are recovery codes, and a log-in asks for a code."""
    begun = (await ada.ask("request-totp")).json
    assert begun["uri"].startswith("otpauth://totp/Acme%3Aada%40example.com?secret=" + begun["secret"])
    assert begun["qr"].startswith("<svg")
    assert (await ada.office.log_in()).status == 200
    ada.seed = begun["secret"]

    wrong = await ada.ask("confirm-totp", code="000000" if ada.now() != "000000" else "000001")
    right = await ada.ask("confirm-totp", code=ada.now())

    assert (wrong.status, wrong.code, right.status) == (400, "totp_refused", 200)
    assert len(set(right.json["recoveryCodes"])) == 10
    assert (await ada.office.log_in()).status == 401
    shown = await ada.office.client.get(f"{USERS}/totp", as_=ada.token)
    assert shown.json == {"enabled": True, "recoveryCodes": 10}
    assert (await ada.ask("request-totp")).code == "totp_on"
    assert (await ada.ask("confirm-totp", code=await ada.code())).code == "totp_on"


async def test_an_address_that_is_not_verified(office):
    """Its owner, who may be somebody else, would be kept out by the app, so first the address is verified."""
    await office.options(totp={"enabled": True})
    ben = await Phone(office, "ben@example.com").arrive(verified=False)
    assert (await ben.ask("request-totp")).code == "address_not_verified"

    await office.client.patch(f"{USERS}/records/{ben.id}", {"verified": True}, as_=office.root)
    await ben.set_up()

    assert (await office.log_in("ben@example.com")).status == 401


@pytest.mark.parametrize("way", ["code", "reset"])
async def test_it_is_asked_for_whatever_becomes_of_the_address(ada, way):
    """Who proves an address that is not verified any more has one factor, and is asked for the other."""
    await ada.office.options(otp={"enabled": True, "length": 8})
    await ada.set_up()
    await ada.office.client.patch(f"{USERS}/records/{ada.id}", {"verified": False}, as_=ada.office.root)

    if way == "code":
        answer = await ada.office.ask("auth-with-otp", **await ada.office.code())
    else:
        token = await ada.office.token("request-password-reset", email="ada@example.com")
        assert (await ada.office.ask("confirm-password-reset", token=token, **NEW)).status == 204
        answer = await ada.office.log_in(password=NEW["password"])

    assert answer.status == 401
    assert answer.json["methods"] == ["totp"]


async def test_verified_no_more_before_it_is_confirmed(ada):
    """An app that was begun is asked about once more when it is to count."""
    ada.seed = (await ada.ask("request-totp")).json["secret"]
    await ada.office.client.patch(f"{USERS}/records/{ada.id}", {"verified": False}, as_=ada.office.root)

    assert (await ada.ask("confirm-totp", code=ada.now())).code == "address_not_verified"


async def test_nothing_of_it_is_readable(ada):
    """Neither answers nor the codes' table tell a code."""
    await ada.set_up()

    rows = await ada.office.client.backend.engine.read('SELECT * FROM "_recovery_codes"')

    assert len(rows) == 10
    assert not any(code.replace("-", "") in str(rows) for code in ada.recovery)


async def test_password_then_code(ada):
    """The password and a code together get in; what may be the second way is said."""
    await ada.set_up()
    first = await ada.office.log_in()
    assert first.json["methods"] == ["totp"]

    answer = await ada.complete(await ada.code(), first.json["mfaId"])

    assert (answer.status, answer.json["record"]["id"]) == (200, ada.id)
    assert await ada.office.knows(answer.json["token"])
    assert (await ada.complete(await ada.code(), first.json["mfaId"])).code == "mfa_refused"


async def test_code_counts_once(ada):
    """A code that was used is none, nor is an older one; the next one is."""
    await ada.set_up()
    await ada.code()
    codes = [ada.now(steps) for steps in (0, 0, -1, 1)]

    answers = [await ada.complete(code) for code in codes]

    assert [answer.code or answer.status for answer in answers] == [200, "totp_refused", "totp_refused", 200]


async def test_recovery_codes(ada):
    """A recovery code gets in once, however it is typed."""
    await ada.set_up()

    first = await ada.complete(ada.recovery[0].upper().replace("-", " "))
    again = await ada.complete(ada.recovery[0])

    assert (first.status, again.code) == (200, "totp_refused")
    shown = await ada.office.client.get(f"{USERS}/totp", as_=ada.token)
    assert shown.json["recoveryCodes"] == 9


async def test_other_recovery_codes(ada):
    """New ones are made for who shows a code, and end the old ones."""
    await ada.set_up()
    assert (await ada.ask("renew-recovery-codes", code="123")).code == "totp_refused"

    renewed = (await ada.ask("renew-recovery-codes", code=await ada.code())).json["recoveryCodes"]

    assert set(renewed).isdisjoint(ada.recovery)
    assert (await ada.complete(ada.recovery[1])).code == "totp_refused"
    assert (await ada.complete(renewed[1])).status == 200


async def test_end(ada):
    """Only who shows a code ends it; being signed in is not enough."""
    await ada.set_up()

    for body in ({}, {"code": "000000"}, {"code": PASSWORD}):
        assert (await ada.ask("disable-totp", **body)).status == 400
    assert (await ada.ask("disable-totp", code=ada.recovery[0])).status == 204

    assert (await ada.office.log_in()).status == 200
    for table in ("_totp", "_recovery_codes"):
        assert await ada.office.client.backend.engine.read(f'SELECT * FROM "{table}"') == []


async def test_letters_tell_of_it(ada):
    """The account is written to when codes begin and end."""
    await ada.office.options(authAlert={"enabled": True})
    count = len(ada.office.server.letters)
    await ada.set_up()
    await ada.ask("disable-totp", code=await ada.code())

    letters = (await ada.office.server.arrived(count + 2))[count:]

    texts = sorted(letter.body() for letter in letters)
    assert ["no longer asks" in text for text in texts].count(True) == 1


async def test_lost_everything(ada):
    """A superuser lets in who has neither app nor recovery codes; nobody else does."""
    await ada.set_up()
    client, path = ada.office.client, f"{USERS}/totp?record={ada.id}"

    refused = await client.delete(path, as_=ada.token)
    allowed = await client.delete(path, as_=ada.office.root)

    assert (refused.status, allowed.status) == (403, 204)
    assert (await ada.office.log_in()).status == 200


async def test_superusers(ada):
    """Superusers may have codes too; whoever runs the program lets them in without."""
    client, root = ada.office.client, ada.office.root
    place = "/api/collections/_superusers"
    await client.patch(place, {"totp": {"enabled": True}}, as_=root)
    seed = (await client.post(f"{place}/request-totp", {}, as_=root)).json["secret"]
    code = code_at(seed, int(time.time()) // PERIOD)
    assert (await client.post(f"{place}/confirm-totp", {"code": code}, as_=root)).status == 200
    body = {"identity": "root@example.com", "password": PASSWORD}
    assert (await client.post(f"{place}/auth-with-password", body)).status == 401

    await forget_totp(client.backend, "root@example.com")

    assert (await client.post(f"{place}/auth-with-password", body)).status == 200


async def test_mail_is_not_enough(ada):
    """Who reads the account's mail could have a new password and a code by letter: that is one factor, not two."""
    office = ada.office
    await office.options(otp={"enabled": True, "length": 8}, mfa={"enabled": True, "duration": 600})
    await ada.set_up()
    half = await ada.half()

    answer = await office.ask("auth-with-otp", mfaId=half, **await office.code())

    assert (answer.status, answer.code) == (400, "weak_factor")
    assert (await ada.complete(await ada.code(), half)).status == 200
    first = await office.ask("auth-with-otp", **await office.code())
    assert first.json["methods"] == ["totp"]
    assert (await ada.complete(await ada.code(), first.json["mfaId"])).status == 200


async def test_collection_asks_for_two(ada):
    """Where all need two ways, a code is one for those who have an app; others use what they have."""
    office = ada.office
    await office.options(otp={"enabled": True, "length": 8}, mfa={"enabled": True, "duration": 600})
    first = await office.log_in()
    assert list(first.json) == ["mfaId"]

    answer = await ada.complete("123456", first.json["mfaId"])

    assert (answer.status, answer.code) == (400, "totp_refused")
    assert (await office.ask("auth-with-otp", mfaId=first.json["mfaId"], **await office.code())).status == 200


async def test_first_half_is_needed(ada):
    """A code names nobody: without the first half, or with another account's, it is nothing."""
    await ada.set_up()
    eve = await (await Phone(ada.office, "eve@example.com").arrive()).set_up()

    without = await ada.ask("auth-with-totp", "", code=await ada.code())
    made_up = await ada.complete(await ada.code(), "nosuchmfa000000")
    crossed = await ada.complete(await ada.code(), await eve.half())

    assert list(without.error.data) == ["mfaId"]
    assert (made_up.code, crossed.code) == ("mfa_refused", "totp_refused")


async def test_set_up_needs_a_fresh_sign_in(ada):
    """A token of a while ago, renewed just now, sets up nothing, and neither does none."""
    backend = ada.office.client.backend
    users = backend.catalog.collection("users")
    record = await find_record(backend.engine.read, backend.engine.dialect, users, {"id": ada.id})
    old = issue("auth", users, record, refreshable=True, iat=int(time.time()) - 601)
    renewed = (await ada.ask("auth-refresh", old)).json["token"]

    assert (await ada.ask("request-totp", renewed)).code == "sign_in_again"
    for what in ("request-totp", "confirm-totp", "renew-recovery-codes", "disable-totp"):
        assert (await ada.ask(what, "", code="123456")).status == 401
        assert (await ada.ask(what, ada.office.root, code="123456")).code == "wrong_auth_collection"


async def test_half_signed_in_is_not_signed_in(ada):
    """The first half opens no other door: no renewal, no list, no setting up."""
    await ada.set_up()
    half = await ada.half()

    for what in ("auth-refresh", "request-totp", "disable-totp", "request-passkey"):
        assert (await ada.ask(what, half, code=await ada.code(), mfaId=half)).status == 401


async def test_guessing_ends(ada):
    """After five tries from one place no more are looked at; from everywhere together after twenty."""
    client, office = ada.office.client, ada.office
    await client.patch("/api/settings", {"trustedProxy": {"headers": ["x-real-ip"]}}, as_=office.root)
    await ada.set_up()
    await ada.code()
    half = await ada.half()

    async def guess(place, code="000000"):
        body = {"code": code, "mfaId": half}
        return (await client.post(f"{USERS}/auth-with-totp", body, headers={"x-real-ip": place})).status

    assert [await guess("203.0.113.9") for _ in range(6)] == [400] * 5 + [429]
    assert await guess("203.0.113.9", ada.now()) == 429
    assert [await guess(f"198.51.100.{number}") for number in range(16)] == [400] * 15 + [429]


async def test_new_password_keeps_the_app(ada):
    """A new password by letter does not get around the codes."""
    await ada.set_up()
    token = await ada.office.token("request-password-reset", email=ada.email)
    await ada.office.ask("confirm-password-reset", token=token, **NEW)

    assert (await ada.office.log_in(password=NEW["password"])).status == 401


async def test_renewal_is_no_log_in(ada):
    """Who is in stays in by one token."""
    await ada.set_up()

    assert await ada.office.knows(ada.token)


async def test_option_is_turned_off(ada):
    """Where codes are not wanted any more, nobody is asked for one."""
    await ada.set_up()

    await ada.office.options(totp={"enabled": False})

    assert (await ada.office.log_in()).status == 200
    assert (await ada.ask("request-totp")).code == "totp_off"
    assert "totp" not in (await ada.office.client.get(f"{USERS}/auth-methods")).json


async def test_account_goes_and_comes_again(ada):
    """A later account with the same id has no app."""
    await ada.set_up()
    await ada.office.client.delete(f"{USERS}/records/{ada.id}", as_=ada.office.root)

    await ada.office.join(ada.email, id=ada.id, verified=True)

    assert (await ada.office.log_in()).status == 200


async def test_twenty_at_once(ada):
    """Of twenty who bring one code, or one recovery code, at the same moment one gets in."""
    backend, path = ada.office.client.backend, f"{USERS}/auth-with-totp"
    await ada.office.client.patch("/api/settings", {"trustedProxy": {"headers": ["x-real-ip"]}}, as_=ada.office.root)
    await ada.set_up()
    collection = backend.catalog.collection("users")
    record = await find_record(backend.engine.read, backend.engine.dialect, collection, {"id": ada.id})

    async def bring(number, code, half):
        body, headers = {"code": code, "mfaId": half}, {"x-real-ip": f"203.0.113.{number}"}
        return await ada.office.client.post(path, body, headers=headers)

    for number in range(ROUNDS):
        if number % 9 == 8:
            ada.recovery = (await ada.ask("renew-recovery-codes", code=await ada.code())).json["recoveryCodes"]
        for code in (await ada.code(), ada.recovery[number % 9]):
            await backend.engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
            halves = [await begin_mfa(backend, Identity(collection, record), "password") for _ in range(20)]
            places = iter(enumerate(halves))

            statuses = await at_once(20, lambda places=places, code=code: bring(*_spread(next(places), code)))

            assert statuses == [200] + [400] * 19


def _spread(place, code):
    number, half = place
    return number, code, half
