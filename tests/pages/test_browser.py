"""A real browser on pages full of what should not run."""

from __future__ import annotations

import httpx
import pytest
from chromium import running_chromium
from network import free_port
from payloads import LINKS, PAYLOADS
from program import run, serving
from servers import PASSWORD, ROOT

pytestmark = pytest.mark.slow
FIELDS = [
    {"name": "title", "type": "text"},
    {"name": "body", "type": "editor"},
    {"name": "data", "type": "json"},
    {"name": "kind", "type": "text"},
]
RULES = {"listRule": "", "viewRule": ""}
PAGE = """{% set title = records.notes.get(params.id).title %}{% set t = records.notes.get(params.id) %}
<h1 title="{{ t.title }}">{{ t.title }}</h1><p id={{ t.id }} data-x='{{ t.title }}'>{{ t.data }}</p>
<input value="{{ t.title }}"><textarea>{{ t.body }}</textarea><div>{{ t.body | html }}</div>
<div>{{ t.body | markdown }}</div><p>{{ t.body | plain }}</p><!-- {{ t.title }} -->
<a id="link" href="{{ t.title }}">open</a> {{ request.query.q or "" }}"""
SITE = {
    "pages/_layout.html": "<!doctype html><html lang=en><title>{{ title }}</title>{{ content }}</html>",
    "pages/notes/[id].html": PAGE,
    "pages/careless/[id].html": "{% set title = 1 %}{{ records.notes.get(params.id).body | safe }}",
}


@pytest.fixture(scope="module")
def browser():
    with running_chromium() as opened:
        yield opened


@pytest.fixture(scope="module", params=["policy", "no policy"])
def site(tmp_path_factory, request):
    """A served site with a note for each payload, with its security policy and without: the address, and the notes."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in SITE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if request.param == "no policy":
        (folder / "undercroft.toml").write_text('[headers]\ncontent-security-policy = ""\n', encoding="utf-8")
    made = run("superuser", "upsert", ROOT, PASSWORD, "--dir", "data", folder=folder)
    assert made.returncode == 0, made.stderr
    port = free_port()
    with serving(port, folder=folder):
        address = f"http://127.0.0.1:{port}"
        yield address, add_notes(address), request.param == "policy"


def add_notes(address):
    with httpx.Client(base_url=address, timeout=30) as client:
        login = client.post(
            "/api/collections/_superusers/auth-with-password", json={"identity": ROOT, "password": PASSWORD}
        )
        client.headers["Authorization"] = login.json()["token"]
        client.post("/api/collections", json={"name": "notes", "type": "base", "fields": FIELDS, **RULES})
        notes = {}
        for payload in [*PAYLOADS, *LINKS]:
            body = {"title": payload, "body": payload, "data": [payload], "kind": payload}
            answer = client.post("/api/collections/notes/records", json=body)
            assert answer.status_code == 200, answer.text
            notes[payload] = answer.json()["id"]
        return notes


def test_nothing_runs(browser, site):
    """A hundred payloads in every column open no dialog, with the policy and by escaping alone."""
    address, notes, _ = site
    page, ran = browser.new_page(), []
    page.on("dialog", lambda dialog: (ran.append((page.url, dialog.message)), dialog.dismiss()))

    for note in notes.values():
        page.goto(f"{address}/notes/{note}", wait_until="load")
        page.mouse.move(50, 50)
    page.wait_for_timeout(300)
    page.close()

    assert ran == []
    assert len(notes) >= 100


def test_links_of_records_run_nothing(browser, site):
    """A template that puts a record's text into `href` makes no link that runs script, as long as there is a policy."""
    address, notes, has_policy = site
    ran = []

    for link in LINKS:
        page = browser.new_page()
        page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
        page.goto(f"{address}/notes/{notes[link]}", wait_until="load")
        page.click("#link", no_wait_after=True)
        page.wait_for_timeout(100)
        page.close()

    assert (ran == []) is has_policy


def test_policy_holds_where_a_template_is_careless(browser, site):
    """Script that a template lets through is stopped by the policy, and by nothing without it."""
    address, notes, has_policy = site
    page, ran = browser.new_page(), []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))

    page.goto(f"{address}/careless/{notes['<script>alert(document.domain)</script>']}", wait_until="load")
    page.close()

    assert len(ran) == (0 if has_policy else 1)
