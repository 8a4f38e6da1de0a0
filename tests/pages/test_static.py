"""Static files: ranges, tags, packed variants, names with hashes, and nothing outside of the folder."""

from __future__ import annotations

import gzip
import os
import re
import tracemalloc

import brotli
import pytest

from undercroft import testing

FILES = {
    "public/style.css": "body { color: red }",
    "public/fonts/a.woff2": "font",
    "public/docs/index.html": "the docs",
    "public/.env": "SECRET=1",
    "public/.git/config": "secret",
    "public/.well-known/security.txt": "Contact: x",
    "public/_app/chunk.js": "1",
    "public/data.unknown": "bytes",
    "pages/index.html": "{{ static('style.css') }}",
    "secret.txt": "secret",
}


async def test_file_is_served(serve_files):
    """A file has its media type by its name, a tag, a date, and no body for HEAD."""
    world = await serve_files(FILES)

    answer = await world.get("/style.css")
    head = await world.client.request("HEAD", "/style.css")

    assert (answer.text, answer.headers["content-type"]) == ("body { color: red }", "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"
    assert {"etag", "last-modified", "accept-ranges"} <= answer.headers.keys()
    assert (head.body, head.headers["content-length"]) == (b"", "19")
    assert (await world.get("/fonts/a.woff2")).headers["content-type"] == "font/woff2"
    assert (await world.get("/_app/chunk.js")).status == 200
    assert (await world.get("/data.unknown")).headers["content-type"] == "application/octet-stream"


async def test_same_file_is_not_sent_twice(serve_files):
    """Who has a file is answered 304, by its tag or its date."""
    world = await serve_files(FILES)
    first = await world.get("/style.css")

    by_tag = await world.get("/style.css", headers={"If-None-Match": first.headers["etag"]})
    by_date = await world.get("/style.css", headers={"If-Modified-Since": first.headers["last-modified"]})

    assert [(answer.status, answer.body) for answer in (by_tag, by_date)] == [(304, b""), (304, b"")]


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [("bytes=0-3", 206, b"body"), ("bytes=-3", 206, b"ed }"[1:]), ("bytes=99-", 416, None), ("bytes=5-1", 416, None)],
)
async def test_ranges(serve_files, asked, status, body):
    """Parts of a file are sent as they are asked for."""
    world = await serve_files(FILES)

    answer = await world.get("/style.css", headers={"Range": asked, "Accept-Encoding": "br"})

    assert answer.status == status
    assert body is None or answer.body == body


async def test_hashed_names_are_kept_for_ever(serve_files):
    """`static` makes URLs that change with the content; caches keep them, and ask again for a hash of the past."""
    world = await serve_files(FILES)
    url = await world.shown("/")

    answer, old = await world.get(url), await world.get("/style.0000000000.css")

    assert re.fullmatch(r"/style\.[0-9a-f]{10}\.css", url)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (old.text, old.headers["cache-control"]) == (answer.text, "no-cache")
    world.write({"public/style.css": "body { color: blue; }"})
    assert await world.shown("/") != url


async def test_static_file_that_is_not_there(serve_files):
    """A template that links to a missing file fails, instead of linking to nothing."""
    world = await serve_files({**FILES, "pages/index.html": "{{ static('no.css') }}"}, is_dev=True)

    answer = await world.get("/")

    assert answer.status == 500
    assert "no.css" in answer.text


@pytest.mark.parametrize(
    ("encoding", "suffix", "unpack"), [("br", ".br", brotli.decompress), ("gzip", ".gz", gzip.decompress)]
)
async def test_packed_variants(serve_files, encoding, suffix, unpack):
    """A packed file beside a file is sent to those who take it, as long as it is not older."""
    world = await serve_files({**FILES, "public/app.js": "one"})
    folder = world.folder / "public"
    pack = {"br": brotli.compress, "gzip": gzip.compress}[encoding]
    (folder / f"app.js{suffix}").write_bytes(pack(b"packed beforehand"))

    packed = await world.get("/app.js", headers={"Accept-Encoding": encoding})
    os.utime(folder / f"app.js{suffix}", (0, 0))
    stale = await world.get("/app.js", headers={"Accept-Encoding": encoding})

    assert (unpack(packed.body), packed.headers["content-encoding"]) == (b"packed beforehand", encoding)
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert (stale.text, "content-encoding" in stale.headers) == ("one", False)
    assert packed.headers["etag"] != stale.headers["etag"]


