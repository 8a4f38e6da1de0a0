"""The pages about accounts in a real browser: passkeys, and links of letters, whose tokens no server sees in an address."""

from __future__ import annotations

import pytest
from chromium import AUTHENTICATOR, running_chromium
from mail_server import ThreadedMailServer
from post_office import token_in
from servers import PASSWORD, running

pytestmark = pytest.mark.slow
USERS = "/api/collections/users"
EMAIL = "ada@example.com"


@pytest.fixture
def letters():
    """A mail server."""
    with ThreadedMailServer() as server:
        yield server


@pytest.fixture
def server(tmp_path, database, letters):
    """A server with a page, whose application is at localhost and has an account."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("{{ user.email if user else 'guest' }}", encoding="utf-8")
    with running("undercroft", tmp_path, database) as opened:
        url = opened.url.replace("127.0.0.1", "localhost")
        smtp = {"enabled": True, "host": "127.0.0.1", "port": letters.catcher.port, "tls": False}
        opened.call("PATCH", "/api/settings", {"meta": {"appURL": url}, "smtp": smtp})
        opened.call("PATCH", USERS, {"passkeys": {"enabled": True}, "authAlert": {"enabled": False}})
        body = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
        assert opened.call("POST", f"{USERS}/records", body).status_code == 200
        yield opened, url


def test_passkey(server):
    """Made on one's own page, it opens the account by itself; removed, it opens nothing any more."""
    _, url = server
    with running_chromium() as browser:
        page = browser.new_page()
        page.goto(f"{url}/account/sign-in")
        devices = page.context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        page.fill("[name=identity]", EMAIL)
        page.fill("[name=password]", PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("link", name="Passkeys").click()
        page.fill("[name=name]", "my phone")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("The passkey was added").wait_for()
        assert "my phone" in page.locator(".rows").inner_text()

        page.goto(f"{url}/account")
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{url}/account/sign-in?next=/")
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_text(EMAIL).wait_for()

        page.goto(f"{url}/account/passkeys")
        page.get_by_role("button", name="Remove").click()
        page.get_by_text("The passkey was removed").wait_for()
        page.goto(f"{url}/account")
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{url}/account/sign-in")
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_role("alert").wait_for()
        page.goto(url)
        assert page.locator("body").inner_text() == "guest"


@pytest.mark.sqlite_only("about what the browser does")
def test_link_of_a_letter(server, letters):
    """It leads to the page that it is for, and its token is in no address that a server is asked for."""
    opened, url = server
    assert opened.call("POST", f"{USERS}/request-verification", {"email": EMAIL}, "guest").status_code == 204
    token = token_in(letters.wait(1)[-1])
    asked = []
    with running_chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.goto(f"{url}/_/#/auth/confirm-verification/{token}")
        page.get_by_role("button", name="Yes, it is mine").click()
        page.get_by_text("your address is confirmed").wait_for()
        assert token not in page.url

    assert not [address for address in asked if token in address]
    assert opened.call("GET", f"{USERS}/records").json()["items"][0]["verified"] is True


@pytest.mark.sqlite_only("about what the browser does")
def test_link_without_a_page(tmp_path):
    """Where there is no page for it, that is said."""
    with running("undercroft", tmp_path) as opened, running_chromium() as browser:
        page = browser.new_page()
        page.goto(f"{opened.url}/_/#/auth/confirm-verification/abc")
        page.get_by_role("heading", name="There is no page for this here").wait_for()
