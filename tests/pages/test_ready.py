"""The pages that come with the program: to sign in in every way, and to look after one's account, without scripts."""

from __future__ import annotations

import re
import time

import pytest
from post_office import PASSWORD, USERS, open_office, token_in
from visitor import Sheet, Visitor

from undercroft import testing
from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.pages import submissions

NEW = "better-horse-10"
EMAIL = "ada@example.com"


@pytest.fixture
def folder(tmp_path):
    """A site that has nothing but a page and a layout."""
    pages = tmp_path / "site" / "pages"
    pages.mkdir(parents=True)
    (pages / "_layout.html").write_text("<title>{{ title }}</title><body class=own>{{ content }}")
    (pages / "index.html").write_text("{% set title = 'Home' %}{{ user.email if user else 'guest' }}")
    return pages


@pytest.fixture
async def office(tmp_path, folder, database, monkeypatch):
    """Its letters arrive, and its forms may be sent at once."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    async with (
        testing.client(tmp_path / "data", database, site=tmp_path / "site", sends_mail=True) as client,
        open_office(client) as opened,
    ):
        yield opened


@pytest.fixture
def visitor(office):
    """Somebody without scripts."""
    return Visitor(office.client)


async def letter_after(office, send):
    """What an act answers, and the letter that comes of it."""
    count = len(office.server.letters)
    answer = await send
    await office.client.backend.errands.done()
    return answer, (await office.server.arrived(count + 1))[-1]


async def sign_in(visitor, password=PASSWORD):
    return await visitor.send(await visitor.open("/account/sign-in"), {"identity": EMAIL, "password": password})


async def who(visitor):
    return re.search(r"own>(\S*)", (await visitor.open("/")).text)[1]


async def test_password(office, visitor):
    """The page stands in the layout of the site, and the password leads to the account."""
    await office.join(verified=True)
    page = await visitor.open("/account/sign-in")

    answer = await sign_in(visitor)

    assert "<title>Sign in</title><body class=own>" in page.text
    assert (answer.status, answer.headers["location"]) == (303, "/account")
    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text
    assert await who(visitor) == EMAIL


async def test_wrong_password(office, visitor):
    """It is told, the address stays, and nobody is in."""
    await office.join(verified=True)

    answer = await sign_in(visitor, "wrong-horse-9")

    assert answer.status == 400
    assert "Failed to authenticate." in answer.text
    assert Sheet(answer.text).forms[0]["fields"]["identity"] == EMAIL
    assert await who(visitor) == "guest"


async def test_sign_up(office, visitor):
    """Who makes an account is in, and asked to confirm the address; the letter's link does it at the press of a button."""
    await office.options(createRule="")
    typed = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
    made = await visitor.send(await visitor.open("/account/sign-up"), typed)
    home = await visitor.follow(made)
    assert "not confirmed yet" in home.text

    answer, letter = await letter_after(office, visitor.send(home, {}, 0))
    assert "A letter is on its way" in (await visitor.follow(answer)).text
    page = await visitor.open("/account/verify")
    assert Sheet(page.text).inputs["token"]["value"] == ""
    done = await visitor.send(page, {"token": token_in(letter)})

    assert "your address is confirmed" in (await visitor.follow(done)).text
    assert "not confirmed yet" not in (await visitor.open("/account")).text


async def test_sign_up_with_two_factors(office, visitor):
    """Where two factors are needed, an account that was just made is made, and nobody is in with its password alone."""
    await office.options(createRule="", otp={"enabled": True}, mfa={"enabled": True, "duration": 600})
    typed = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}

    made = await visitor.send(await visitor.open("/account/sign-up"), typed)

    assert made.status == 303
    assert await who(visitor) == "guest"
    half, letter = await letter_after(office, sign_in(visitor))
    answer = await visitor.send(half, {"code": re.search(r"\d{8}", letter.body())[0]})
    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


async def test_no_sign_up(office, visitor):
    """Where strangers make no accounts there is no page for it, and no way to it."""
    await office.options(createRule=None)

    assert (await visitor.open("/account/sign-up")).status == 404
    assert "/account/sign-up" not in (await visitor.open("/account/sign-in")).text


