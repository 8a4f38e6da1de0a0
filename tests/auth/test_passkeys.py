"""Passkeys: made by who has just signed in, used alone or as the second factor, and not to be fooled."""

from __future__ import annotations

import base64
import json
import os
import random
import time

import pytest
from authenticator import ORIGIN, PRESENT, VERIFIED, Authenticator, Lie, decode, encode
from post_office import NEW, PASSWORD, USERS, at_once

from undercroft.auth.tickets import forget_old_tickets, has_old_tickets
from undercroft.auth.tokens import issue
from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("DRILL_ROUNDS", "3"))


class Desk:
    """Somebody with a browser: an account, its token, and requests about passkeys."""

    def __init__(self, office, email="ada@example.com"):
        self.office = office
        self.email = email
        self.token = ""
        self.id = ""

    async def arrive(self):
        """Have an account, and sign in."""
        self.id = await self.office.join(self.email, verified=True)
        self.token = (await self.office.log_in(self.email)).json["token"]
        return self

    async def ask(self, what, as_=None, **body):
        return await self.office.client.post(f"{USERS}/{what}", body, as_=self.token if as_ is None else as_)

    async def token_of(self, moment):
        """A token of who signed in at a moment."""
        backend = self.office.client.backend
        users, engine = backend.catalog.collection("users"), backend.engine
        record = await find_record(engine.read, engine.dialect, users, {"id": self.id})
        return issue("auth", users, record, refreshable=True, iat=moment)

    async def register(self, device=None, lie=None, **more):
        """The device, and the answer to what it made."""
        device = device or Authenticator()
        options = (await self.ask("request-passkey")).json
        return device, await self.ask("confirm-passkey", credential=device.create(options, lie), **more)

    async def own(self):
        """An authenticator with a passkey of the account."""
        device, answer = await self.register()
        assert answer.status == 200, answer.text
        return device

    async def challenge(self, **body):
        answer = await self.ask("request-passkey-login", "", **body)
        assert answer.status == 200, answer.text
        return answer.json

    async def enter(self, device, lie=None, **body):
        """The answer to signing in with a device."""
        brought = device.get(await self.challenge(**body), lie)
        return await self.ask("auth-with-passkey", "", credential=brought, **body)


@pytest.fixture
async def ada(office):
    await office.options(passkeys={"enabled": True})
    return await Desk(office).arrive()


async def test_register_and_sign_in(ada):
    """A passkey is made by who is signed in, and then opens the account by itself."""
    device, made = await ada.register(name="My key")

    answer = await ada.enter(device)

    assert (made.status, made.json["name"]) == (200, "My key")
    assert (answer.status, answer.json["record"]["id"]) == (200, ada.id)
    assert await ada.office.knows(answer.json["token"])
    assert (await ada.enter(device)).status == 200


async def test_what_the_browser_is_asked(ada):
    """The site is that of the configured URL, whatever host the request came for."""
    path, lie = f"{USERS}/request-passkey", {"host": "evil.example", "origin": "https://evil.example"}

    options = (await ada.office.client.post(path, {}, headers=lie, as_=ada.token)).json

    assert options["rp"] == {"id": "app.example.com", "name": "Acme"}
    assert options["user"]["name"] == "ada@example.com"
    assert ada.id not in decode(options["user"]["id"]).decode("latin-1")
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert len(decode(options["challenge"])) == 32


async def test_known_passkeys_are_left_out(ada):
    """A device that has one is not asked to make another."""
    device = await ada.own()

    options = (await ada.ask("request-passkey")).json

    assert [each["id"] for each in options["excludeCredentials"]] == [encode(device.credential)]


async def test_list_rename_remove(ada):
    """Who owns passkeys sees, names and removes them; what is removed opens nothing."""
    client, path = ada.office.client, f"{USERS}/passkeys"
    device = await ada.own()
    await ada.enter(device)
    [shown] = (await client.get(path, as_=ada.token)).json["items"]
    assert shown["name"] == "Passkey"
    assert shown["used"] >= shown["created"] > "2020"
    assert "key" not in shown

    renamed = await client.patch(f"{path}/{shown['id']}", {"name": "Blue key"}, as_=ada.token)
    removed = await client.delete(f"{path}/{shown['id']}", as_=ada.token)

    assert renamed.json["name"] == "Blue key"
    assert removed.status == 204
    assert (await client.get(path, as_=ada.token)).json["items"] == []
    assert (await ada.enter(device)).code == "passkey_refused"


