"""The published SDK logs in through a window that it opens, in a real browser, at a provider that others wrote."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time

import httpx
import pytest
from chromium import running_chromium, static
from idp import running_idp
from network import free_port
from nodejs import node_modules
from servers import running

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only("about browsers")]
ADA = {"sub": "ada-1", "name": "Ada", "email": "ada@example.com", "email_verified": True}
LOG_IN = """async ([url, provider, options]) => {
  const { default: PocketBase } = await import("./pocketbase.mjs");
  const backend = new PocketBase(url);
  window.backend = backend;
  document.querySelector("button").onclick = () => {
    window.done = backend.collection("users").authWithOAuth2({ provider, ...options }).then(
      (answer) => ({ answer, isValid: backend.authStore.isValid }),
      (error) => ({ failed: error.originalError?.message || error.message || String(error) }),
    );
  };
}"""
ASK = """async () => {
  const record = await window.backend.collection("users").authRefresh();
  return record.record.email;
}"""


@contextlib.contextmanager
def running_provider():
    """The provider `oidc-provider-mock`, which wants a nonce in every request; its URL."""
    port = free_port()
    arguments = ["--port", str(port), "--require-nonce", "--user-claims", json.dumps(ADA)]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/.well-known/openid-configuration")
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server, and a page of another origin that has the SDK."""
    monkeypatch.setenv("UNDERCROFT_OUTGOING_NETWORKS", "127.0.0.0/8")
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(node_modules() / "pocketbase" / "dist" / "pocketbase.es.mjs", pages / "pocketbase.mjs")
    (pages / "index.html").write_text("<!doctype html><title>A page</title><button>Log in</button>")
    with running("undercroft", tmp_path) as server, static(pages) as origin:
        yield server, origin


def know(server, **provider):
    known = {"clientId": "our-client", "clientSecret": "hush", **provider}
    options = {"oauth2": {"enabled": True, "providers": [known]}, "authAlert": {"enabled": False}}
    answer = server.call("PATCH", "/api/collections/users", options)
    assert answer.status_code == 200, answer.text


def test_in_a_window(site):
    """The page learns who it is, and the window closes by itself."""
    server, origin = site
    with running_provider() as provider, running_chromium() as browser:
        told = httpx.get(f"{provider}/.well-known/openid-configuration").json()
        urls = {"authURL": told["authorization_endpoint"], "tokenURL": told["token_endpoint"]}
        pinned = {"jwksURL": told["jwks_uri"], "issuers": [told["issuer"]]}
        know(server, name="oidc", **urls, extra=pinned)
        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        page.evaluate(LOG_IN, [server.url, "oidc", {}])

        with page.expect_popup() as opened:
            page.click("button")
        window = opened.value
        with window.expect_event("close"):
            window.get_by_role("button", name="ada-1").click()
        found = page.evaluate("() => window.done")
        email = page.evaluate(ASK)

    meta, record = found["answer"]["meta"], found["answer"]["record"]
    assert (found["isValid"], email, record["verified"]) == (True, "ada@example.com", True)
    assert (meta["isNew"], meta["name"], meta["rawUser"]["iss"]) == (True, "Ada", told["issuer"])


def test_on_the_ready_page(site):
    """The page to sign in that comes with the program does the same, and its visitor has a session then."""
    server, _ = site
    with running_provider() as provider, running_chromium() as browser:
        told = httpx.get(f"{provider}/.well-known/openid-configuration").json()
        urls = {"authURL": told["authorization_endpoint"], "tokenURL": told["token_endpoint"]}
        pinned = {"jwksURL": told["jwks_uri"], "issuers": [told["issuer"]]}
        know(server, name="oidc", **urls, displayName="The club", extra=pinned)
        page = browser.new_page()
        page.goto(f"{server.url}/account/sign-in")
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Go on with The club").click()
        opened.value.get_by_role("button", name="ada-1").click()
        page.get_by_text("You are signed in as ada@example.com").wait_for()

    assert page.url == f"{server.url}/account"


def test_by_a_form(site):
    """A provider that comes back by a form, as Apple does, is heard as well, and the name that it tells once is kept."""
    server, origin = site
    with running_idp() as idp, running_chromium() as browser:
        idp.redirects = (f"{server.url}/api/oauth2-redirect",)
        idp.person = {"sub": "ada-1", "email": "ada@example.com", "email_verified": "true"}
        know(server, **idp.signing("apple"))
        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        page.evaluate(LOG_IN, [server.url, "apple", {}])
        page.click("button")
        found = page.evaluate("() => window.done")

    assert found["answer"]["meta"]["name"] == "Ada Lovelace"
    assert found["answer"]["record"]["name"] == "Ada Lovelace"


def test_who_says_no(site):
    """Who says no at the provider is not logged in, and the page that waits is told at once."""
    server, origin = site
    with running_idp() as idp, running_chromium() as browser:
        idp.redirects, idp.says_no = (f"{server.url}/api/oauth2-redirect",), True
        know(server, **idp.config())
        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        page.evaluate(LOG_IN, [server.url, "oidc", {}])
        page.click("button")
        found = page.evaluate("() => window.done")

    assert found == {"failed": "OAuth2 redirect error or missing code: access_denied"}


def test_the_page_that_a_window_ends_at(site):
    """It closes its window if it was opened for that, else says what has become of it, and loads nothing."""
    server, origin = site
    with running_chromium() as browser:
        shown = {}
        for end in ("success", "failure"):
            page = browser.new_page()
            asked = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(
                f"{server.url}/api/oauth2-redirect?state=nobody&code=c" if end == "failure" else f"{server.url}/_/"
            )
            shown[end] = (page.inner_text("h1"), [re.sub(r"[?#].*", "", url) for url in asked])

        page = browser.new_page()
        page.goto(f"{origin}/index.html")
        with page.expect_popup() as opened:
            page.evaluate("url => { window.open(url) }", f"{server.url}/_/#/auth/oauth2-redirect-success")
        if not opened.value.is_closed():
            opened.value.wait_for_event("close")

    assert shown == {
        "success": ("That is all", [f"{server.url}/_/"]),
        "failure": ("That did not work", [f"{server.url}/api/oauth2-redirect", f"{server.url}/_/"]),
    }