async def test_code(office, visitor):
    """A code of a letter opens the account; a wrong one leaves the form of the code as it was."""
    await office.join(verified=True)
    await office.options(otp={"enabled": True})
    page = await visitor.open("/account/code")
    asked, letter = await letter_after(office, visitor.send(page, {"email": EMAIL}))
    assert (asked.status, list(Sheet(asked.text).inputs)[-2:]) == (401, ["otpId", "code"])

    wrong = await visitor.send(asked, {"code": "00000000"})
    answer = await visitor.send(wrong, {"code": re.search(r"\d{8}", letter.body())[0]})

    assert (wrong.status, "otpId" in Sheet(wrong.text).inputs) == (400, True)
    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


async def test_code_of_nobody(office, visitor):
    """An address without an account is answered in the same words."""
    await office.join(verified=True)
    await office.options(otp={"enabled": True})
    page = await visitor.open("/account/code")

    texts = []
    for email in (EMAIL, "nobody@example.com"):
        text = (await visitor.send(page, {"email": email})).text
        texts.append(re.sub(r'value="[^"]*"', "", text))

    assert texts[0] == texts[1]


async def test_password_and_code(office, visitor):
    """With two factors asked for a letter's code comes after the password, and the account is open only then."""
    await office.join(verified=True)
    await office.options(otp={"enabled": True}, mfa={"enabled": True, "duration": 600})

    half, letter = await letter_after(office, sign_in(visitor))
    assert half.status == 401
    assert await who(visitor) == "guest"
    assert PASSWORD not in half.text
    answer = await visitor.send(half, {"code": re.search(r"\d{8}", letter.body())[0]})

    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


async def test_code_and_password(office, visitor):
    """The same the other way round."""
    await office.join(verified=True)
    await office.options(otp={"enabled": True}, mfa={"enabled": True, "duration": 600})
    page = await visitor.open("/account/code")
    asked, letter = await letter_after(office, visitor.send(page, {"email": EMAIL}))
    half = await visitor.send(asked, {"code": re.search(r"\d{8}", letter.body())[0]})
    assert half.status == 401

    answer = await visitor.send(half, {"identity": EMAIL, "password": PASSWORD})

    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


async def test_second_step_of_somebody_else(office, visitor):
    """The first half of one account does not go with the second of another."""
    await office.join(verified=True)
    await office.join("eve@example.com", verified=True)
    await office.options(otp={"enabled": True}, mfa={"enabled": True, "duration": 600})
    half, _ = await letter_after(office, sign_in(visitor))
    count = len(office.server.letters)
    own = await office.ask("request-otp", email="eve@example.com")
    code = re.search(r"\d{8}", (await office.server.arrived(count + 1))[-1].body())[0]

    answer = await visitor.send(half, {"code": code, "otpId": own.json["otpId"]})

    assert answer.status == 400
    assert await who(visitor) == "guest"


async def test_link(office, visitor):
    """A link of a letter opens the account at the press of a button, once."""
    await office.join(verified=True)
    await office.options(magicLink={"enabled": True})
    page = await visitor.open("/account/link")
    asked, letter = await letter_after(office, visitor.send(page, {"email": EMAIL}))
    assert "a link is on its way" in (await visitor.follow(asked)).text
    door = await visitor.open("/account/come-in")

    answer = await visitor.send(door, {"token": token_in(letter)})
    stranger = Visitor(office.client)
    again = await stranger.send(await stranger.open("/account/come-in"), {"token": token_in(letter)})

    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text
    assert (again.status, "used already" in again.text) == (400, True)


