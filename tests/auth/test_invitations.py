"""Invitations: sent by who may manage such accounts, accepted once by who has the letter."""

from __future__ import annotations

import os

import pytest
from post_office import NEW, PASSWORD, USERS, at_once, token_in

from undercroft.auth import invitations
from undercroft.auth.invitations import forget_old_invitations, has_old_invitations

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("DRILL_ROUNDS", "3"))
EVE = "eve@example.com"


@pytest.fixture
async def desk(office):
    """A post office where nobody signs up, and whose leads manage the accounts of their team."""
    fields = [
        {"name": "team", "type": "text", "max": 10},
        {"name": "role", "type": "text"},
        {"name": "note", "type": "text", "hidden": True},
    ]
    collection = (await office.client.get(USERS, as_=office.root)).json
    await office.options(
        fields=[*collection["fields"], *fields],
        invitations={"enabled": True},
        createRule=None,
        manageRule='@request.auth.role = "lead" && @request.auth.team = team && role != "lead"',
    )
    return office


async def lead(desk, email="lead@example.com", **values):
    """A lead's id and token."""
    account = await desk.join(email, **{"team": "red", "role": "lead", "verified": True} | values)
    return account, (await desk.log_in(email)).json["token"]


async def invite(desk, as_=None, **body):
    return await desk.ask("invitations", desk.root if as_ is None else as_, **{"email": EVE} | body)


async def letter(desk, as_=None, **body):
    """What is in the letter of an invitation."""
    count = len(desk.server.letters)
    answer = await invite(desk, as_, **body)
    assert answer.status == 200, answer.text
    return token_in((await desk.server.arrived(count + 1))[-1])


async def accept(desk, token, **body):
    return await desk.ask("accept-invitation", token=token, **NEW | body)


async def test_invite_and_accept(desk):
    """Who accepts has an account as it was offered, and is in."""
    token = await letter(desk, values={"team": "red", "role": "writer"}, ask=["name"])
    shown = await desk.ask("check-invitation", token=token)

    answer = await accept(desk, token, name="Eve", role="lead", verified=False, id="abcdefghijklmno")

    assert (shown.json["email"], shown.json["ask"]) == (EVE, ["name"])
    assert answer.status == 200, answer.text
    record = answer.json["record"]
    assert [record[name] for name in ("email", "verified", "team", "role", "name")] == [
        EVE,
        True,
        "red",
        "writer",
        "Eve",
    ]
    assert record["id"] != "abcdefghijklmno"
    assert await desk.knows(answer.json["token"])
    assert (await desk.log_in(EVE, NEW["password"])).status == 200
    assert (await accept(desk, token)).code == "invitation_refused"


async def test_nothing_that_was_not_asked_for(desk):
    """The invited fill in what they were asked for, and nothing else."""
    token = await letter(desk)

    record = (await accept(desk, token, name="Eve", team="blue")).json["record"]

    assert (record["name"], record["team"]) == ("", "")


async def test_managers_invite(desk):
    """A lead invites to the own team, and to no other rank or team."""
    _, token = await lead(desk)

    allowed = await invite(desk, token, values={"team": "red", "role": "writer"})
    refused = [
        await invite(desk, token, values=values) for values in ({"team": "blue"}, {"team": "red", "role": "lead"}, {})
    ]

    assert allowed.status == 200
    assert [(answer.status, answer.code) for answer in refused] == [(403, "may_not_invite")] * 3


async def test_others_do_not_invite(desk):
    """Neither guests nor ordinary accounts invite anybody."""
    await desk.join("ada@example.com", team="red")
    ada = (await desk.log_in()).json["token"]

    assert (await invite(desk, "")).status == 401
    assert (await invite(desk, ada, values={"team": "red"})).code == "may_not_invite"


async def test_demoted_managers(desk):
    """An invitation is worth what its sender may do when it is accepted, and goes with them."""
    outcomes = []
    for number, change in enumerate(({"role": "writer"}, {"team": "blue"}, None)):
        account, token = await lead(desk, f"lead{number}@example.com")
        text = await letter(desk, token, values={"team": "red"})
        path = f"{USERS}/records/{account}"
        if change:
            await desk.client.patch(path, change, as_=desk.root)
        else:
            await desk.client.delete(path, as_=desk.root)

        outcomes += [(await desk.ask("check-invitation", token=text)).code, (await accept(desk, text)).code]

    assert outcomes == ["invitation_refused"] * 6


async def test_blocked_managers(desk):
    """An invitation of somebody who was blocked lets nobody in until they are let in again."""
    account, token = await lead(desk)
    text = await letter(desk, token, values={"team": "red"})
    path = f"{USERS}/block/{account}"

    await desk.client.post(path, {}, as_=desk.root)
    outcomes = [(await desk.ask("check-invitation", token=text)).code, (await accept(desk, text)).code]

    assert outcomes == ["invitation_refused"] * 2
    await desk.client.delete(path, as_=desk.root)
    assert (await accept(desk, text)).status == 200


