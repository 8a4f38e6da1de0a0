"""Rate limits of forms: they count as the requests that do the same, so that a page is no second door."""

from __future__ import annotations

import time

import pytest
from post_office import PASSWORD, PostOffice, open_office
from visitor import Visitor

from undercroft import testing
from undercroft.api.routes import ROUTES
from undercroft.pages import submissions
from undercroft.pages.entry.drawing import ENTRIES
from undercroft.pages.entry.entering import _WAYS
from undercroft.pages.entry.entry import Received
from undercroft.testing import Answer

EMAIL = "ada@example.com"
_LETTERS = {
    "/account/reset": ("request-password-reset", "requestPasswordReset"),
    "/account/link": ("request-magic-link", "requestMagicLink"),
    "/account/code": ("request-otp", "requestOTP"),
}


@pytest.fixture
async def office(tmp_path, database, monkeypatch):
    """A site with ready pages, whose requests are counted."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    pages = tmp_path / "site" / "pages"
    pages.mkdir(parents=True)
    (pages / "index.html").write_text("{{ user.email if user else 'guest' }}")
    (pages / "leave.html").write_text("{{ sign_out_form() }}")
    async with (
        testing.client(
            tmp_path / "data", database, site=tmp_path / "site", sends_mail=True, rate_limits=True
        ) as client,
        open_office(client) as opened,
    ):
        await opened.options(otp={"enabled": True}, magicLink={"enabled": True}, createRule="")
        yield opened


async def obey(office: PostOffice, label: str, most: int, **more: object):
    rules = [{"label": label, "maxRequests": most, "duration": 60}]
    settings = {"rateLimits": {"enabled": True, "rules": rules}, **more}
    assert (await office.client.patch("/api/settings", settings, as_=office.root)).status == 200


def turned(page: Answer, name: str, other: str) -> str:
    """A page whose form was turned into another one, as whoever sends it may do."""
    assert f"_form=%40{name}" in page.text
    return page.text.replace(f"_form=%40{name}", f"_form=%40{other}")


async def test_signing_in(office):
    """Forms and the API share one count; what is too much is said on the page, with the seconds to wait."""
    await office.join()
    await obey(office, "*:auth", 2)
    visitor = Visitor(office.client)
    page = await visitor.open("/account/sign-in")
    assert (await office.log_in(password="wrong-horse-9")).status == 400

    wrong = await visitor.send(page, {"identity": EMAIL, "password": "wrong-horse-9"})
    late = await visitor.send(page, {"identity": EMAIL, "password": PASSWORD})

    assert (wrong.status, late.status) == (400, 429)
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert "Too Many Requests" in late.text
    assert not visitor.cookies


@pytest.mark.parametrize("path", sorted(_LETTERS))
async def test_letters(office, path):
    """So do those who ask for letters."""
    endpoint, action = _LETTERS[path]
    await obey(office, f"users:{action}", 3)
    visitor = Visitor(office.client)
    page = await visitor.open(path)
    assert (await office.ask(endpoint, email=EMAIL)).status in {200, 204}

    sent = [(await visitor.send(page, {"email": f"{n}@example.com"})).status for n in range(4)]

    assert [status == 429 for status in sent] == [False, False, True, True]
    assert (await office.ask(endpoint, email=EMAIL)).status == 429


async def test_the_second_step(office):
    """It counts as what is sent in it: no second budget for passwords."""
    await office.join()
    await obey(office, "users:authWithPassword", 2)
    visitor = Visitor(office.client)
    page = await visitor.open("/account/sign-in")

    sent = []
    for _ in range(3):
        text = turned(page, "sign-in", "second-step")
        typed = {"way": "password", "identity": EMAIL, "password": "wrong-horse-9"}
        sent.append((await visitor.send(text, typed)).status)

    assert sent == [400, 400, 429]


@pytest.mark.parametrize("form", ["verify", "new-password", "confirm-address"])
async def test_forms_for_no_collection(office, form):
    """What is in a letter counts for whose accounts the letter is about, whichever form it is sent with."""
    await office.join()
    action = {"verify": "Verification", "new-password": "PasswordReset", "confirm-address": "EmailChange"}[form]
    await obey(office, f"users:confirm{action}", 2)
    visitor = Visitor(office.client)
    page = turned(await visitor.open("/leave"), "sign-out", form)
    token = await office.token("request-password-reset", email=EMAIL)

    sent = [(await visitor.send(page, {"token": token, "password": "x"})).status for _ in range(3)]

    assert [status == 429 for status in sent] == [False, False, True]


async def test_a_token_that_leads_elsewhere(office):
    """What else is sent with a form does not say for whose accounts it counts."""
    await office.join()
    await obey(office, "users:auth", 2)
    visitor = Visitor(office.client)
    page = await visitor.open("/account/sign-in")
    typed = {"identity": EMAIL, "password": "wrong-horse-9", "token": office.root}

    sent = [(await visitor.send(page, typed)).status for _ in range(3)]

    assert sent == [400, 400, 429]


async def test_forms_of_collections(office):
    """A form that makes a record counts as a record that is made."""
    await obey(office, "users:create", 2)
    visitor = Visitor(office.client)
    page = await visitor.open("/account/sign-up")

    sent = []
    for number in range(3):
        visitor.cookies.clear()
        typed = {"email": f"{number}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        sent.append((await visitor.send(page, typed)).status)

    assert sent == [303, 303, 429]


async def test_guests_of_one_network(office):
    """Of guests a whole /64 of IPv6 is one, who sends ten forms a minute."""
    await obey(office, "/nowhere", 1, trustedProxy={"headers": ["X-Real-IP"]})
    visitor = Visitor(office.client)
    page = await visitor.open("/account/sign-up")

    async def sign_up(address: str) -> int:
        visitor.cookies.clear()
        typed = {"email": f"{time.time_ns()}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        return (await visitor.send(page, typed, x_real_ip=address)).status

    near = [await sign_up(f"2001:db8::1:{number:x}") for number in range(12)]

    assert near == [303] * 10 + [429] * 2
    assert await sign_up("2001:db8:0:1::1") == 303


def test_each_counts_as_a_request():
    """Each form by which somebody comes in, or asks for a letter, counts as a request that there is."""
    known = {(route.method, route.pattern): route.actions for route in ROUTES}
    counted = {name: entry.counts_as for name, entry in ENTRIES.items() if entry.counts_as}
    steps = [counted["second-step"](Received("users", "", {"way": [way]})) for way in _WAYS]

    for endpoint, *actions in [*steps, *(found for found in counted.values() if not callable(found))]:
        assert known["POST", f"/api/collections/{{collection}}/{endpoint}"] == tuple(actions)
    own = {"sign-out", "invitation", "new-passkey", "remove-passkey", "end-session", "end-other-sessions"}
    apps = {name for name in ENTRIES if "authenticator" in name or "recovery" in name}
    assert set(ENTRIES) - set(counted) == own | apps
