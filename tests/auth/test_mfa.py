"""A second factor: two different ways in, by the same account, soon after each other."""

from __future__ import annotations

import pytest
from post_office import PASSWORD, USERS, at_once

pytestmark = pytest.mark.anyio


@pytest.fixture
async def strict(office):
    """A post office whose accounts need two factors."""
    await office.options(otp={"enabled": True, "length": 8}, mfa={"enabled": True, "duration": 600})
    await office.join(verified=True)
    return office


async def first_half(office, email="ada@example.com"):
    answer = await office.log_in(email)
    assert answer.status == 401
    assert list(answer.json) == ["mfaId"]
    return answer.json["mfaId"]


async def test_password_then_code(strict):
    """A password and a code together get in; the first half counts once."""
    mfa_id = await first_half(strict)

    answer = await strict.ask("auth-with-otp", mfaId=mfa_id, **await strict.code())

    assert answer.status == 200
    assert await strict.knows(answer.json["token"])
    again = await strict.ask("auth-with-otp", mfaId=mfa_id, **await strict.code())
    assert (again.status, again.code) == (400, "mfa_refused")


async def test_code_then_password(strict):
    """The other way round too, and the id may come in the query."""
    answer = await strict.ask("auth-with-otp", **await strict.code())
    assert answer.status == 401

    path = f"{USERS}/auth-with-password?mfaId={answer.json['mfaId']}"
    answer = await strict.client.post(path, {"identity": "ada@example.com", "password": PASSWORD})

    assert answer.status == 200


async def test_same_way_twice(strict):
    """The same factor twice is one factor."""
    body = {"identity": "ada@example.com", "password": PASSWORD, "mfaId": await first_half(strict)}

    answer = await strict.client.post(f"{USERS}/auth-with-password", body)

    assert (answer.status, answer.code) == (400, "same_method")


async def test_first_half_of_somebody_else(strict):
    """A first half is its account's own, and one that was made up is none."""
    await strict.join("eve@example.com", verified=True)
    eves = await first_half(strict, "eve@example.com")

    for mfa_id in (eves, "nosuchmfa000000"):
        answer = await strict.ask("auth-with-otp", mfaId=mfa_id, **await strict.code())
        assert (answer.status, answer.code) == (400, "mfa_refused")


async def test_expired(strict):
    """A first half that has expired is none."""
    mfa_id = await first_half(strict)
    await strict.client.backend.engine.write(
        lambda tx: tx.run("""UPDATE "_mfas" SET "created" = '2020-01-01 00:00:00.000Z'""")
    )

    answer = await strict.ask("auth-with-otp", mfaId=mfa_id, **await strict.code())

    assert answer.code == "mfa_refused"


async def test_wrong_second_factor(strict):
    """A second factor that is wrong gets nobody in, whatever the first was."""
    code = await strict.code()
    code["password"] = "".join(str((int(digit) + 1) % 10) for digit in code["password"])

    answer = await strict.ask("auth-with-otp", mfaId=await first_half(strict), **code)

    assert (answer.status, answer.code) == (400, "otp_refused")


async def test_twenty_at_once(strict):
    """Of many second halves that meet one first half one gets in."""
    answer = await strict.ask("auth-with-otp", **await strict.code())
    body = {"identity": "ada@example.com", "password": PASSWORD, "mfaId": answer.json["mfaId"]}

    statuses = await at_once(20, lambda: strict.client.post(f"{USERS}/auth-with-password", body))

    assert statuses == [200] + [400] * 19


async def test_password_stays_a_factor(strict):
    """A code that verifies an address leaves the password alone where both are needed."""
    await strict.join("eve@example.com")

    answer = await strict.ask("auth-with-otp", **await strict.code("eve@example.com"))

    body = {"identity": "eve@example.com", "password": PASSWORD, "mfaId": answer.json["mfaId"]}
    assert (await strict.client.post(f"{USERS}/auth-with-password", body)).status == 200


async def test_rule(strict):
    """The rule says of whom two are asked."""
    await strict.options(mfa={"enabled": True, "duration": 600, "rule": "name = 'strict'"})
    await strict.join("eve@example.com", name="strict")

    assert (await strict.log_in()).status == 200
    assert (await strict.log_in("eve@example.com")).status == 401


async def test_refresh_is_no_log_in(strict):
    """Who is in stays in by one token."""
    answer = await strict.ask("auth-with-otp", mfaId=await first_half(strict), **await strict.code())

    assert await strict.knows(answer.json["token"])
