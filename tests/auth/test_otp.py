"""One-time passwords: a code by letter, good once, for a while, and hard to guess."""

from __future__ import annotations

import asyncio
import json

import pytest
from post_office import USERS, at_once

from undercroft.auth.kept import forget_expired, has_expired
from undercroft.database.changes import changes_since

pytestmark = pytest.mark.anyio
WRONG = {"password": "00000000"}


@pytest.fixture
async def codes(office):
    """A post office whose accounts log in with codes."""
    await office.options(otp={"enabled": True, "duration": 180, "length": 8})
    return office


async def test_log_in(codes):
    """The code of the letter logs in, once."""
    await codes.join(verified=True)
    code = await codes.code()

    answer = await codes.ask("auth-with-otp", **code)

    assert answer.status == 200
    assert await codes.knows(answer.json["token"])
    assert (await codes.ask("auth-with-otp", **code)).code == "otp_refused"
    assert (await codes.log_in()).status == 200


async def test_proves_the_address(codes):
    """Who logs in with a code reads the mail: the account is verified, and a password set before is worth nothing."""
    account = await codes.join()

    answer = await codes.ask("auth-with-otp", **await codes.code())

    assert answer.json["record"]["verified"]
    assert await codes.knows(answer.json["token"])
    assert (await codes.record(account))["verified"]
    assert (await codes.log_in()).status == 400


async def test_address_changed_since(codes):
    """A code that was sent to another address than the present one counts no more: its reader may be somebody else."""
    account = await codes.join()
    code = await codes.code()
    await codes.client.patch(f"{USERS}/records/{account}", {"email": "eve@example.com"}, as_=codes.root)

    answer = await codes.ask("auth-with-otp", **code)

    assert (answer.status, answer.code) == (400, "otp_refused")


async def test_spellings_of_nobody(codes):
    """Where two spellings are of one account, they are of nobody alike: the eleventh request gets the id of the tenth."""
    encrypted = {"search": "equality", "normalize": "email"}
    fields = (await codes.client.get(USERS, as_=codes.root)).json["fields"]
    changed = [field | {"encrypted": encrypted} if field["name"] == "email" else field for field in fields]
    await codes.options(fields=changed)
    await codes.join()

    for name in ("ada", "nobody"):
        ids = [(await codes.ask("request-otp", email=f"{name}@example.com")).json["otpId"] for _ in range(10)]
        await codes.client.backend.errands.done()
        again = (await codes.ask("request-otp", email=f"{name.title()}@EXAMPLE.com")).json["otpId"]
        assert (name, again in ids) == (name, True)


async def test_twenty_at_once(codes):
    """Of those who bring one code at the same moment one gets in."""
    await codes.join(verified=True)
    for _ in range(3):
        code = await codes.code()

        statuses = await at_once(20, lambda code=code: codes.client.post(f"{USERS}/auth-with-otp", code))

        assert statuses.count(200) == 1
        assert set(statuses) <= {200, 400, 429}
        await codes.client.backend.engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))


async def test_expires(codes):
    """A code that has expired is refused."""
    await codes.join()
    code = await codes.code()
    await codes.client.backend.engine.write(
        lambda tx: tx.run("""UPDATE "_otps" SET "created" = '2020-01-01 00:00:00.000Z'""")
    )

    assert (await codes.ask("auth-with-otp", **code)).code == "otp_refused"


async def test_guessing_ends(codes):
    """After five tries from one place no more are evaluated, across codes; from elsewhere the right one still is."""
    await codes.client.patch("/api/settings", {"trustedProxy": {"headers": ["x-real-ip"]}}, as_=codes.root)
    await codes.join(verified=True)
    first, second = await codes.code(), await codes.code()
    path, thief = f"{USERS}/auth-with-otp", {"x-real-ip": "203.0.113.9"}

    tries = [first | WRONG] * 3 + [second | WRONG] * 2 + [second]
    statuses = [(await codes.client.post(path, body, headers=thief)).status for body in tries]

    assert statuses == [400] * 5 + [429]
    assert (await codes.client.post(path, second, headers={"x-real-ip": "198.51.100.7"})).status == 200


async def test_guessing_from_everywhere_ends(codes):
    """Changing the address helps a guesser for thirty tries."""
    await codes.client.patch("/api/settings", {"trustedProxy": {"headers": ["x-real-ip"]}}, as_=codes.root)
    await codes.join()
    body, path = await codes.code() | WRONG, f"{USERS}/auth-with-otp"

    statuses = [
        (await codes.client.post(path, body, headers={"x-real-ip": f"203.0.113.{number}"})).status
        for number in range(32)
    ]

    assert statuses == [400] * 30 + [429] * 2


