"""A second factor: two different ways in, by the same account, soon after each other."""

from __future__ import annotations

import pytest
from post_office import PASSWORD, USERS, at_once

from undercroft.auth.mfa import MfaRefused, begin_mfa
from undercroft.auth.oauth2.links import keep_link
from undercroft.records.record import find_identity

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


async def test_first_half_goes_with_the_password(strict):
    """Who has proven to know a password has proven nothing once there is another."""
    mfa_id, code = await first_half(strict), await strict.code()
    account = (await strict.client.get(f"{USERS}/records", as_=strict.root)).json["items"][0]["id"]
    new = {"password": "better-horse-10", "passwordConfirm": "better-horse-10"}
    assert (await strict.client.patch(f"{USERS}/records/{account}", new, as_=strict.root)).status == 200

    assert (await strict.ask("auth-with-otp", mfaId=mfa_id, **code)).code == "otp_refused"
    assert (await strict.ask("auth-with-otp", mfaId=mfa_id, **await strict.code())).code == "mfa_refused"


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


@pytest.mark.parametrize("first", ["password", "letter"])
@pytest.mark.parametrize("way", ["code", "link"])
async def test_an_address_that_is_proven_on_the_way(strict, way, first):
    """The letter of a log-in verifies the address, and the log-in goes on, in either order."""
    await strict.options(magicLink={"enabled": True})
    await strict.join("eve@example.com")

    async def by_letter(**more):
        if way == "code":
            return await strict.ask("auth-with-otp", **more, **await strict.code("eve@example.com"))
        token = await strict.token("request-magic-link", email="eve@example.com")
        return await strict.ask("auth-with-magic-link", token=token, **more)

    if first == "password":
        answer = await by_letter(mfaId=await first_half(strict, "eve@example.com"))
    else:
        half = (await by_letter()).json["mfaId"]
        body = {"identity": "eve@example.com", "password": PASSWORD, "mfaId": half}
        answer = await strict.client.post(f"{USERS}/auth-with-password", body)

    assert (answer.status, answer.json["record"]["verified"]) == (200, True)
    assert await strict.knows(answer.json["token"])


@pytest.mark.parametrize("method", ["oauth2", "passkey"])
async def test_what_came_before_by_other_ways_counts_no_more(strict, method):
    """Half a log-in by a provider or a passkey is of whoever had those, and goes with them when the address is proven."""
    account = await strict.join("eve@example.com")
    engine, users = strict.client.backend.engine, strict.client.backend.catalog.collection("users")
    eve = await find_identity(engine.read, engine.dialect, users, {"id": account})
    half = await begin_mfa(strict.client.backend, eve, method)
    own = await begin_mfa(strict.client.backend, eve, "password")
    assert (await strict.ask("auth-with-otp", **await strict.code("eve@example.com"))).status == 401

    body = {"identity": "eve@example.com", "password": PASSWORD, "mfaId": half}
    answer = await strict.client.post(f"{USERS}/auth-with-password", body)

    assert (answer.status, answer.code) == (400, "mfa_refused")
    again = await strict.ask("auth-with-otp", mfaId=own, **await strict.code("eve@example.com"))
    assert again.status == 200


@pytest.mark.parametrize("method", ["oauth2", "passkey"])
async def test_a_letter_completes_what_began_otherwise(strict, method):
    """Whoever shows the half and the letter is one person: they are in, and a provider that they came by stays linked."""
    account = await strict.join("eve@example.com")
    backend, users = strict.client.backend, strict.client.backend.catalog.collection("users")
    eve = await find_identity(backend.engine.read, backend.engine.dialect, users, {"id": account})
    await backend.engine.write(lambda tx: keep_link(backend, tx, eve, "vk", "eve-1"))
    half = await begin_mfa(backend, eve, method)

    answer = await strict.ask("auth-with-otp", mfaId=half, **await strict.code("eve@example.com"))

    assert (answer.status, answer.json["record"]["verified"]) == (200, True)
    links = await backend.engine.read('SELECT "provider" FROM "_externalAuths"')
    assert links == ([("vk",)] if method == "oauth2" else [])


async def test_what_proved_it_counted_no_more_by_then(strict):
    """A half that is begun with what has ended in the meantime is none."""
    account = await strict.join("eve@example.com")
    backend, users = strict.client.backend, strict.client.backend.catalog.collection("users")
    eve = await find_identity(backend.engine.read, backend.engine.dialect, users, {"id": account})
    await strict.ask("auth-with-otp", **await strict.code("eve@example.com"))

    with pytest.raises(MfaRefused):
        await begin_mfa(backend, eve, "passkey")


async def test_another_address_ends_what_was_begun(strict):
    """Also where the account was not verified before."""
    account = await strict.join("eve@example.com")
    half = await first_half(strict, "eve@example.com")
    change = {"email": "eva@example.com", "verified": True}
    await strict.client.patch(f"{USERS}/records/{account}", change, as_=strict.root)

    answer = await strict.ask("auth-with-otp", mfaId=half, **await strict.code("eva@example.com"))

    assert (answer.status, answer.code) == (400, "mfa_refused")


async def test_tokens_do_not_stay(strict):
    """Who came in with a password before the address was proven is out by then, and what was ended stays so."""
    await strict.options(mfa={"enabled": True, "duration": 600, "rule": "verified = true"})
    await strict.join("eve@example.com")
    ended, kept = [(await strict.log_in("eve@example.com")).json["token"] for _ in range(2)]
    assert (await strict.client.delete("/api/sessions", as_=kept)).status == 204

    assert (await strict.ask("auth-with-otp", **await strict.code("eve@example.com"))).status == 401

    assert [await strict.knows(token) for token in (ended, kept)] == [False, False]


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
