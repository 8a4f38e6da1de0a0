"""The local store: PocketBase's layout, and no way out of its folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from kept import facts_of, keep, keys, md5, read

from undercroft.errors import StorageFull
from undercroft.files.keys import BadKey
from undercroft.files.local import STAGING, LocalFiles
from undercroft.files.store import StoreUnavailable

KEY = "pbc_1/rec_1/name_a1b2c3d4e5.txt"
BAD_KEYS = [
    "",
    "/",
    "a",
    "../a/b",
    "a/../b",
    "a/b/..",
    "a//b",
    "/a/b",
    "a/b/",
    "a\\b/c",
    "a/b\0c/d",
    ".staging/a",
    "a/b/.hidden",
    f"a/b/{'x' * 241}",
    "a/b/\ud800",
]


@pytest.fixture
def local(tmp_path):
    return LocalFiles(tmp_path / "storage")


def side_file(local, key=KEY):
    return local.root / f"{key}.attrs"


async def test_side_files_are_pocketbase_s(local, tmp_path):
    """Beside each file lies what is known of it, under the names that PocketBase writes."""
    await keep(local, tmp_path, KEY, b"hello", facts_of(b"hello", 'Ü "x".txt', "text/plain; charset=utf-8"))

    assert json.loads(side_file(local).read_bytes()) == {
        "user.cache_control": "",
        "user.content_disposition": "",
        "user.content_encoding": "",
        "user.content_language": "",
        "user.content_type": "text/plain; charset=utf-8",
        "user.metadata": {"original-filename": 'Ü "x".txt'},
        "md5": "XUFAKrxLKna5cZ2REBfFkg==",
    }


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b'{"md5": 7}', b'{"md5": "?"}', b"\xff" * 100_000])
async def test_a_lost_side_file_is_no_loss(local, tmp_path, content):
    """Without its side file, or with a broken one, a file is there, and its type is found out again."""
    await keep(local, tmp_path, KEY, b"\x89PNG\r\n\x1a\n")
    side_file(local).unlink() if content is None else side_file(local).write_bytes(content)
    file = await local.find(KEY)

    assert (file.size, file.facts.type, file.facts.md5) == (8, "image/png", "")
    assert file.etag
    assert file.facts.original_name == "name_a1b2c3d4e5.txt"
    assert await read(local, file) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_no_key_leads_outside(local, tmp_path, key):
    """A key that is none is found nowhere, and nothing is put there or deleted."""
    (tmp_path / "a").write_text("precious")
    (tmp_path / "storage").mkdir()
    if key not in ("a", "a/b/"):
        with pytest.raises(BadKey):
            await keep(local, tmp_path, key)
    if not key.endswith("/") and key != "a":
        with pytest.raises(BadKey):
            await local.delete([key])

    assert await local.find(key) is None
    assert (tmp_path / "a").read_text() == "precious"
    assert await keys(local) == []


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_links_are_not_followed(local, tmp_path, depth):
    """A link in place of a folder or a file leads nowhere: what it points to is not read, written or deleted."""
    outside = tmp_path / "outside"
    for folder in (outside / "rec_1", outside):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Path(KEY).name).write_text("precious")
    link = local.root.joinpath(*KEY.split("/")[:depth])
    link.parent.mkdir(parents=True)
    link.symlink_to({1: outside, 2: outside / "rec_1", 3: outside / Path(KEY).name}[depth])

    assert await local.find(KEY) is None
    assert await keys(local) == []
    await local.delete(["pbc_1/rec_1/", "pbc_1/"] if depth < 3 else ["pbc_1/"])
    assert (outside / Path(KEY).name).read_text() == (outside / "rec_1" / Path(KEY).name).read_text() == "precious"


async def test_a_link_is_not_written_through(local, tmp_path):
    """Where a link stands in place of a folder nothing is put, and where it stands for a file it is replaced."""
    (tmp_path / "outside").mkdir()
    (local.root / "pbc_1").mkdir(parents=True)
    (local.root / "pbc_1" / "rec_1").symlink_to(tmp_path / "outside")
    with pytest.raises((StoreUnavailable, OSError)):
        await keep(local, tmp_path, KEY)
    assert list((tmp_path / "outside").iterdir()) == []

    (tmp_path / "precious").write_text("precious")
    (local.root / "pbc_1" / "rec_2").mkdir()
    (local.root / "pbc_1" / "rec_2" / "a.txt").symlink_to(tmp_path / "precious")
    await keep(local, tmp_path, "pbc_1/rec_2/a.txt", b"new")
    assert (tmp_path / "precious").read_text() == "precious"


async def test_what_is_no_file_is_none(local):
    """A folder, a pipe and a socket in place of a file are not found, and nobody waits for them."""
    folder = local.root / "pbc_1" / "rec_1"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe")

    assert await local.find("pbc_1/rec_1/folder") is None
    assert await local.find("pbc_1/rec_1/pipe") is None
    assert await keys(local) == []


async def test_what_was_staged_is_not_copied(local, tmp_path):
    """A file from the staging folder gets a second name: it takes its space once."""
    staged = local.root / STAGING / "process" / "file"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"hello")
    await local.put(KEY, staged, facts_of(b"hello"))

    assert staged.stat().st_ino == (local.root / KEY).stat().st_ino
    staged.unlink()
    assert await read(local, await local.find(KEY)) == b"hello"


async def test_a_file_system_without_second_names(local, monkeypatch):
    """Where a file can have one name only it is copied."""
    staged = local.root / STAGING / "process" / "file"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"hello")

    def link(*_, **__):
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    await local.put(KEY, staged, facts_of(b"hello"))
    assert await read(local, await local.find(KEY)) == b"hello"


async def test_put_again_over_what_is_there(local, tmp_path):
    """What a try that was cut off has left is replaced."""
    await keep(local, tmp_path, KEY, b"old", facts_of(b"old"))
    file = await keep(local, tmp_path, KEY, b"new", facts_of(b"new"))

    assert (await read(local, file), file.etag) == (b"new", md5(b"new"))


async def test_a_full_disk(local, tmp_path, monkeypatch):
    """A disk without space is named as such, and nothing half is left."""

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageFull):
        await keep(local, tmp_path, KEY)
    monkeypatch.undo()

    assert [path for path in local.root.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
async def test_a_folder_that_cannot_be_written(local, tmp_path):
    """A folder of somebody else is told as a store that is not available."""
    local.root.mkdir()
    local.root.chmod(stat.S_IRUSR | stat.S_IXUSR)

    with pytest.raises(StoreUnavailable):
        await keep(local, tmp_path, KEY)


async def test_empty_folders_go(local, tmp_path):
    """With the last file of a record its folder goes, and with the last record that of the collection."""
    for key in (KEY, "pbc_1/rec_2/a.txt"):
        await keep(local, tmp_path, key)
    await local.delete([KEY])
    assert [path.name for path in (local.root / "pbc_1").iterdir()] == ["rec_2"]
    await local.delete(["pbc_1/rec_2/a.txt"])

    assert list(local.root.iterdir()) == []


async def test_what_a_killed_writer_left_goes_with_its_file(local, tmp_path):
    """Deleting a file takes what was left of writing it."""
    await keep(local, tmp_path, KEY)
    folder = (local.root / KEY).parent
    for name in (f".{Path(KEY).name}.tmp", f".{Path(KEY).name}.attrs.tmp"):
        (folder / name).write_text("half")
    await local.delete([KEY])

    assert not folder.exists()


async def test_names_that_end_like_side_files(local, tmp_path):
    """A file may itself be called like a side file, and one that lost its file is listed, so that it is found."""
    for key in ("c/r/a.txt", "c/r/b_x.attrs"):
        await keep(local, tmp_path, key)
    shutil.copy(side_file(local, "c/r/a.txt"), local.root / "c" / "r" / "gone.txt.attrs")

    assert await keys(local) == ["c/r/a.txt", "c/r/b_x.attrs", "c/r/gone.txt.attrs"]
    assert await read(local, await local.find("c/r/b_x.attrs")) == b"hello"


async def test_a_folder_comes_and_goes_while_files_are_put(local, tmp_path):
    """Putting a file works also while the last one of its folder is deleted again and again."""

    async def put(number):
        for _ in range(20):
            await keep(local, tmp_path / str(number), f"c/r/{number}.txt")
            await local.delete([f"c/r/{number}.txt"])

    for number in range(4):
        (tmp_path / str(number)).mkdir()
    await asyncio.gather(*(put(number) for number in range(4)))
    assert await keys(local) == []