async def test_nobody_is_told_apart(codes):
    """For an address that nobody has everything is the same: ids, their repetition after ten, the end of guessing."""
    await codes.join()

    async def probe(email):
        answers = [await codes.ask("request-otp", email=email) for _ in range(12)]
        ids = [answer.json["otpId"] for answer in answers]
        tries = [await codes.ask("auth-with-otp", otpId=ids[number % 2], **WRONG) for number in range(7)]
        return (
            {answer.status for answer in answers},
            {len(otp_id) for otp_id in ids},
            [ids.index(otp_id) for otp_id in ids],
            [(answer.status, answer.body) for answer in tries],
        )

    known, unknown = await probe("ada@example.com"), await probe("who@example.com")

    assert known == unknown
    assert known[2] == [*range(10), 9, 9]
    assert [status for status, _ in known[3]] == [400] * 5 + [429] * 2
    await asyncio.wait_for(codes.server.arrived(10), 20)
    assert {tuple(letter.recipients) for letter in codes.server.letters} == {("ada@example.com",)}


async def test_the_id_is_not_the_code(codes):
    """Neither the answer nor what accounts may see of it holds the code."""
    await codes.join(verified=True)
    token = (await codes.log_in()).json["token"]
    code = await codes.code()

    shown = await codes.client.get("/api/collections/_otps/records", as_=token)

    assert [item["id"] for item in shown.json["items"]] == [code["otpId"]]
    assert code["password"] not in shown.text
    rows = await codes.client.backend.engine.read('SELECT "password" FROM "_otps"')
    assert len(rows[0][0]) == 64
    assert code["password"] not in rows[0][0]


async def test_other_collection(codes):
    """A code of one collection opens no other."""
    await codes.join()
    options = {"otp": {"enabled": True}}
    await codes.client.post("/api/collections", {"name": "others", "type": "auth"} | options, as_=codes.root)

    answer = await codes.client.post("/api/collections/others/auth-with-otp", await codes.code())

    assert answer.code == "otp_refused"


async def test_off(office):
    """Collections without codes send none, and their methods say so."""
    for what in ("request-otp", "auth-with-otp"):
        answer = await office.ask(what, email="ada@example.com")
        assert (answer.status, answer.code) == (403, "otp_off")
    methods = await office.client.get(f"{USERS}/auth-methods")
    assert methods.json["otp"] == {"enabled": False, "duration": 0}


@pytest.mark.parametrize(
    ("body", "codes_"),
    [
        ({}, {"otpId": "validation_required", "password": "validation_required"}),
        (
            {"otpId": "x" * 256, "password": "1" * 72},
            {"otpId": "validation_length_out_of_range", "password": "validation_length_out_of_range"},
        ),
    ],
)
async def test_bad_forms(codes, body, codes_):
    """What is wrong with the form is said of each value."""
    answer = await codes.ask("auth-with-otp", **body)

    assert {name: error["code"] for name, error in answer.error.data.items()} == codes_


@pytest.mark.parametrize("odd", ["\x00", "\\ud800", "🔑", "' OR 1=1 --"], ids=["NUL", "half", "key", "SQL"])
async def test_odd_text(codes, odd):
    """Whatever text is sent, the answer is a refusal."""
    await codes.join()
    code = await codes.code()
    odd = odd.encode().decode("unicode_escape") if odd.startswith("\\u") else odd

    for body in (code | {"password": odd}, code | {"otpId": odd}, code | {"mfaId": odd} | WRONG):
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        answer = await codes.client.post(f"{USERS}/auth-with-otp", body=content, headers=headers)
        assert answer.status in {400, 429}


async def test_expired_codes_are_forgotten(codes):
    """Codes that have expired are removed, those that count stay; the change log knows."""
    engine, catalog = codes.client.backend.engine, codes.client.backend.catalog
    await codes.join()
    old, new = await codes.code(), await codes.code()
    assert not await has_expired(engine, catalog)
    sql = f"""UPDATE "_otps" SET "created" = '2020-01-01 00:00:00.000Z' WHERE "id" = '{old["otpId"]}'"""
    await engine.write(lambda tx: tx.run(sql))
    assert await has_expired(engine, catalog)

    await engine.write(lambda tx: forget_expired(tx, engine.dialect, catalog))

    assert await engine.read('SELECT "id" FROM "_otps"') == [(new["otpId"],)]
    last = (await changes_since(engine, 0))[-1].change
    assert (last.record, last.action) == (old["otpId"], "delete")
