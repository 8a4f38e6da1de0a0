"""What a served file says of itself: its type, how it may be shown, who may keep it, and whether it has changed."""

from itertools import product

import pytest
from shelf import TEXT, file_token, make_shelf, put

from undercroft.testing import File

CSP = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
ANYONE = "max-age=2592000, stale-while-revalidate=86400"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
WISHES = dict.fromkeys(["1", "t", "T", "true", "True", "TRUE", "original"], "attachment") | dict.fromkeys(
    ["", "0", "false", "yes", "on", "tRue"], "inline"
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


async def test_headers(client):
    """A file may be framed, for nothing in it runs; it is never sniffed, and kept by caches for a month."""
    await make_shelf(client)
    shelf = await put(client)

    headers = (await shelf.get()).headers

    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-disposition"] == f'attachment; filename="{shelf.record["open"]}"'
    assert headers["content-security-policy"] == CSP
    assert headers["cache-control"] == ANYONE
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "x-frame-options" not in headers


async def test_refusals_are_not_framed(client):
    """An answer that is no file may not be framed elsewhere."""
    await make_shelf(client)

    answer = await client.get("/api/files/shelf/nothing/nothing.txt")

    assert (answer.status, answer.headers["x-frame-options"]) == (404, "SAMEORIGIN")


@pytest.mark.parametrize(
    ("file", "kind", "how"),
    [
        (File("a.png", PNG), "image/png", "inline"),
        (File("a.html", PNG, "text/html"), "image/png", "inline"),
        (File("a.svg", PNG), "image/png", "inline"),
        (File("a.png", SVG, "image/png"), "image/svg+xml", "attachment"),
        (File("a.png", b"<html><script>1</script>", "image/png"), "text/html; charset=utf-8", "attachment"),
        (File("a.png", b"words", "image/png"), "text/plain; charset=utf-8", "attachment"),
        (File("a.js", b"alert(1)", "image/png"), "text/javascript", "attachment"),
        (File("a.css", b"a{}"), "text/css", "attachment"),
        (File("a.pdf", b"%PDF-1.7\n"), "application/pdf", "inline"),
        (File("a.bin", bytes(range(256))), "application/octet-stream", "attachment"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_type(client, file, kind, how):
    """The content decides what a file is served as, whatever the client said it was."""
    await make_shelf(client)
    shelf = await put(client, open=file)

    headers = (await shelf.get()).headers

    assert (headers["content-type"], headers["content-disposition"].partition(";")[0]) == (kind, how)


async def test_download(client):
    """`download` makes a file be saved that would have been opened."""
    await make_shelf(client)
    shelf = await put(client, open=File("a.png", PNG))

    told = {text: (await shelf.get(download=text)).headers["content-disposition"].partition(";")[0] for text in WISHES}

    assert told == WISHES


async def test_original_name(client):
    """`download=original` saves a file under the name that it came with, and no other header."""
    await make_shelf(client)
    shelf = await put(client, open=File("Ünder the Croft.txt", TEXT))

    answer = await shelf.get(download="original")

    told = "attachment; filename=\"_nder the Croft.txt\"; filename*=UTF-8''%C3%9Cnder%20the%20Croft.txt"
    assert answer.headers["content-disposition"] == told


RULES = {"open": "", "ruled": "title = 'shown'"}
WAYS = {"GET": 200, "HEAD": 200, "range": 206, "if-none-match": 304}


@pytest.mark.parametrize(("field", "rule"), [*product(("open", "secret"), RULES)])
async def test_who_may_keep_it(client, field, rule):
    """A cache may keep what anyone may read; what a rule or a token was needed for, nobody keeps."""
    root = await make_shelf(client, RULES[rule])
    shelf = await put(client, title="shown", secret=File("s.txt", TEXT))
    token, etag = await file_token(client, root), (await shelf.get(field)).headers["etag"]
    told = ANYONE if field == "open" or rule == "open" else "private, no-store"

    for query, (way, status) in product(({}, {"token": token}), WAYS.items()):
        sent = {"range": {"range": "bytes=0-1"}, "if-none-match": {"if-none-match": etag}}.get(way, {})
        answer = await (shelf.head if way == "HEAD" else shelf.get)(field, headers=sent, **query)
        assert (answer.status, answer.headers["cache-control"]) == (status, told), (query, way)


@pytest.mark.parametrize("way", ["etag", "last-modified"])
async def test_not_modified(client, way):
    """Who has the file already is told so, without its bytes."""
    await make_shelf(client)
    shelf = await put(client)
    known = (await shelf.get()).headers[way]
    name = {"etag": "if-none-match", "last-modified": "if-modified-since"}[way]

    again = await shelf.get(headers={name: known})
    head = await shelf.head(headers={name: known})

    assert (again.status, again.body, head.status) == (304, b"", 304)
    assert {"content-length", "content-type"}.isdisjoint(again.headers)
    assert again.headers["etag"] == (await shelf.get()).headers["etag"]


async def test_etag_is_the_content(client):
    """Two files have the same tag if they have the same content, and only then."""
    await make_shelf(client)
    one, same, other = await put(client), await put(client), await put(client, open=File("x.txt", b"other"))

    tags = [(await shelf.get()).headers["etag"] for shelf in (one, same, other)]

    assert tags[0] == tags[1] != tags[2]
    assert tags[0].startswith('"')


async def test_changed_since(client):
    """Who wants another version than there is gets 412."""
    await make_shelf(client)
    shelf = await put(client)

    assert (await shelf.get(headers={"if-match": '"x"'})).status == 412
    assert (await shelf.get(headers={"if-unmodified-since": "Fri, 01 Jan 2010 00:00:00 GMT"})).status == 412


async def test_fields_is_not_about_files(client):
    """A stored JSON file comes as it is, also when the query asks for some fields of something."""
    await make_shelf(client)
    shelf = await put(client, open=File("a.json", b'{"a": 1, "b": 2}'))

    answer = await shelf.get(fields="a")

    assert (answer.headers["content-type"], answer.body) == ("application/json", b'{"a": 1, "b": 2}')
