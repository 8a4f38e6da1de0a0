"""A site as a real server sends it, byte by byte."""

from __future__ import annotations

import random

import httpx
import pytest
from network import free_port
from program import serving


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A served site with a page, a text, and a file of three megabytes: a client, and the file's bytes."""
    folder = tmp_path_factory.mktemp("site")
    large = random.Random(3).randbytes(3_000_000)
    (folder / "pages").mkdir()
    (folder / "public").mkdir()
    (folder / "pages" / "index.html").write_text("<p>all work</p>" * 500)
    (folder / "public" / "style.css").write_text("body { color: red }\n" * 500)
    (folder / "public" / "large.bin").write_bytes(large)
    port = free_port()
    with serving(port, folder=folder), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client, large


def test_large_file(site):
    """A file comes whole, in parts, and not at all for HEAD, over one connection."""
    client, large = site

    whole, part = client.get("/large.bin"), client.get("/large.bin", headers={"Range": "bytes=1000000-2000000"})
    head = client.head("/large.bin")

    assert whole.content == large
    assert (part.status_code, part.content) == (206, large[1_000_000:2_000_001])
    assert (head.content, head.headers["content-length"]) == (b"", str(len(large)))


@pytest.mark.parametrize("path", ["/", "/style.css"])
@pytest.mark.parametrize("encoding", ["br", "gzip", "identity"])
def test_encodings(site, path, encoding):
    """A text is the same in every encoding."""
    client, _ = site
    plain = client.get(path, headers={"Accept-Encoding": "identity"})

    packed = client.get(path, headers={"Accept-Encoding": encoding})

    assert packed.content == plain.content
    assert packed.headers.get("content-encoding", "identity") == encoding
    assert int(packed.headers["content-length"]) <= len(plain.content) / (1 if encoding == "identity" else 5)


@pytest.mark.parametrize("path", ["/", "/style.css", "/large.bin"])
def test_not_modified(site, path):
    """304 has no body, and the connection is good for what comes next."""
    client, _ = site
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path).content == first.content
