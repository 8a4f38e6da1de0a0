"""Large public files may be fetched from the bucket itself, for a minute, and nothing else may."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from s3_server import KEYS
from shelf import file_token, make_shelf, put
from vault import make_vault
from vault import put as fill

from undercroft import testing
from undercroft.testing import File

pytestmark = pytest.mark.sqlite_only("about links into a bucket")

LARGE = b"%PDF-1.4\n" + bytes(9 * 1024 * 1024)


@pytest.fixture
async def client(tmp_path, s3, monkeypatch):
    """A client of a backend whose large public files are fetched from the bucket."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with testing.client(tmp_path, files=s3.url(signed_url=60)) as opened:
        yield opened


async def test_large_public_file(client):
    """A large file that everybody may have is fetched from the bucket, and looks as it would have looked here."""
    await make_shelf(client)
    shelf = await put(client, open=File("Book.pdf", LARGE))

    sent = await shelf.get(headers={"range": "bytes=0-3"})
    link = sent.headers["location"]
    async with httpx.AsyncClient() as browser:
        whole = await browser.get(link)
        part = await browser.get(link, headers={"range": "bytes=0-3"})

    assert (sent.status, sent.body, sent.headers["cache-control"]) == (307, b"", "no-store")
    assert whole.content == LARGE
    assert (part.status_code, part.content) == (206, b"%PDF")
    assert whole.headers["content-type"] == "application/pdf"
    assert whole.headers["content-disposition"].startswith('inline; filename="book_')
    assert int(parse_qs(urlsplit(link).query)["X-Amz-Expires"][0]) <= 60


async def test_encrypted_file(client):
    """An encrypted file is served here, however large it is and whoever may have it."""
    await make_vault(client)
    kept = await fill(client, doc=LARGE)

    answer = await kept.get()

    assert (answer.status, answer.body) == (200, LARGE)


async def test_small_file(client):
    """A small file is served here."""
    await make_shelf(client)
    shelf = await put(client)

    assert (await shelf.get()).status == 200


async def test_head_is_answered_here(client):
    """HEAD tells what there is, wherever it is fetched."""
    await make_shelf(client)
    shelf = await put(client, open=File("Book.pdf", LARGE))

    head = await shelf.head()

    assert (head.status, head.headers["content-length"]) == (200, str(len(LARGE)))


async def test_link_is_for_one_file_and_one_method(client):
    """An address that is changed in any way opens nothing, nor can anything be put or deleted there."""
    await make_shelf(client)
    shelf = await put(client, open=File("Book.pdf", LARGE))
    link = (await shelf.get()).headers["location"]
    other = link.replace("book_", "cook_")
    attached = link.replace("inline", "attachment")
    longer = link.replace("X-Amz-Expires=60", "X-Amz-Expires=600")

    async with httpx.AsyncClient() as browser:
        answers = [await browser.get(each) for each in (other, attached, longer, link.partition("?")[0])]
        answers += [await browser.put(link, content=b"x"), await browser.delete(link)]

    assert [answer.status_code for answer in answers] == [403] * 6
    assert (await shelf.get()).status == 307


async def test_protected_file_is_served_here(client):
    """A file that a rule guards never has an address of its own, however large it is."""
    fields = [{"name": "secret", "type": "file", "protected": True, "maxSize": 100 << 20}]
    root = await make_shelf(client, rule=None, fields=fields)
    shelf = await put(client, open=File("ignored.txt", b""), secret=File("Book.pdf", LARGE))

    answer = await shelf.get("secret", token=await file_token(client, root))

    assert (answer.status, answer.body) == (200, LARGE)