async def test_managers_who_are_let_in_no_more(desk):
    """An invitation of somebody whom the auth rule keeps out lets nobody in."""
    account, token = await lead(desk, name="active")
    await desk.options(authRule="name = 'active'")
    token = (await desk.log_in("lead@example.com")).json["token"]
    text = await letter(desk, token, values={"team": "red", "name": "active"})
    path = f"{USERS}/records/{account}"

    await desk.client.patch(path, {"name": ""}, as_=desk.root)
    assert (await accept(desk, text)).code == "invitation_refused"
    assert (await invite(desk, token, values={"team": "red", "name": "active"})).code == "may_not_invite"

    await desk.client.patch(path, {"name": "active"}, as_=desk.root)
    assert (await accept(desk, text)).status == 200


async def test_where_nobody_logs_in_nobody_invites(desk):
    """An invitation that was sent before counts no more, and none is sent, also by who acts for an account."""
    account, token = await lead(desk)
    text = await letter(desk, token, values={"team": "red"})
    await desk.options(authRule=None)
    acting = (await desk.client.post(f"{USERS}/impersonate/{account}", {}, as_=desk.root)).json["token"]

    assert (await accept(desk, text)).code == "invitation_refused"
    assert (await invite(desk, acting, values={"team": "red"})).code == "may_not_invite"


async def test_rules_about_requests_say_nothing_of_inviters(desk):
    """A rule that looks at requests is asked when one invites, and cannot be when somebody else accepts."""
    await lead(desk)
    await desk.options(authRule="@request.headers.x_app = 'ours'")
    form = {"identity": "lead@example.com", "password": PASSWORD}
    answer = await desk.client.post(f"{USERS}/auth-with-password", form, headers={"x-app": "ours"})
    form = {"email": EVE, "values": {"team": "red"}}
    count, theirs = len(desk.server.letters), answer.json["token"]
    sent = [
        (await desk.client.post(f"{USERS}/invitations", form, as_=theirs, headers=headers)).status
        for headers in ({}, {"x-app": "ours"})
    ]
    assert sent == [403, 200]
    text = token_in((await desk.server.arrived(count + 1))[-1])

    answer = await desk.client.post(f"{USERS}/accept-invitation", {"token": text, **NEW}, headers={"x-app": "ours"})

    assert answer.status == 200


async def test_blocked_while_somebody_accepts(desk, monkeypatch):
    """Who invited is looked at once more in the transaction that makes the account."""
    account, token = await lead(desk)
    text = await letter(desk, token, values={"team": "red"})
    prepare = invitations.prepare_write

    async def prepare_slowly(*arguments):
        prepared = await prepare(*arguments)
        assert (await desk.client.post(f"{USERS}/block/{account}", {}, as_=desk.root)).status == 204
        return prepared

    monkeypatch.setattr(invitations, "prepare_write", prepare_slowly)

    assert (await accept(desk, text)).code == "invitation_refused"
    assert (await desk.client.get(f"{USERS}/records", as_=desk.root)).json["totalItems"] == 1


async def test_what_is_filled_in_gives_no_rank(desk):
    """Who may not offer something may not let the invited fill it in either; the invitation stays."""
    _, token = await lead(desk)
    text = await letter(desk, token, values={"team": "red"}, ask=["role"])

    refused = await accept(desk, text, role="lead")
    accepted = await accept(desk, text, role="writer")

    assert (refused.status, refused.code) == (400, "answers_refused")
    assert (accepted.status, accepted.json["record"]["role"]) == (200, "writer")


async def test_list_and_take_back(desk):
    """Who invites sees and takes back the own invitations; superusers all."""
    _, token = await lead(desk)
    mine = (await invite(desk, token, values={"team": "red"})).json
    other = (await invite(desk, email="joe@example.com")).json
    client, path = desk.client, f"{USERS}/invitations"

    assert (await client.get(path, as_=token)).json["items"] == [mine]
    assert (await client.get(path, as_=desk.root)).json["items"] == [other, mine]
    assert (await client.delete(f"{path}/{other['id']}", as_=token)).status == 404
    assert (await client.delete(f"{path}/{mine['id']}", as_=token)).status == 204
    assert (await client.get(path, as_=desk.root)).json["items"] == [other]
    assert (await client.get(path)).status == 401


async def test_taken_back(desk):
    """What was taken back, or sent anew, counts no more."""
    first = await letter(desk)
    second = await letter(desk)
    [kept] = (await desk.client.get(f"{USERS}/invitations", as_=desk.root)).json["items"]

    assert (await accept(desk, first)).code == "invitation_refused"
    await desk.client.delete(f"{USERS}/invitations/{kept['id']}", as_=desk.root)
    assert (await accept(desk, second)).code == "invitation_refused"