async def test_texts_are_packed_when_asked_for(serve_files):
    """A text without packed variants is compressed once and kept; after a change it is the new one."""
    world = await serve_files({"public/long.css": "a { } " * 1000})

    async def ask():
        answer = await world.get("/long.css", headers={"Accept-Encoding": "br"})
        return brotli.decompress(answer.body), len(answer.body)

    first, size = await ask()
    world.write({"public/long.css": "bb { } " * 1000})

    assert (first, size < 200) == (b"a { } " * 1000, True)
    assert (await ask())[0] == b"bb { } " * 1000


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/.env",
            "/.git/config",
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/docs/..%2f..%2fsecret.txt",
        ),
        *(
            "/link.txt",
            "/linked/secret.txt",
            "/%00",
            "/style.css%00.txt",
            "/docs%5c..%5csecret.txt",
            "/style.css/x",
            "/docs/.env",
        ),
        *("/....//secret.txt", "/" + "a" * 5000, "/%ff%fe", "/con", "/.well-known/.env"),
    ],
)
async def test_no_way_out(serve_files, path):
    """No path and no link leads to hidden files or out of the folder."""
    world = await serve_files({**FILES, "public/docs/.env": "secret", "public/.well-known/.env": "secret"})
    (world.folder / "public/link.txt").symlink_to(world.folder / "secret.txt")
    (world.folder / "public/linked").symlink_to(world.folder)

    answer = await world.get(path)

    assert answer.status in {404, 307}
    assert "secret" not in answer.text.lower().replace("secret.txt", "")


async def test_well_known_is_served(serve_files):
    """`.well-known` is for others to find (RFC 8615)."""
    world = await serve_files(FILES)

    assert await world.shown("/.well-known/security.txt") == "Contact: x"


async def test_folders_have_a_slash(serve_files):
    """A folder with an index has its slash, a file has none, and an index has no name."""
    world = await serve_files(FILES)

    async def leads(path):
        answer = await world.get(path)
        return answer.headers.get("location", answer.text)

    assert [await leads(path) for path in ("/docs", "/docs/", "/docs/index.html", "/style.css/")] == [
        *("/docs/", "the docs", "/docs/", "/style.css")
    ]


async def test_application_with_its_own_routes(serve_files):
    """Without pages, `index.html` answers what nothing else does, but for names of files."""
    world = await serve_files({"public/index.html": "the app", "public/app.js": "1"})

    assert await world.shown("/") == "the app"
    assert await world.shown("/deep/link") == "the app"
    assert (await world.get("/missing.js")).status == 404
    assert (await world.get("/api/missing")).json["status"] == 404
    assert (await world.client.post("/deep/link", form={})).status == 404


async def test_fallback_can_be_off(serve_files):
    """An option turns that off."""
    world = await serve_files({"public/index.html": "the app"}, has_fallback=False)

    assert await world.shown("/") == "the app"
    assert (await world.get("/deep/link")).status == 404


async def test_pages_come_before_files(serve_files):
    """A page wins over a file of its name, a file over a page that would take any name."""
    world = await serve_files(
        {
            "pages/feed.xml": "page",
            "pages/[...rest].html": "any",
            "public/feed.xml": "file",
            "public/a.txt": "file",
            "public/index.html": "file",
        }
    )

    assert [await world.shown(path) for path in ("/feed.xml", "/a.txt", "/other")] == ["page", "file", "any"]


@pytest.mark.sqlite_only("about a server without pages")
async def test_without_a_site(tmp_path):
    """Without pages and files there is the API alone, and its answers are what they were."""
    async with testing.client(tmp_path / "data", site=tmp_path) as client:
        answer = await client.get("/")

    assert (answer.status, answer.json["message"]) == (404, "File not found.")


async def test_large_file_is_not_read_whole(serve_files):
    """To tell whether a name has the right hash, a large file is read piece by piece."""
    world = await serve_files(FILES)
    with (world.folder / "public" / "film.mp4").open("wb") as film:
        film.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    try:
        answer = await world.client.request("HEAD", "/film.0123456789.mp4")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
    assert most < 8 * 1024 * 1024