async def test_passkeys_of_others(ada):
    """Nobody sees or touches those of somebody else, but superusers, who name the account."""
    await ada.own()
    office, path = ada.office, f"{USERS}/passkeys"
    eve = await Desk(office, "eve@example.com").arrive()
    [own] = (await office.client.get(path, as_=ada.token)).json["items"]

    for request in (
        office.client.patch(f"{path}/{own['id']}", {"name": "x"}, as_=eve.token),
        office.client.delete(f"{path}/{own['id']}", as_=eve.token),
        office.client.delete(f"{path}/{own['id']}?record={ada.id}", as_=eve.token),
    ):
        assert (await request).status == 404
    assert (await office.client.get(f"{path}?record={ada.id}", as_=eve.token)).json["items"] == []
    assert (await office.client.get(f"{path}?record={ada.id}", as_=office.root)).json["items"] == [own]
    assert (await office.client.delete(f"{path}/{own['id']}?record={ada.id}", as_=office.root)).status == 204


FAULTS = {
    "wrong origin": Lie(origin="https://evil.example"),
    "origin with a port": Lie(origin=f"{ORIGIN}:8443"),
    "origin of a subdomain": Lie(origin="https://x.app.example.com"),
    "another site's hash": Lie(party="evil.example"),
    "made-up challenge": Lie(challenge=encode(bytes(32))),
    "user not present": Lie(flags=VERIFIED),
    "user not verified": Lie(flags=PRESENT),
    "counter back": Lie(counter=0),
    "foreign credential": Lie(credential=encode(b"x" * 32)),
    "handle of nobody": Lie(handle=encode(b"x" * 32)),
    "of the other kind": Lie(kind="webauthn.create"),
    "no known kind": Lie(kind="webauthn.pay"),
    "altered signature": Lie(breaks_signature=True),
    "altered client data": Lie(changes_client_data=True),
    "framed by another site": Lie(crosses_origins=True),
}


@pytest.mark.parametrize("said", ["[" * 30000, '{"challenge": "x", "a": ' + "[" * 30000, "no JSON", ""])
async def test_client_data_that_no_browser_makes(ada, said):
    """It is refused as any other that is wrong."""
    data = base64.urlsafe_b64encode(said.encode()).decode()

    answer = await ada.ask("auth-with-passkey", "", credential={"id": "x", "response": {"clientDataJSON": data}})

    assert (answer.status, answer.code) == (400, "passkey_refused")


async def test_false_answers_are_refused(ada):
    """An answer that is wrong in one point opens nothing, and the challenge is used up."""
    device = await ada.own()
    await ada.enter(device)
    outcomes, honest = {}, {}
    for fault, lie in FAULTS.items():
        options = await ada.challenge()

        answer = await ada.ask("auth-with-passkey", "", credential=device.get(options, lie))

        outcomes[fault] = answer.status, answer.code
        honest[fault] = (await ada.ask("auth-with-passkey", "", credential=device.get(options))).status

    assert outcomes == dict.fromkeys(FAULTS, (400, "passkey_refused"))
    unread = dict.fromkeys(("made-up challenge", "framed by another site"), 200)
    assert honest == dict.fromkeys(FAULTS, 400) | unread


FALSE_PASSKEYS = {
    "wrong origin": Lie(origin="https://evil.example"),
    "another site's hash": Lie(party="evil.example"),
    "made-up challenge": Lie(challenge=encode(bytes(32))),
    "user not present": Lie(flags=VERIFIED),
    "user not verified": Lie(flags=PRESENT),
    "ES256K": Lie(algorithm=-47),
    "RSA with SHA-1": Lie(algorithm=-65535),
    "of the other kind": Lie(kind="webauthn.get"),
    "another credential's id": Lie(credential=encode(b"y" * 32)),
    "framed by another site": Lie(crosses_origins=True),
}


async def test_false_passkeys_are_refused(ada):
    """A passkey that is wrong in one point is not kept."""
    answers = {fault: (await ada.register(lie=lie))[1] for fault, lie in FALSE_PASSKEYS.items()}

    outcomes = {fault: (answer.status, answer.code) for fault, answer in answers.items()}
    assert outcomes == dict.fromkeys(FALSE_PASSKEYS, (400, "passkey_refused"))
    assert (await ada.office.client.get(f"{USERS}/passkeys", as_=ada.token)).json["items"] == []