async def test_expires(desk):
    """After its time an invitation is none, and is forgotten."""
    token, engine = await letter(desk), desk.client.backend.engine
    assert not await has_old_invitations(engine)
    await engine.write(lambda tx: tx.run('UPDATE "_invitations" SET "expires" = "expires" - 604801'))

    assert (await accept(desk, token)).code == "invitation_refused"
    assert (await desk.client.get(f"{USERS}/invitations", as_=desk.root)).json["items"] == []
    assert await has_old_invitations(engine)
    await engine.write(lambda tx: forget_old_invitations(tx, engine.dialect))
    assert not await has_old_invitations(engine)


async def test_bad_passwords_use_nothing_up(desk):
    """Whoever chooses a password that is refused may choose another."""
    token = await letter(desk)

    short = await accept(desk, token, password="x", passwordConfirm="x")
    differs = await accept(desk, token, passwordConfirm="other-horse-9")
    missing = await desk.ask("accept-invitation", token=token)

    assert [list(answer.error.data) for answer in (short, differs)] == [["password"], ["passwordConfirm"]]
    assert set(missing.error.data) == {"password", "passwordConfirm"}
    assert (await accept(desk, token)).status == 200


async def test_bad_offers(desk):
    """What no account can be is said when it is offered."""
    offers = {
        "values": {
            "values": {"team": "much too long a name", "nope": 1, "password": "x", "id": "abc", "verified": False}
        },
        "ask": {"values": {"role": "x"}, "ask": ["nope", "role", "note", "password", "avatar", "name"]},
        "email": {"email": "ada@example.com"},
    }
    await desk.join("ada@example.com")

    answers = {what: await invite(desk, **offer) for what, offer in offers.items()}

    assert [list(answer.error.data) for answer in answers.values()] == [["values"], ["ask"], ["email"]]
    assert set(answers["values"].error.data["values"]) == {"team", "nope", "password", "id", "verified"}
    assert list(answers["ask"].error.data["ask"]) == ["0", "1", "2", "3", "4"]
    assert answers["email"].error.data["email"]["code"] == "validation_not_unique"


async def test_hidden_fields(desk):
    """What only superusers see only they set."""
    _, token = await lead(desk)

    refused = await invite(desk, token, values={"team": "red", "note": "x"})
    text = await letter(desk, values={"note": "x"})
    account = (await accept(desk, text)).json["record"]["id"]

    assert list(refused.error.data["values"]) == ["note"]
    assert (await desk.record(account))["note"] == "x"


async def test_address_taken_meanwhile(desk):
    """Somebody else had the address first: the invited are told, and there is one account."""
    token = await letter(desk)
    await desk.join(EVE)

    answer = await accept(desk, token)

    assert answer.error.data["email"]["code"] == "validation_not_unique"


async def test_superusers_invite_superusers(desk):
    """A server's next superuser may come by invitation as well."""
    place, client = "/api/collections/_superusers", desk.client
    await client.patch(place, {"invitations": {"enabled": True}}, as_=desk.root)
    count = len(desk.server.letters)
    await client.post(f"{place}/invitations", {"email": EVE}, as_=desk.root)
    token = token_in((await desk.server.arrived(count + 1))[-1])

    answer = await client.post(f"{place}/accept-invitation", {"token": token, **NEW})

    assert answer.status == 200
    assert (await client.get("/api/settings", as_=answer.json["token"])).status == 200


async def test_two_factors(desk):
    """Where two factors are needed, the letter is one and the new password the other."""
    await desk.options(otp={"enabled": True}, mfa={"enabled": True, "duration": 600})
    answer = await accept(desk, await letter(desk))
    body = {"identity": EVE, "password": NEW["password"], "mfaId": answer.json["mfaId"]}

    assert answer.status == 401
    assert (await desk.client.post(f"{USERS}/auth-with-password", body)).status == 200


async def test_collection_goes(desk):
    """Invitations go with their collection."""
    client = desk.client
    body = {"name": "club", "type": "auth", "invitations": {"enabled": True}}
    await client.post("/api/collections", body, as_=desk.root)
    await client.post("/api/collections/club/invitations", {"email": EVE}, as_=desk.root)

    await client.delete("/api/collections/club", as_=desk.root)

    assert await client.backend.engine.read('SELECT * FROM "_invitations"') == []


async def test_off(office):
    """Nobody is invited where that is not wanted."""
    for what in ("invitations", "check-invitation", "accept-invitation"):
        answer = await office.ask(what, office.root, email=EVE, token="x", password=PASSWORD)
        assert (answer.status, answer.code) == (403, "invitations_off")


async def test_twenty_at_once(desk):
    """Of twenty who bring one invitation at the same moment one gets an account."""
    for number in range(ROUNDS):
        body = {"token": await letter(desk, email=f"eve{number}@example.com"), **NEW}

        statuses = await at_once(20, lambda body=body: desk.client.post(f"{USERS}/accept-invitation", body))

        assert statuses == [200] + [400] * 19
