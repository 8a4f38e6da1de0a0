"""Paths that want out: whatever a URL says, no byte comes from outside the store."""

import os
from itertools import product
from pathlib import Path

import pytest
from network import free_port
from program import serving, talk
from shelf import make_shelf, put

from undercroft.testing import File

SENTINEL = b"from outside the store"
UPS = [
    *("..", "%2e%2e", "%2E%2E", ".%2e", "%252e%252e", "%25252e%25252e", "..%00", "%00..", "..;", "..;/..", "...."),
    *("..%5c", "%2e%2e%5c", "..%255c", "..%c0%af", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%uff0e%uff0e", "．．", "..%ef%bc%8f"),
    *("..%0d%0a", "..%20", "%20..", "..%09", "..?", "..#", "..:", "..::$DATA", "~", ".%00.", "\\..", "..\\.."),
]  # fmt: skip
SLASHES = ["/", "%2f", "%2F", "%252f", "//", "%5c", "\\"]
TARGETS = ["outside.txt", "data.db", "storage/../outside.txt"]


def tricks(folder: str, name: str) -> list[str]:
    """Hundreds of paths below `/api/files` that some server somewhere took for a way out."""
    climbs = [
        f"{folder}/{slash.join([up] * depth)}{slash}{target}"
        for up, slash, depth, target in product(UPS, SLASHES, (1, 4), TARGETS)
    ]
    others = [
        *(f"{folder}/{link}" for link in ("link.txt", "link", "link/outside.txt", "pipe")),
        *(f"{folder}/{each}" for each in (".", "..", ".attrs", f"{name}.attrs", f"{name}%00.txt", f"{name}%2f", f"{name};.png")),
        *(f"{folder}/{each}" for each in (f"./{name}/..", f"{name}/", f"{name}\\", f"%2e/{name}", f"thumbs_{name}/x", "*")),
        f"{folder}x/{name}",
        f"{folder[:-1]}/{name}",
        f"/api/files/shelf0000000000%2f{folder.rpartition('/')[2]}/{name}/x",
        f"/api/files/%2e%2e/storage/{name}",
        f"/api/files/shelf/{SLASHES[1].join(['..'] * 3)}/outside.txt",
        f"/api/files/shelf/{'%2f'}etc/passwd",
        f"/api/files//{folder}/{name}",
    ]  # fmt: skip
    return climbs[:: len(climbs) // 270] + others


@pytest.mark.local_only("puts links into the folder")
async def test_no_way_out(client, tmp_path):
    """Three hundred spellings of a way out, and links in the store itself, lead nowhere."""
    await make_shelf(client)
    shelf = await put(client)
    (tmp_path / "outside.txt").write_bytes(SENTINEL)
    path = shelf.path("open")
    folder, _, name = path.rpartition("/")
    plant(tmp_path / "storage" / "shelf0000000000" / shelf.record["id"], tmp_path / "outside.txt")
    asked = tricks(folder, name)
    assert len(asked) >= 300

    for trick in asked:
        answer = await client.get(trick)
        assert answer.status in {404, 307}, trick
        assert SENTINEL not in answer.body, trick
    assert (await client.get(path)).status == 200


@pytest.mark.local_only("puts links into the folder")
@pytest.mark.parametrize("planted", ["link.txt", "link/outside.txt", "pipe", "folder"])
async def test_links_are_not_followed(client, tmp_path, planted):
    """A link, a pipe or a folder in the store is no file, even when a record names it."""
    await make_shelf(client)
    shelf = await put(client)
    (tmp_path / "outside.txt").write_bytes(SENTINEL)
    plant(tmp_path / "storage" / "shelf0000000000" / shelf.record["id"], tmp_path / "outside.txt")
    dialect = client.backend.engine.dialect
    sql = f"UPDATE {dialect.quote('shelf')} SET {dialect.quote('open')} = {dialect.placeholder(1)}"
    await client.backend.engine.write(lambda transaction: transaction.run(sql, [planted]))

    answer = await client.get(f"/api/files/shelf/{shelf.record['id']}/{planted.replace('/', '%2f')}")

    assert answer.status == 404


@pytest.mark.local_only("replaces the folder by a link")
async def test_linked_folder(client, tmp_path):
    """A record's folder that somebody replaced by a link to elsewhere is not entered."""
    await make_shelf(client)
    shelf = await put(client, open=File("ten.txt", b"x" * 200_000))
    folder = tmp_path / "storage" / "shelf0000000000" / shelf.record["id"]
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")

    assert (await shelf.get()).status == 404


def plant(folder: Path, outside: Path) -> None:
    """Put into a record's folder what leads out of it."""
    (folder / "link.txt").symlink_to(outside)
    (folder / "link").symlink_to(outside.parent)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")


@pytest.mark.sqlite_only("about paths on the wire")
def test_raw_paths(tmp_path):
    """The server itself gives out nothing for paths that no client library would send."""
    (tmp_path / "outside.txt").write_bytes(SENTINEL)
    port = free_port()
    with serving(port, "--dir", "data", folder=tmp_path):
        for path in (
            "/api/files/../../outside.txt",
            "/api/files/a/b/..\\..\\..\\outside.txt",
            "//outside.txt",
            "/../outside.txt",
        ):
            answer = talk(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert SENTINEL not in answer, path
            assert b" 200 " not in answer.splitlines()[0], path
