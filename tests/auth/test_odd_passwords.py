"""Passwords as nobody types them: enormous, cut by a NUL, no text at all, or alike for very long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from post_office import PASSWORD, USERS
from stopwatch import Stopwatch

from undercroft.passwords import hash_password, verify_password
from undercroft.testing import Answer, TestClient

pytestmark = pytest.mark.anyio
ODD = {
    "ten megabytes": b"x" * 10_000_000,
    "just too long": b"x" * 1025,
    "a lone high surrogate": rb"long-enough-\ud800",
    "a lone low surrogate": rb"\udfff-long-enough",
    "surrogates in the wrong order": rb"long-enough-\udc00\ud800",
    "bytes of a surrogate": b"long-enough-\xed\xa0\x80",
    "no UTF-8": b"long-enough-\xff\xfe",
}


async def send(client: TestClient, way: tuple[str, str, str, str], odd: bytes) -> Answer:
    """A request whose passwords are these bytes, as they stand in JSON."""
    method, path, more, caller = way
    body = b'{"password": "%s", "passwordConfirm": "%s", %s "x": 1}' % (odd, odd, more.encode())
    headers = {"content-type": "application/json"}
    return await client.request(method, path, body=body, headers=headers, as_=caller)


@pytest.fixture
async def ways(office):
    """Every way to send a password: method, path, what else is in the body, and who sends it."""
    await office.options(otp={"enabled": True, "length": 8}, invitations={"enabled": True})
    account = await office.join()
    token = (await office.log_in()).json["token"]
    reset = await office.token("request-password-reset", email="ada@example.com")
    move = await office.token("request-email-change", as_=token, newEmail="new@example.com")
    invitation = await office.token("invitations", as_=office.root, email="eve@example.com")
    code = await office.code()
    own = f'"oldPassword": "{PASSWORD}",'
    return (
        office,
        token,
        {
            "log-in": ("POST", f"{USERS}/auth-with-password", '"identity": "ada@example.com",', ""),
            "log-in as nobody": ("POST", f"{USERS}/auth-with-password", '"identity": "nobody@example.com",', ""),
            "sign-up": ("POST", f"{USERS}/records", '"email": "odd@example.com",', ""),
            "change": ("PATCH", f"{USERS}/records/{account}", own, token),
            "reset": ("POST", f"{USERS}/confirm-password-reset", f'"token": "{reset}",', ""),
            "move": ("POST", f"{USERS}/confirm-email-change", f'"token": "{move}",', ""),
            "invitation": ("POST", f"{USERS}/accept-invitation", f'"token": "{invitation}",', ""),
            "code": ("POST", f"{USERS}/auth-with-otp", f'"otpId": "{code["otpId"]}",', ""),
            "superuser": ("POST", "/api/collections/_superusers/records", '"email": "two@example.com",', office.root),
        },
    )


async def test_refused_everywhere(ways):
    """None is taken, nowhere, each is refused with 400 and soon, and what was there stays."""
    office, token, paths = ways
    answers = {}
    for odd, raw in ODD.items():
        for name, way in paths.items():
            watch = Stopwatch()
            answer = await send(office.client, way, raw)
            answers[odd, name] = answer.status
            assert watch.seconds() < 3
    assert {key: status for key, status in answers.items() if status not in {400, 429}} == {}
    assert await office.knows(token)
    assert (await office.log_in()).status == 200
    assert (await office.log_in("odd@example.com")).status == 400


async def test_old_password(office):
    """An old password that is none is refused as any wrong one is."""
    account = await office.join()
    token = (await office.log_in()).json["token"]
    for raw in ODD.values():
        body = b'{"password": "better-horse-10", "passwordConfirm": "better-horse-10", "oldPassword": "%s"}' % raw
        headers = {"content-type": "application/json"}
        answer = await office.client.patch(f"{USERS}/records/{account}", body=body, headers=headers, as_=token)

        assert answer.status == 400
    assert await office.knows(token)


async def test_nul(office):
    """What stands behind a NUL counts, at every way to set a password."""
    account = await office.join(password="long-enough\x00a", passwordConfirm="long-enough\x00a")
    others = ("long-enough", "long-enough\x00", "long-enough\x00b")

    assert [(await office.log_in(password=other)).status for other in others] == [400] * 3
    assert (await office.log_in(password="long-enough\x00a")).status == 200

    changed = {"password": "longer\x00enough-b", "passwordConfirm": "longer\x00enough-b"}
    assert (await office.client.patch(f"{USERS}/records/{account}", changed, as_=office.root)).status == 200
    assert (await office.log_in(password="longer\x00enough-c")).status == 400
    assert (await office.log_in(password="longer\x00enough-b")).status == 200
    reset = await office.token("request-password-reset", email="ada@example.com")
    body = {"password": "third\x00password-b", "passwordConfirm": "third\x00password-b"}
    assert (await office.ask("confirm-password-reset", token=reset, **body)).status == 204
    assert (await office.log_in(password="third\x00password")).status == 400
    assert (await office.log_in(password="third\x00password-b")).status == 200


async def test_confirmation_is_compared_whole(office):
    """Two passwords that are alike for 72 bytes are two, also where one confirms the other."""
    twins = ["é" * 36 + last for last in "ab"]
    account = await office.join(password=twins[0], passwordConfirm=twins[0])
    mixed = {"password": twins[0], "passwordConfirm": twins[1]}

    refused = await office.client.patch(f"{USERS}/records/{account}", mixed, as_=office.root)

    assert refused.json["data"]["passwordConfirm"]["code"] == "validation_values_mismatch"
    assert [(await office.log_in(password=twin)).status for twin in twins] == [200, 400]


@settings(max_examples=15, deadline=None)
@given(
    start=st.binary(min_size=36, max_size=200).map(lambda raw: raw.hex()),
    ends=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=2, unique=True),
)
def test_no_two_are_one(start: str, ends: list[str]):
    """Whatever two passwords have in common, one never stands for the other."""
    one, other = (start + end for end in ends)

    stored = hash_password(one)

    assert verify_password(one, stored).ok
    assert not verify_password(other, stored).ok
    assert not verify_password(start[:72], stored).ok or one == start[:72]
