"""A passkey in a real browser, with the authenticator that it simulates: made, used alone, and used as a second factor."""

from __future__ import annotations

import pytest
from chromium import AUTHENTICATOR, running_chromium
from servers import PASSWORD, running

pytestmark = pytest.mark.slow
USERS = "/api/collections/users"
EMAIL = "ada@example.com"
SCRIPT = """
async ([kind, token, more]) => {
    const ask = async (what, body) => {
        const headers = {"Content-Type": "application/json", Authorization: token};
        const answer = await fetch(`/api/collections/users/${what}`, {method: "POST", headers, body: JSON.stringify(body)});
        return [answer.status, await answer.json()];
    };
    const make = async () => {
        const [, options] = await ask("request-passkey", {});
        const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
        const credential = await navigator.credentials.create({publicKey});
        return ask("confirm-passkey", {credential: credential.toJSON(), name: "Browser"});
    };
    const use = async () => {
        const [, options] = await ask("request-passkey-login", more);
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
        const credential = await navigator.credentials.get({publicKey});
        return ask("auth-with-passkey", {credential: credential.toJSON(), ...more});
    };
    return kind === "make" ? make() : use();
}
"""


@pytest.fixture
def server(tmp_path, database):
    """A server with a page, whose application is at localhost and has an account."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("<!doctype html><title>Home</title>", encoding="utf-8")
    with running("undercroft", tmp_path, database) as opened:
        url = opened.url.replace("127.0.0.1", "localhost")
        opened.call("PATCH", "/api/settings", {"meta": {"appURL": url}})
        opened.call("PATCH", USERS, {"passkeys": {"enabled": True}, "authAlert": {"enabled": False}})
        body = {"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD}
        assert opened.call("POST", f"{USERS}/records", body).status_code == 200
        yield opened, url


def test_made_and_used(server):
    """What the browser makes the server keeps, and what the browser brings then opens the account."""
    opened, url = server
    opened.sign_in("ada", "users", EMAIL)
    with running_chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        devices = page.context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

        made = page.evaluate(SCRIPT, ["make", opened.tokens["ada"], {}])
        used = page.evaluate(SCRIPT, ["use", "", {}])
        opened.call("PATCH", USERS, {"mfa": {"enabled": True, "duration": 600}})
        half = opened.call(
            "POST", f"{USERS}/auth-with-password", {"identity": EMAIL, "password": PASSWORD}, "guest"
        ).json()
        completed = page.evaluate(SCRIPT, ["use", "", half])
        [kept] = devices.send("WebAuthn.getCredentials", device)["credentials"]

    assert (made[0], made[1]["name"], made[1]["transports"]) == (200, "Browser", ["internal"])
    assert (used[0], used[1]["record"]["email"]) == (200, EMAIL)
    assert (completed[0], completed[1]["record"]["email"]) == (200, EMAIL)
    assert (kept["isResidentCredential"], kept["rpId"]) == (True, "localhost")
    shown = opened.call("GET", f"{USERS}/passkeys", caller="ada").json()["items"]
    assert [each["id"] for each in shown] == [made[1]["id"]]
