"""Mail under --dev: kept in a folder, and shown to who develops on the machine, to nobody else."""

from __future__ import annotations

import asyncio
import logging

import pytest

from undercroft.app import App
from undercroft.mail.message import Attachment, Letter, Mailbox
from undercroft.mail.outbox import enqueue, seal
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
HERE = {"host": "localhost:8090"}
HTML = '<html><head><title>x</title></head><body><p>Hi <script>alert(1)</script><a href="https://x.y">go</a></p></body></html>'


@pytest.fixture
async def dev(tmp_path):
    """A client of an app that is run for a developer."""
    app = App(tmp_path, dev_url="http://127.0.0.1:8090")
    await app.start()
    yield TestClient(app)
    await app.stop()


async def send(client, **more):
    """Put a letter in, and wait until it is kept; its page."""
    parts = {"sender": Mailbox("desk@example.com"), "to": (Mailbox("ada@example.com"),), "subject": "<b>Hello</b>"}
    letter = seal(Letter(**parts | more))
    engine = client.backend.engine
    await engine.write(lambda tx: enqueue(tx, engine.dialect, letter))
    for _ in range(500):
        if found := list((client.backend.directory / "mail").glob(f"*-{letter.posts[0].id}.eml")):
            return f"/_/mail/{found[0].stem}"
        await asyncio.sleep(0.02)
    raise AssertionError


async def test_kept_and_shown(dev, caplog):
    """A letter is a file, a line on the terminal, and a page with all its parts."""
    caplog.set_level(logging.INFO, "undercroft")
    empty = await dev.get("/_/mail", headers=HERE)
    assert "No letters yet" in empty.text

    page = await send(dev, html=HTML, text="Hi", attachments=(Attachment("a<b>.txt", b"\x00content"),))

    index = await dev.get("/_/mail", headers=HERE)
    assert f'href="{page}"' in index.text
    assert f"http://127.0.0.1:8090{page}" in caplog.text
    shown = (await dev.get(page, headers=HERE)).text
    assert "&lt;b&gt;Hello&lt;/b&gt;" in shown
    assert "<b>Hello</b>" not in shown
    assert f'src="{page}/html"' in shown
    assert "<pre>Hi\n</pre>" in shown
    assert "a&lt;b&gt;.txt" in shown


async def test_html_is_caged(dev):
    """The HTML of a letter runs nothing, loads nothing, and opens links beside its frame."""
    page = await send(dev, html=HTML)

    answer = await dev.get(f"{page}/html", headers=HERE)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy + (await dev.get(page, headers=HERE)).text
    assert '<head><base target="_blank">' in answer.text


async def test_files_are_saved(dev):
    """A file that came with a letter is saved and never shown."""
    page = await send(dev, html=HTML, attachments=(Attachment("ä.html", b"<script>", "text/html"),))

    answer = await dev.get(f"{page}/files/0", headers=HERE)

    assert answer.body == b"<script>"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A4.html"
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "application/octet-stream",
        "nosniff",
    )
    assert (await dev.get(f"{page}/files/1", headers=HERE)).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "app.example.com"},
        {"host": "localhost.example.com"},
        {"host": "192.168.1.10:8090"},
        {"host": "localhost:8090", "x-forwarded-for": "203.0.113.9"},
        {"host": "localhost:8090", "forwarded": "for=203.0.113.9"},
    ],
)
async def test_nobody_else_sees_them(dev, headers):
    """By another name, as after DNS rebinding, or through a proxy or tunnel, there is no such page."""
    page = await send(dev, html=HTML)

    for path in ("/_/mail", page, f"{page}/html"):
        answer = await dev.get(path, headers=headers)
        assert (answer.status, answer.error.message) == (404, "File not found.")


async def test_not_without_dev(client):
    """A server that is not run for a developer has no such page."""
    answer = await client.get("/_/mail", headers=HERE)

    assert answer.status == 404


@pytest.mark.parametrize("name", ["..", "..%2f..%2fdata", "nothing", "a.eml", "%00"])
async def test_names(dev, name):
    """A name leads to a letter or nowhere."""
    answer = await dev.get(f"/_/mail/{name}", headers=HERE)

    assert answer.status in {404, 307}