async def test_challenge_counts_once(ada):
    """What was brought once is worth nothing the second time."""
    device = await ada.own()
    brought = device.get(await ada.challenge())

    first = await ada.ask("auth-with-passkey", "", credential=brought)
    again = await ada.ask("auth-with-passkey", "", credential=brought)

    assert (first.status, again.status, again.code) == (200, 400, "passkey_refused")


async def test_challenge_expires(ada):
    """After five minutes a challenge is none, and is forgotten."""
    device, engine = await ada.own(), ada.office.client.backend.engine
    options = await ada.challenge()
    assert not await has_old_tickets(engine)
    await engine.write(lambda tx: tx.run('UPDATE "_tickets" SET "until" = "until" - 301'))

    assert await has_old_tickets(engine)
    assert (await ada.ask("auth-with-passkey", "", credential=device.get(options))).code == "passkey_refused"
    await ada.challenge()
    await engine.write(lambda tx: tx.run('UPDATE "_tickets" SET "until" = "until" - 301'))
    await engine.write(lambda tx: forget_old_tickets(tx, engine.dialect))
    assert not await has_old_tickets(engine)


async def test_challenge_of_the_other_ceremony(ada):
    """What was asked for to sign in makes no passkey, nor the other way round."""
    device = await ada.own()
    login, made = await ada.challenge(), (await ada.ask("request-passkey")).json
    other = Authenticator()

    confirmed = await ada.ask("confirm-passkey", credential=other.create(made | {"challenge": login["challenge"]}))
    entered = await ada.ask("auth-with-passkey", "", credential=device.get(login | {"challenge": made["challenge"]}))

    assert (confirmed.code, entered.code) == ("passkey_refused", "passkey_refused")


async def test_challenge_of_somebody_else(ada):
    """A passkey is made by the account that asked for it, in the session that asked."""
    office = ada.office
    eve = await Desk(office, "eve@example.com").arrive()
    options = (await ada.ask("request-passkey")).json

    stolen = await eve.ask("confirm-passkey", credential=Authenticator().create(options))

    assert stolen.code == "passkey_refused"
    assert (await ada.ask("confirm-passkey", credential=Authenticator().create(options))).code == "passkey_refused"


async def test_challenge_ends_with_the_tokens(ada):
    """What was asked for before the password changed is worth nothing after it."""
    options = (await ada.ask("request-passkey")).json
    change = {"password": "better-horse-10", "passwordConfirm": "better-horse-10", "oldPassword": PASSWORD}
    await ada.office.client.patch(f"{USERS}/records/{ada.id}", change, as_=ada.token)
    token = (await ada.office.log_in(password="better-horse-10")).json["token"]

    answer = await ada.ask("confirm-passkey", token, credential=Authenticator().create(options))

    assert answer.code == "passkey_refused"


async def test_same_device_twice(ada):
    """A credential is one passkey, of one account."""
    device = await ada.own()
    eve = await Desk(ada.office, "eve@example.com").arrive()

    _, again = await ada.register(device)
    _, hers = await eve.register(device)

    assert (again.status, again.code, hers.code) == (400, "passkey_known", "passkey_known")


async def test_passkey_of_somebody_else_says_who_it_is(ada):
    """A device with the handle of one account and the credential of another opens neither."""
    own = await ada.own()
    eve = await Desk(ada.office, "eve@example.com").arrive()
    hers = await eve.own()

    answer = await ada.enter(own, Lie(handle=hers.handle))

    assert answer.code == "passkey_refused"


async def test_devices_that_do_not_count(ada):
    """Synced passkeys have no counter, and sign in all the same."""
    device, _ = await ada.register(Authenticator(counts=False))

    assert [(await ada.enter(device)).status for _ in range(3)] == [200] * 3


async def test_fresh_sign_in_is_needed(ada):
    """A token of a while ago, renewed just now, or that speaks for somebody, is not enough to open a new way in."""
    office = ada.office
    renewed = (await ada.ask("auth-refresh", await ada.token_of(time.time() - 601))).json["token"]
    spoken = (await office.client.post(f"{USERS}/impersonate/{ada.id}", {}, as_=office.root)).json["token"]

    for token in (renewed, spoken):
        answer = await ada.ask("request-passkey", token)
        assert (answer.status, answer.code) == (403, "sign_in_again")
    assert (await ada.ask("request-passkey", "")).status == 401
    assert (await ada.ask("request-passkey", office.root)).code == "wrong_auth_collection"


async def test_a_letter_tells_of_it(ada):
    """The account is written to when there is a new way in."""
    await ada.office.options(authAlert={"enabled": True})
    count = len(ada.office.server.letters)

    await ada.register(name="Blue <key>")

    letter = (await ada.office.server.arrived(count + 1))[-1]
    assert letter.recipients == ["ada@example.com"]
    assert "Blue <key>" in letter.body()


