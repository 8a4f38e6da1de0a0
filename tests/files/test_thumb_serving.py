"""Thumbs as they are asked for: by `?thumb=SIZE` on the original."""

from __future__ import annotations

import threading
from pathlib import Path

import bombs
import pytest
from gallery import PICTURES, build_gallery, hang
from kept import keys
from pictures import QUARTERS, colors, encode, opened, quarters
from servers import Server, running

from undercroft.testing import File

PHOTO = encode(quarters(), "image/jpeg")
MOST_GROWTH = 64 << 10  # KiB


@pytest.fixture
async def path(client):
    """Where a photo of the gallery is served."""
    root = await client.superuser()
    assert (await client.post("/api/collections", PICTURES, as_=root)).status == 200
    return await add(client, "image")


async def add(client, field, content=PHOTO):
    answer = await client.post("/api/collections/pictures/records", form={field: File("Photo.jpg", content)})
    assert answer.status == 200, answer.text
    return f"/api/files/pictures/{answer.json['id']}/{answer.json[field]}"


async def test_a_declared_size(client, path):
    """A size that the field declares is served as an image of its own, with a name that tells it."""
    answer = await client.get(path, thumb="40x20")

    image = opened(answer.body)
    assert (answer.status, answer.headers["content-type"], image.size) == (200, "image/jpeg", (40, 20))
    assert colors(image) == QUARTERS
    assert answer.headers["content-disposition"] == f'inline; filename="40x20_{path.rpartition("/")[2]}"'
    assert answer.headers["content-length"] == str(len(answer.body))


async def test_a_size_for_everybody(client, path):
    """One size needs no declaration."""
    assert opened((await client.get(path, thumb="100x100")).body).size == (100, 100)


async def test_other_sizes_are_the_original(client, path):
    """A size that no field declares is the original, as PocketBase has it; nothing is made."""
    sizes = ["999x999", "", "0x0", "40x20 ", "040x20", "40x20f", "../../x", "\0", "40x20\n"]
    answers = [await client.get(path, thumb=size) for size in sizes]

    assert [(answer.status, answer.body == PHOTO) for answer in answers] == [(200, True)] * len(sizes)
    assert len(await keys(client.backend.files)) == 1


async def test_a_broken_image_is_served_as_it_is(client, path):
    """Of what cannot be read as an image the original is served."""
    broken = await add(client, "image", PHOTO[:600])

    answer = await client.get(broken, thumb="40x20")

    assert (answer.status, answer.body) == (200, PHOTO[:600])


async def test_a_thumb_can_be_asked_for_again_in_parts(client, path):
    """A thumb has an ETag, a date and ranges, as every file."""
    whole = await client.get(path, thumb="40x20")
    same = await client.get(path, thumb="40x20", headers={"if-none-match": whole.headers["etag"]})
    part = await client.get(path, thumb="40x20", headers={"range": "bytes=0-9"})

    assert same.status == 304
    assert (part.status, part.body) == (206, whole.body[:10])


async def test_the_thumb_of_a_protected_file_is_protected(client, path):
    """Who may not have a file may not have its thumb, also when it is there already."""
    root = await client.superuser()
    await client.patch("/api/collections/pictures", {"viewRule": None}, as_=root)
    hidden = await add(client, "secret")
    token = (await client.post("/api/files/token", as_=root)).json["token"]

    allowed = await client.get(hidden, thumb="40x20", token=token)
    refused = await client.get(hidden, thumb="40x20")

    assert opened(allowed.body).size == (40, 20)
    assert allowed.headers["cache-control"] == "private, no-store"
    assert refused.status == 404


async def test_thumbs_go_with_their_record(client, path):
    """When a record is deleted, nothing of its files is left."""
    await client.get(path, thumb="40x20")
    assert len(await keys(client.backend.files)) == 2

    record = f"/api/collections/pictures/records/{path.split('/')[4]}"
    assert (await client.delete(record, as_=await client.superuser())).status == 204
    await client.backend.filing.settle()

    assert await keys(client.backend.files) == []


@pytest.mark.sqlite_only("about memory")
def test_a_bomb_leaves_the_server_alone(tmp_path):
    """A PNG of 256 million pixels costs the server and its helpers no memory, and others are served meanwhile."""
    with running("undercroft", tmp_path) as server:
        build_gallery(server)
        small = hang(server, "small.jpg", PHOTO)
        bomb = hang(server, "bomb.png", content := bombs.huge_png())
        assert opened(small.thumb("50x50").content).size == (50, 50)
        before = memory(tmp_path)

        with Ticking(server) as ticks:
            answers = [bomb.thumb(size) for size in ("40x20", "50x50", "100x100")]

        assert [answer.content == content for answer in answers] == [True] * 3
        assert memory(tmp_path) - before < MOST_GROWTH
        assert ticks
        assert set(ticks) == {200}


def memory(folder: Path) -> int:
    """The most memory that the server's processes ever had, in KiB."""
    statuses = [path.read_text() for path in Path("/proc").glob("[0-9]*/status") if is_of(path.parent, folder)]
    assert len(statuses) >= 2
    return sum(int(status.split("VmHWM:")[1].split()[0]) for status in statuses)


def is_of(process: Path, folder: Path) -> bool:
    """Whether a process works in a folder."""
    try:
        return (process / "cwd").readlink() == folder and b"Vm" in (process / "status").read_bytes()
    except OSError:
        return False


class Ticking:
    """Asks for something else again and again, as long as the block lasts; gives the statuses."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._statuses: list[int] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> list[int]:
        self._thread.start()
        return self._statuses

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._statuses or not self._is_over.wait(0.002):
            self._statuses.append(self._server.call("GET", "/api/health", caller="guest").status_code)
