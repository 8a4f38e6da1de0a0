"""Under --dev one sees what every letter looks like, and nobody else does."""

from __future__ import annotations

import pytest
from post_office import USERS, open_office

from undercroft.app import App
from undercroft.auth.sample_letters import KINDS
from undercroft.testing import TestClient

pytestmark = pytest.mark.anyio
HERE = {"host": "localhost:8090"}
SAMPLES = "/_/mail/samples"


@pytest.fixture
async def dev(tmp_path, database):
    """A client of an app that is run for a developer."""
    app = App(tmp_path, database=database, dev_url="http://127.0.0.1:8090")
    await app.start()
    yield TestClient(app)
    await app.stop()


@pytest.fixture
async def office(mailing):
    """A client of a backend that really sends its letters, and the server they arrive at."""
    async with open_office(mailing) as opened:
        yield opened


async def test_all_kinds_of_all_collections(dev):
    """Every kind of letter is listed for every collection of accounts, and shown in both its parts."""
    root = await dev.superuser()
    assert (await dev.post("/api/collections", {"name": "staff", "type": "auth"}, as_=root)).status == 200

    index = (await dev.get(SAMPLES, headers=HERE)).text

    assert len(KINDS) >= 8
    for collection in ("users", "staff", "_superusers"):
        for kind in KINDS:
            path = f"{SAMPLES}/{collection}/{kind}"
            page, html = [await dev.get(each, headers=HERE) for each in (path, f"{path}/html")]
            assert f'href="{path}"' in index
            assert (page.status, html.status) == (200, 200)
            assert f'src="{path}/html"' in page.text
            assert "Hello,\n\n" in page.text.partition("<pre>")[2]
            assert "<p>Hello,</p>" in html.text
            assert "sandbox" in html.headers["content-security-policy"]
    assert f'href="{SAMPLES}"' in (await dev.get("/_/mail", headers=HERE)).text


async def test_own_templates(dev):
    """A template that somebody wrote is shown filled in, as it would be sent."""
    template = {"subject": "Dear {RECORD:name}", "body": "<p>Come <a href='{APP_URL}/in?t={TOKEN}'>in</a></p>"}
    root = await dev.superuser()
    assert (await dev.patch(USERS, {"magicLink": {"emailTemplate": template}}, as_=root)).status == 200

    page = (await dev.get(f"{SAMPLES}/users/magic-link", headers=HERE)).text

    assert "<h1>Dear Ada Lovelace</h1>" in page
    assert "/in?t=__test_token__" in page.partition("<pre>")[2]


@pytest.mark.parametrize("path", ["users/nothing", "nothing/otp", "posts/otp", "users/otp/nothing"])
async def test_what_is_not_there(dev, path):
    """What is no kind of letter, or no collection of accounts, is not there."""
    root = await dev.superuser()
    await dev.post("/api/collections", {"name": "posts", "type": "base"}, as_=root)

    assert (await dev.get(f"{SAMPLES}/{path}", headers=HERE)).status == 404


@pytest.mark.parametrize("headers", [{"host": "app.example.com"}, {**HERE, "x-forwarded-for": "203.0.113.9"}])
async def test_nobody_else_sees_them(dev, headers):
    """By another name or through a proxy there is no such page."""
    for path in (SAMPLES, f"{SAMPLES}/users/otp", f"{SAMPLES}/users/otp/html"):
        assert (await dev.get(path, headers=headers)).code == "not_under_development"


async def test_not_without_dev(client):
    """A server that is not run for a developer has no such page."""
    for path in (SAMPLES, f"{SAMPLES}/users/otp", f"{SAMPLES}/users/otp/html"):
        assert (await client.get(path, headers=HERE)).code == "not_under_development"


@pytest.mark.parametrize("kind", KINDS)
async def test_real_letters_have_both_parts(office, kind):
    """A letter of each kind that is really sent has a text and an HTML part, one in place of the other."""
    form = {"email": "ada@example.com", "template": kind, "collection": "users"}
    count = len(office.server.letters)

    assert (await office.client.post("/api/settings/test/email", form, as_=office.root)).status == 204

    letter = (await office.server.arrived(count + 1))[-1].message
    assert letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    assert all(part.get_content().strip() for part in letter.iter_parts())