async def test_second_factor(ada):
    """A passkey completes what a password began, for its own account, and verification is not asked for again."""
    office, device = ada.office, await ada.own()
    await office.options(mfa={"enabled": True, "duration": 600})
    half = (await office.log_in()).json["mfaId"]
    options = await ada.challenge(mfaId=half)
    assert [each["id"] for each in options["allowCredentials"]] == [encode(device.credential)]

    brought = device.get(options, Lie(flags=PRESENT, handle=""))
    answer = await ada.ask("auth-with-passkey", "", credential=brought, mfaId=half)

    assert (answer.status, answer.json["record"]["id"]) == (200, ada.id)
    assert (await ada.ask("request-passkey-login", "", mfaId=half)).code == "mfa_refused"


async def test_second_factor_of_somebody_else(ada):
    """Another account's passkey completes nothing, nor does a challenge that was asked for another first half."""
    office, eve = ada.office, await Desk(ada.office, "eve@example.com").arrive()
    own, hers = await ada.own(), await eve.own()
    await office.options(mfa={"enabled": True, "duration": 600})
    half, other = [(await office.log_in()).json["mfaId"] for _ in range(2)]

    foreign = await ada.ask("auth-with-passkey", "", credential=hers.get(await ada.challenge(mfaId=half)), mfaId=half)
    crossed = await ada.ask("auth-with-passkey", "", credential=own.get(await ada.challenge(mfaId=half)), mfaId=other)
    loose = await ada.ask("auth-with-passkey", "", credential=hers.get(await ada.challenge()), mfaId=half)

    assert (foreign.code, crossed.code, loose.code) == ("passkey_refused", "passkey_refused", "mfa_refused")


async def test_first_factor_is_not_weakened(ada):
    """A challenge for a second factor, which asks for less, is no way in by itself."""
    device, office = await ada.own(), ada.office
    await office.options(mfa={"enabled": True, "duration": 600})
    half = (await office.log_in()).json["mfaId"]
    await office.options(mfa={"enabled": False})
    brought = device.get(await ada.challenge(mfaId=half), Lie(flags=PRESENT))

    answer = await ada.ask("auth-with-passkey", "", credential=brought)

    assert answer.status == 200
    again = device.get(await ada.challenge(), Lie(flags=PRESENT))
    assert (await ada.ask("auth-with-passkey", "", credential=again)).code == "passkey_refused"


async def test_first_half(ada):
    """Where two factors are asked for, a passkey is one of them."""
    device, office = await ada.own(), ada.office
    await office.options(mfa={"enabled": True, "duration": 600})

    first = await ada.enter(device)
    same = await ada.enter(device, mfaId=first.json["mfaId"])
    body = {"identity": ada.email, "password": PASSWORD, "mfaId": first.json["mfaId"]}
    second = await office.client.post(f"{USERS}/auth-with-password", body)

    assert (first.status, same.code, second.status) == (401, "same_method", 200)


async def test_verification_may_be_preferred(ada):
    """A collection may take passkeys of devices that do not know their user."""
    await ada.office.options(passkeys={"userVerification": "preferred"})

    device, made = await ada.register(lie=Lie(flags=PRESENT))

    assert made.status == 200
    assert (await ada.enter(device, Lie(flags=PRESENT))).status == 200


async def test_the_account_goes_and_comes_again(ada):
    """A passkey does not open a later account with the same id."""
    device, office = await ada.own(), ada.office
    await office.client.delete(f"{USERS}/records/{ada.id}", as_=office.root)
    await office.join(ada.email, id=ada.id, verified=True)

    assert (await ada.enter(device)).code == "passkey_refused"
    assert await office.client.backend.engine.read('SELECT * FROM "_passkeys"') == []


async def test_the_collection_is_emptied(ada):
    """Passkeys go with all accounts as well."""
    await ada.own()

    await ada.office.client.delete(f"{USERS}/truncate", as_=ada.office.root)

    assert await ada.office.client.backend.engine.read('SELECT * FROM "_passkeys"') == []


