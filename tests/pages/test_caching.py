"""What caches may keep, and what goes over the wire."""

from __future__ import annotations

import zlib

import brotli
import pytest

from undercroft.pages.caching import accepted_encoding

LONG = "<p>{{ records.terms.count() if records else '' }}</p>" + "all work and no play " * 200


async def test_same_page_is_not_sent_twice(serve_files):
    """A page has a tag of its content: who has it is answered 304 without a body."""
    world = await serve_files({"pages/index.html": "x"})
    first = await world.get("/")

    again = await world.get("/", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-security-policy" in again.headers


async def test_changed_page_is_sent(serve):
    """When a record on the page changed, so did the tag."""
    world = await serve({"pages/index.html": "{{ records.terms.count() }}"})
    first = await world.get("/")
    await world.add(title="T")

    again = await world.get("/", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status, again.text) == (200, "1")


async def test_head_is_get_without_a_body(serve_files):
    """HEAD has the headers of GET, length and tag included."""
    world = await serve_files({"pages/index.html": LONG.replace("records", "none")})

    get, head = await world.get("/"), await world.client.request("HEAD", "/")

    different = {name for name in get.headers if get.headers[name] != head.headers.get(name)}
    assert (head.status, head.body, different) == (200, b"", {"x-request-id"})


@pytest.mark.parametrize("how", ["token", "bad token", "cookie of the answer"])
async def test_private_pages_are_kept_nowhere(serve, how):
    """What is made for somebody who is signed in, or sets a cookie, no cache may keep."""
    world = await serve(
        {
            "pages/index.html": "x",
            "pages/cookie.html": "x",
            "pages/cookie.py": "async def get(request):\n    request.add_header('set-cookie', 'a=b')\n",
        }
    )
    token = {"token": world.ada, "bad token": "nonsense", "cookie of the answer": ""}[how]

    answer = await world.get("/cookie" if not token else "/", as_=token)

    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers


async def test_page_says_how_long_guests_may_keep_it(serve):
    """`cache` in the front matter is for guests; whoever is signed in still gets a private page."""
    world = await serve({"pages/index.html": "---\ncache: public, max-age=60\n---\nx"})

    assert (await world.get("/")).headers["cache-control"] == "public, max-age=60"
    assert (await world.get("/", as_=world.ada)).headers["cache-control"] == "private, no-store"


async def test_script_cannot_make_private_pages_public(serve):
    """A response of a script for somebody who is signed in is private whatever the script says."""
    world = await serve(
        {
            "pages/data.py": (
                "from undercroft.http.response import Response\n\n"
                "async def get(request):\n"
                "    return Response(200, b'x', [(b'cache-control', b'public, max-age=99')])\n"
            )
        }
    )

    assert (await world.get("/data")).headers["cache-control"] == "public, max-age=99"
    assert (await world.get("/data", as_=world.ada)).headers["cache-control"] == "private, no-store"


SCRIPT = """
from undercroft.http.response import Response

BODY = b"all work " * 500

async def get(request):
    kind = request.query.get("kind", "text/plain").encode()
    headers = [(b"content-type", kind), (b"content-security-policy", b"default-src 'none'")]
    if "packed" in request.query:
        headers += [(b"content-encoding", b"gzip"), (b"etag", b'"mine"')]
    return Response(200, BODY, headers)
"""


async def test_responses_of_scripts(serve_files):
    """What a script says itself stands; texts are compressed unless they are already, and pictures are not."""
    world = await serve_files({"pages/data.py": SCRIPT})
    br = {"Accept-Encoding": "br"}

    text, picture = await world.get("/data", headers=br), await world.get("/data?kind=image/png", headers=br)
    packed = await world.get("/data?packed=1", headers=br)

    assert text.headers["content-security-policy"] == "default-src 'none'"
    assert (text.headers["content-encoding"], text.headers["content-type"]) == ("br", "text/plain")
    assert "content-encoding" not in picture.headers
    assert (packed.headers["content-encoding"], packed.headers["etag"]) == ("gzip", '"mine"')


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        *(("gzip, deflate, br", "br"), ("gzip", "gzip"), ("GZIP;q=0.5", "gzip"), ("br;q=0, gzip", "gzip")),
        *(
            ("br;q=0.000, gzip;q=0", ""),
            ("*", "br"),
            ("*;q=0", ""),
            ("identity", ""),
            ("", ""),
            ("gzip;q=1, *;q=0", "gzip"),
        ),
    ],
)
def test_encoding_is_chosen(header, encoding):
    """Brotli before gzip, of those that the client takes."""
    assert accepted_encoding(header.encode()) == encoding.encode()


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_pages_are_compressed(serve_files, encoding):
    """A long page comes compressed as the client takes it, with the tag that it has without."""
    world = await serve_files({"pages/index.html": LONG.replace("records", "none")})
    plain = await world.get("/")

    packed = await world.get("/", headers={"Accept-Encoding": encoding})

    unpack = {"br": brotli.decompress, "gzip": lambda body: zlib.decompress(body, 31)}[encoding]
    assert unpack(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 10
    assert (packed.headers["content-encoding"], packed.headers["etag"]) == (encoding, plain.headers["etag"])


async def test_short_pages_stay_as_they_are(serve_files):
    """What is short is not compressed."""
    world = await serve_files({"pages/index.html": "x"})

    assert "content-encoding" not in (await world.get("/", headers={"Accept-Encoding": "br"})).headers


async def test_security_headers(serve_files):
    """Pages run their own scripts only, stand in no frame, and do not tell their addresses elsewhere."""
    world = await serve_files({"pages/index.html": "x"})

    headers = (await world.get("/")).headers

    assert "script-src 'self';" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-frame-options"], headers["cross-origin-opener-policy"]) == ("DENY", "same-origin")
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == (
        "nosniff",
        "strict-origin-when-cross-origin",
    )
    assert "access-control-allow-origin" not in (await world.get("/", headers={"Origin": "https://a.example"})).headers


async def test_security_headers_are_the_site_s(serve_files):
    """Options and front matter choose other ones; an empty one is left out."""
    files = {"pages/index.html": "x", "pages/map.html": "---\ncsp: default-src 'self'; img-src *\n---\nx"}
    world = await serve_files(files, headers={"Referrer-Policy": "no-referrer", "x-frame-options": ""})

    page, chart = (await world.get("/")).headers, (await world.get("/map")).headers

    assert page["referrer-policy"] == "no-referrer"
    assert "x-frame-options" not in page
    assert chart["content-security-policy"] == "default-src 'self'; img-src *"


async def test_nonce(serve_files):
    """A page that asks for a nonce gets a policy that allows it, another one each time."""
    world = await serve_files({"pages/index.html": '<script nonce="{{ request.nonce }}">1</script>'})

    first, second = await world.get("/"), await world.get("/")

    nonce = first.text.split('"')[1]
    assert f"script-src 'self' 'nonce-{nonce}'" in first.headers["content-security-policy"]
    assert f"style-src 'self' 'nonce-{nonce}'" in first.headers["content-security-policy"]
    assert nonce not in second.text