async def test_authenticator(office, visitor):
    """An app is set up with its recovery codes shown once, asked for at the next sign-in, and done away with."""
    await office.join(verified=True)
    await office.options(totp={"enabled": True})
    await sign_in(visitor)
    setup = await visitor.send(await visitor.open("/account/authenticator"), {})
    secret = Sheet(setup.text).forms[0]["fields"]["secret"]
    assert (setup.status, "<svg" in setup.text, secret in setup.text) == (200, True, True)

    altered = await visitor.send(setup, {"code": "000000", "secret": "A" * 5000})
    assert altered.status == 400
    wrong = await visitor.send(setup, {"code": "000000"})
    assert (wrong.status, Sheet(wrong.text).forms[0]["fields"]["secret"]) == (400, secret)
    shown = await visitor.send(wrong, {"code": code_at(secret, int(time.time()) // PERIOD)})
    codes = re.search(r'class="codes">([^<]*)', shown.text)[1].split()
    assert (shown.status, len(codes)) == (200, 10)
    kept = await visitor.follow(await visitor.send(shown, {}))
    assert "Your account" in kept.text

    stranger = Visitor(office.client)
    half = await sign_in(stranger)
    assert (half.status, await who(stranger)) == (401, "guest")
    assert (await stranger.send(half, {"code": codes[0]})).status == 303
    assert "9 recovery codes are left" in (await stranger.open("/account/authenticator")).text

    ended = await stranger.send(await stranger.open("/account/authenticator"), {"code": codes[1]}, 1)
    assert "is on" not in (await stranger.follow(ended)).text
    assert (await sign_in(Visitor(office.client))).status == 303


async def test_sessions(office, visitor):
    """The visitor sees where they are logged in, and ends a session, or all others."""
    await office.join(verified=True)
    others = [Visitor(office.client) for _ in range(3)]
    for each in (visitor, *others):
        await sign_in(each)
    page = await visitor.open("/account/sessions")
    assert page.text.count("this one") == 1

    ended = await visitor.send(page, {})
    left = [await who(each) for each in others]
    assert (sorted(left), "any more" in (await visitor.follow(ended)).text) == ([EMAIL, EMAIL, "guest"], True)
    page = await visitor.open("/account/sessions")
    await visitor.send(page, {}, len(Sheet(page.text).forms) - 1)

    assert [await who(each) for each in others] == ["guest"] * 3
    assert await who(visitor) == EMAIL


async def test_session_of_somebody_else(office, visitor):
    """An id of another account's session ends nothing."""
    await office.join(verified=True)
    await office.join("eve@example.com", verified=True)
    eve = Visitor(office.client)
    await eve.send(await eve.open("/account/sign-in"), {"identity": "eve@example.com", "password": PASSWORD})
    await sign_in(visitor)
    await sign_in(Visitor(office.client))
    kept = re.search(r'name="session" value="([^"]+)"', (await visitor.open("/account/sessions")).text)[1]
    other = Visitor(office.client)
    await other.send(await other.open("/account/sign-in"), {"identity": "eve@example.com", "password": PASSWORD})

    answer = await eve.send(await eve.open("/account/sessions"), {"session": kept})

    assert answer.status == 404
    assert kept in (await visitor.open("/account/sessions")).text


async def test_invitation(office, visitor):
    """Who is invited sees what is asked for, chooses a password, and is in."""
    await office.options(invitations={"enabled": True}, createRule="@request.auth.id != ''")
    count = len(office.server.letters)
    body = {"email": EMAIL, "ask": ["name"]}
    assert (await office.client.post(f"{USERS}/invitations", body, as_=office.root)).status == 200
    token = token_in((await office.server.arrived(count + 1))[-1])

    opened = await visitor.send(await visitor.open("/account/invitation"), {"token": token})
    assert {"name", "password", "passwordConfirm"} <= set(Sheet(opened.text).inputs)
    answer = await visitor.send(opened, {"name": "Ada", "password": PASSWORD, "passwordConfirm": PASSWORD})

    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


async def test_invitation_with_two_factors(office, visitor):
    """The letter was one factor, the new password is the other, which is asked for as the next step."""
    both = {"otp": {"enabled": True}, "mfa": {"enabled": True, "duration": 600}}
    await office.options(invitations={"enabled": True}, createRule="@request.auth.id != ''", **both)
    count = len(office.server.letters)
    assert (await office.client.post(f"{USERS}/invitations", {"email": EMAIL}, as_=office.root)).status == 200
    token = token_in((await office.server.arrived(count + 1))[-1])

    opened = await visitor.send(await visitor.open("/account/invitation"), {"token": token})
    half = await visitor.send(opened, {"password": PASSWORD, "passwordConfirm": PASSWORD})
    assert half.status == 401
    wrong = await visitor.send(half, {"identity": EMAIL, "password": "wrong-horse-9"})
    answer = await visitor.send(wrong, {"identity": EMAIL, "password": PASSWORD})

    assert f"signed in as {EMAIL}" in (await visitor.follow(answer)).text


@pytest.fixture
def many_forms(folder):
    """A page of the site with several ways in."""
    forms = ("sign_in_form", "code_form", "passkey_form")
    drawn = "".join(f"{{{{ {form}(records.users) }}}}" for form in forms)
    (folder / "in.html").write_text(f"{{% set title = 'In' %}}{drawn}")


async def test_one_step_on_a_page_of_many_forms(many_forms, office, visitor):
    """The next step stands once, also where several forms lead to it."""
    await office.join(verified=True)
    await office.options(otp={"enabled": True}, passkeys={"enabled": True}, mfa={"enabled": True, "duration": 600})

    half = await visitor.send(await visitor.open("/in"), {"identity": EMAIL, "password": PASSWORD})
    wrong = await visitor.send(half, {"code": "00000000"})

    assert [page.text.count('name="mfaId"') for page in (half, wrong)] == [1, 1]


async def test_deep_json_of_a_passkey(office, visitor):
    """What a browser would not send is refused like anything else that is no passkey."""
    await office.options(passkeys={"enabled": True})
    page = await visitor.open("/account/sign-in")
    number = next(n for n, form in enumerate(Sheet(page.text).forms) if "credential" in form["fields"])

    answer = await visitor.send(page, {"credential": '{"a":' + "[" * 5000}, number)

    assert answer.status == 400


async def test_forgotten_password(office, visitor):
    """The letter's link leads to a new password, which counts from then on, and not twice."""
    await office.join(verified=True)
    asked, letter = await letter_after(office, visitor.send(await visitor.open("/account/reset"), {"email": EMAIL}))
    assert "a letter is on its way" in (await visitor.follow(asked)).text
    page = await visitor.open("/account/new-password")
    typed = {"token": token_in(letter), "password": NEW, "passwordConfirm": NEW}

    short = await visitor.send(page, typed | {"password": "x", "passwordConfirm": "y"})
    done = await visitor.send(short, {"password": NEW, "passwordConfirm": NEW})
    again = await visitor.send(page, typed)

    assert (short.status, Sheet(short.text).inputs["password"]["aria-invalid"]) == (422, "true")
    assert Sheet(short.text).inputs["password"]["value"] == ""
    assert "Your new password counts" in (await visitor.follow(done)).text
    assert (again.status, "used already" in again.text) == (422, True)
    assert (await sign_in(visitor, NEW)).status == 303


async def test_reset_of_nobody(office, visitor):
    """An address without an account is answered in the same bytes, but for what is new in every page."""
    await office.join(verified=True)
    page = await visitor.open("/account/reset")

    answers = [await visitor.send(page, {"email": email}) for email in (EMAIL, "nobody@example.com")]

    assert answers[0].headers["location"] == answers[1].headers["location"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "\0"])
@pytest.mark.parametrize("page", ["new-password", "verify", "confirm-address", "come-in", "invitation"])
async def test_links_that_do_not_count(office, visitor, page, token):
    """Whatever comes in place of a token is told to be no good, and changes nothing."""
    await office.options(magicLink={"enabled": True}, invitations={"enabled": True})
    typed = {"token": token, "password": NEW, "passwordConfirm": NEW}

    answer = await visitor.send(await visitor.open(f"/account/{page}"), typed)

    assert answer.status in {400, 422}
    assert 'role="alert"' in answer.text


async def test_other_address(office, visitor):
    """A letter to the new address and the password move the account there."""
    await office.join(verified=True)
    await sign_in(visitor)
    page = await visitor.open("/account/new-address")
    asked, letter = await letter_after(office, visitor.send(page, {"newEmail": "countess@example.com"}))
    assert "to the new address" in (await visitor.follow(asked)).text
    confirm = await visitor.open("/account/confirm-address")

    wrong = await visitor.send(confirm, {"token": token_in(letter), "password": "wrong-horse-9"})
    done = await visitor.send(confirm, {"token": token_in(letter), "password": PASSWORD})

    assert (wrong.status, Sheet(wrong.text).inputs["password"]["aria-invalid"]) == (422, "true")
    assert "at its new address" in (await visitor.follow(done)).text
    assert await who(visitor) == "guest"
    typed = {"identity": "countess@example.com", "password": PASSWORD}
    assert (await visitor.send(await visitor.open("/account/sign-in"), typed)).status == 303


async def test_other_password(office, visitor):
    """The old one is asked for, and the session ends."""
    await office.join(verified=True)
    await sign_in(visitor)
    page = await visitor.open("/account/password")

    done = await visitor.send(page, {"oldPassword": PASSWORD, "password": NEW, "passwordConfirm": NEW})

    assert "Your new password counts" in (await visitor.follow(done)).text
    assert await who(visitor) == "guest"


async def test_sign_out(office, visitor):
    """The account's page has the way out."""
    await office.join(verified=True)
    home = await visitor.follow(await sign_in(visitor))

    await visitor.send(home, {}, len(Sheet(home.text).forms) - 1)

    assert await who(visitor) == "guest"


@pytest.mark.parametrize("page", ["", "/new-address", "/password", "/passkeys", "/sessions"])
async def test_guests_are_sent_to_sign_in(office, visitor, page):
    """What is for one's own account is not for guests."""
    await office.options(passkeys={"enabled": True})

    answer = await visitor.open(f"/account{page}")

    assert (answer.status, "/account/sign-in" in answer.text, "<form" in answer.text) == (200, True, False)


async def test_guests_change_no_account(office, visitor):
    """A form for an account of one's own, sent by a guest who got it from elsewhere, is refused."""
    await office.join(verified=True)
    await sign_in(visitor)
    page = await visitor.open("/account/new-address")
    visitor.cookies = {}

    assert (await visitor.send(page, {"newEmail": "eve@example.com"})).status == 403


@pytest.mark.sqlite_only("asks nothing of the database")
async def test_site_overrides_by_name(folder):
    """A file of that name takes the page's place, and a URL of the site is never taken."""
    (folder / "account").mkdir()
    (folder / "account" / "sign-in.html").write_text("{% set title = 1 %}mine {{ sign_in_form(accounts.records) }}")
    (folder / "account.html").write_text("{% set title = 2 %}my account")
    async with testing.client(folder.parent / "other", site=folder.parent) as client:
        assert "mine <form" in (await client.get("/account/sign-in")).text
        assert (await client.get("/account")).text.endswith("my account")
        assert (await client.get("/account/reset")).status == 200


@pytest.mark.sqlite_only("asks nothing of the database")
@pytest.mark.parametrize(("accounts", "status"), [("", 404), ("nothing", 404), ("users", 200)])
async def test_whose_accounts(folder, tmp_path, accounts, status):
    """The pages are for the collection that is named; for none there are none."""
    (folder.parent / "undercroft.toml").write_text(f'accounts = "{accounts}"')
    async with testing.client(tmp_path / "data", site=folder.parent) as client:
        assert (await client.get("/account/sign-in")).status == status


async def test_not_in_the_map(office, visitor):
    """Nobody looks for them."""
    assert "/account" not in (await visitor.open("/sitemap.xml")).text


@pytest.mark.sqlite_only("asks nothing of the database")
async def test_plain_layout(folder, tmp_path):
    """A site without a layout shows them in a plain one."""
    (folder / "_layout.html").unlink()
    async with testing.client(tmp_path / "data", site=folder.parent) as client:
        text = (await client.get("/account/sign-in")).text

    assert text.lstrip().startswith("<!doctype html>")
    assert "<title>Sign in</title>" in text