async def test_keys_of_who_came_before_the_owner(office):
    """Whoever proves an address finds no passkey there that was made before by who knows whom."""
    await office.options(passkeys={"enabled": True}, otp={"enabled": True, "length": 8})

    for number, mfa in enumerate((False, True)):
        await office.options(mfa={"enabled": False})
        thief = Desk(office, f"victim{number}@example.com")
        await office.join(thief.email)
        thief.token = (await office.log_in(thief.email)).json["token"]
        device = await thief.own()
        await office.options(mfa={"enabled": mfa, "duration": 600})
        await office.ask("auth-with-otp", **await office.code(thief.email))

        assert (await thief.enter(device)).code == "passkey_refused"


async def test_reset_of_who_was_not_verified(office):
    """So does a new password by letter; of a verified account the passkeys stay."""
    await office.options(passkeys={"enabled": True})
    outcomes = []
    for number, verified in enumerate((False, True)):
        desk = Desk(office, f"ada{number}@example.com")
        await office.join(desk.email, verified=verified)
        desk.token = (await office.log_in(desk.email)).json["token"]
        device = await desk.own()
        token = await office.token("request-password-reset", email=desk.email)
        await office.ask("confirm-password-reset", token=token, **NEW)

        outcomes.append((await desk.enter(device)).status)

    assert outcomes == [400, 200]


async def test_auth_rule(ada):
    """Whom the collection does not let in, a passkey does not let in, and rules may tell the way."""
    device = await ada.own()
    await ada.office.options(authRule='@request.context != "passkey"')

    answer = await ada.enter(device)

    assert (answer.status, answer.code) == (403, "auth_rule_not_met")


async def test_off(office):
    """Collections without passkeys say nothing of them, and take none."""
    await office.join()
    token = (await office.log_in()).json["token"]

    for what in ("request-passkey", "confirm-passkey", "request-passkey-login", "auth-with-passkey"):
        answer = await office.ask(what, token)
        assert (answer.status, answer.code) == (403, "passkeys_off"), what
    assert "passkey" not in (await office.client.get(f"{USERS}/auth-methods")).json
    assert "passkeys" not in (await office.client.get(USERS, as_=office.root)).json


async def test_on(ada):
    """Collections with passkeys say so."""
    office = ada.office

    assert (await office.client.get(f"{USERS}/auth-methods")).json["passkey"] == {"enabled": True}
    shown = (await office.client.get(USERS, as_=office.root)).json["passkeys"]
    assert shown == {"enabled": True, "userVerification": "required"}
    await office.options(passkeys=None)
    assert "passkeys" not in (await office.client.get(USERS, as_=office.root)).json


async def test_no_name_no_passkeys(ada):
    """An application at a bare address cannot have passkeys, and is told so."""
    for url in ("https://127.0.0.1:8090", "https://[::1]", "127.0.0.1"):
        await ada.office.client.patch("/api/settings", {"meta": {"appURL": url}}, as_=ada.office.root)

        answer = await ada.ask("request-passkey")

        assert (answer.status, answer.code) == (400, "no_passkey_origin")


async def test_most(ada):
    """An account has twenty passkeys at most."""
    await ada.office.options(authAlert={"enabled": False})
    codes = [(await ada.register())[1].code for _ in range(21)]

    assert codes == [""] * 20 + ["too_many_passkeys"]


async def test_twenty_at_once(ada):
    """Of twenty who bring one answer at the same moment one gets in."""
    device, path = await ada.own(), f"{USERS}/auth-with-passkey"
    for _ in range(ROUNDS):
        brought = device.get(await ada.challenge())

        statuses = await at_once(20, lambda brought=brought: ada.office.client.post(path, {"credential": brought}))

        assert statuses == [200] + [400] * 19


async def test_nonsense(ada, seed):
    """Whatever is sent in place of an answer is refused, and never a fault of ours."""
    chance = random.Random(seed)
    device = await ada.own()
    path = f"{USERS}/auth-with-passkey"
    for _ in range(60):
        text = json.dumps({"credential": device.get(await ada.challenge())})
        at = chance.randrange(len(text))
        changed = text[:at] + chance.choice(["", "A", "_", "0", '"', "é", "[", "\\ud800", "null"]) + text[at + 1 :]
        headers = {"content-type": "application/json"}

        answer = await ada.office.client.post(path, body=changed.encode(), headers=headers)

        assert answer.status in {200, 400}, changed


async def test_bad_forms(ada):
    """What is no answer of a browser is refused."""
    bad = [None, {}, [], "x", {"id": 1}, {"id": "x", "response": {}}, {"id": "x", "response": {"clientDataJSON": "é"}}]
    answers = [
        await ada.ask(what, credential=credential)
        for what in ("auth-with-passkey", "confirm-passkey")
        for credential in bad
    ]

    assert {answer.status for answer in answers} == {400}
