"""Thumbs are made once, kept beside the original, and never at the server's expense."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bombs import animated_webp
from kept import keep, keys, read
from pictures import QUARTERS, colors, encode, opened, picture_facts, quarters
from program import is_running

from undercroft.files.store import Facts, StoredFile
from undercroft.files.thumb_jobs import Job
from undercroft.files.thumb_pool import Patience, ThumbPool
from undercroft.files.thumb_size import parse_size
from undercroft.files.thumbnails import Thumbs, ThumbsBusy

SMALL = parse_size("40x20")
PHOTO = encode(quarters(), "image/jpeg")


@asynccontextmanager
async def making(folder, pool=None, **options):
    """A maker of thumbs, closed at the end."""
    thumbs = Thumbs(folder / "scratch", pool, **options)
    try:
        yield thumbs
    finally:
        await thumbs.close()


@pytest.fixture
async def thumbs(tmp_path):
    async with making(tmp_path, ThumbPool(1)) as made:
        yield made


async def keep_photo(store, tmp_path, name="a.jpg", content=PHOTO, media_type="image/jpeg"):
    return await keep(store, tmp_path, f"c/r/{name}", content, picture_facts(content, media_type))


def count_jobs(thumbs, before=None):
    """The jobs that are done from now on; `before` is awaited before each."""
    jobs = []
    run = thumbs._pool.run

    async def counted(job):
        jobs.append(job)
        if before:
            await before()
        return await run(job)

    thumbs._pool.run = counted
    return jobs


def worker_of(thumbs):
    """The id of the process that made the last thumb."""
    return thumbs._pool._idle[-1]._process.pid


async def gone(pid):
    """Wait until a process has ended."""
    await asyncio.to_thread(wait_for_end, pid)


def wait_for_end(pid):
    until = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


async def test_a_thumb_is_made_and_kept(store, tmp_path, thumbs):
    """A thumb lies beside its original, under a name that tells its size."""
    photo = await keep_photo(store, tmp_path)

    thumb = await thumbs.find_or_make(store, photo, SMALL)

    assert thumb.key == "c/r/thumbs_a.jpg/40x20_a.jpg"
    assert (thumb.facts.type, thumb.facts.original_name) == ("image/jpeg", "40x20_Photo")
    content = await read(store, thumb)
    assert colors(opened(content)) == QUARTERS
    assert thumb.facts.md5 == picture_facts(content, "").md5
    assert await keys(store) == ["c/r/a.jpg", "c/r/thumbs_a.jpg/40x20_a.jpg"]


async def test_a_thumb_that_is_there_is_not_made(store, tmp_path, thumbs):
    """The second time the thumb is only found."""
    photo = await keep_photo(store, tmp_path)
    first = await thumbs.find_or_make(store, photo, SMALL)
    jobs = count_jobs(thumbs)

    assert await thumbs.find_or_make(store, photo, SMALL) == first
    assert jobs == []


async def test_fifty_who_ask_at_once_get_one(store, tmp_path, thumbs):
    """However many ask for a thumb that is not there, it is made once."""
    photo = await keep_photo(store, tmp_path)
    jobs = count_jobs(thumbs)

    found = await asyncio.gather(*(thumbs.find_or_make(store, photo, SMALL) for _ in range(50)))

    assert {thumb.key for thumb in found} == {"c/r/thumbs_a.jpg/40x20_a.jpg"}
    assert len(jobs) == 1


async def test_one_who_leaves_takes_nothing_from_others(store, tmp_path, thumbs):
    """When the first who asked goes away, the others get their thumb."""
    photo = await keep_photo(store, tmp_path)
    begun = asyncio.Event()

    async def tell():
        begun.set()

    count_jobs(thumbs, tell)
    first = asyncio.create_task(thumbs.find_or_make(store, photo, SMALL))
    await begun.wait()
    second = asyncio.create_task(thumbs.find_or_make(store, photo, SMALL))
    first.cancel()

    assert (await second).key == "c/r/thumbs_a.jpg/40x20_a.jpg"


async def test_other_files_have_no_thumbs(store, tmp_path, thumbs):
    """Of what is no image the original is served, and no process is started."""
    text = await keep(
        store, tmp_path, "c/r/a.txt", b"hello", Facts("text/plain", "5d41402abc4b2a76b9719d911017c592", "")
    )
    drawing = await keep_photo(store, tmp_path, "a.svg", b"<svg/>", "image/svg+xml")
    jobs = count_jobs(thumbs)

    assert [await thumbs.find_or_make(store, file, SMALL) for file in (text, drawing)] == [None, None]
    assert jobs == []


async def test_a_broken_image_is_tried_once(store, tmp_path, thumbs):
    """The original of a broken image is served, and nobody tries again."""
    photo = await keep_photo(store, tmp_path, content=PHOTO[:600])
    jobs = count_jobs(thumbs)

    assert [await thumbs.find_or_make(store, photo, SMALL) for _ in range(3)] == [None] * 3
    assert len(jobs) == 1
    assert await keys(store) == ["c/r/a.jpg"]


async def test_when_too_many_wait_the_next_is_told(store, tmp_path):
    """The queue ends: who comes after its end is told to come again, and those in it are served."""
    photo = await keep_photo(store, tmp_path)
    async with making(tmp_path, ThumbPool(1), waiting=3) as thumbs:
        sizes = [parse_size(f"{n}x10") for n in range(20, 24)]
        found = await asyncio.gather(
            *(thumbs.find_or_make(store, photo, size) for size in sizes), return_exceptions=True
        )

        assert sum(isinstance(each, StoredFile) for each in found) == 3
        assert [each.retry_after for each in found if isinstance(each, ThumbsBusy)] == [1]
        assert all([await thumbs.find_or_make(store, photo, size) for size in sizes])


async def test_nothing_is_left_of_a_file_that_went(store, tmp_path, thumbs):
    """A file that is deleted while its thumb is made leaves no thumb."""
    photo = await keep_photo(store, tmp_path)

    put = store.put

    async def put_late(key, source, facts):
        await store.delete([photo.key])
        await put(key, source, facts)

    store.put = put_late

    assert await thumbs.find_or_make(store, photo, SMALL) is None
    assert await keys(store) == []


async def test_nothing_is_left_on_the_way(store, tmp_path, thumbs):
    """What was needed to make a thumb is gone afterwards, also when there was none to be made."""
    for name, content in (("a.jpg", PHOTO), ("b.jpg", PHOTO[:600])):
        await thumbs.find_or_make(store, await keep_photo(store, tmp_path, name, content), SMALL)

    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_process_that_was_killed_is_replaced(store, tmp_path, thumbs):
    """When the process that waits for work is killed, the next thumb is made by another."""
    await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)
    first = worker_of(thumbs)
    os.kill(first, signal.SIGKILL)
    await gone(first)

    assert await thumbs.find_or_make(store, await keep_photo(store, tmp_path, "b.jpg"), SMALL)
    assert worker_of(thumbs) != first


@pytest.mark.local_only("is about processes")
async def test_a_process_that_takes_too_long_is_ended(store, tmp_path):
    """A job without end is ended with its process, and the next is done by another."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with making(tmp_path, ThumbPool(1, Patience(job=1))) as thumbs:
        answer = await thumbs._pool.run(Job(str(pipe), "image/png", SMALL, str(tmp_path / "out")))

        assert answer.refusal == f"The process that should make it ended with {-signal.SIGKILL}."
        thumbs._pool._patience = Patience()
        assert await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)


@pytest.mark.local_only("is about processes")
async def test_an_image_that_needs_too_much_memory_is_refused(store, tmp_path, thumbs):
    """An image that would need more memory than a process may have is served as it is, and the process goes on."""
    canvas = await keep_photo(store, tmp_path, "a.webp", animated_webp(1, 6_300), "image/webp")
    await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)
    first = worker_of(thumbs)

    assert await thumbs.find_or_make(store, canvas, SMALL) is None
    assert await thumbs.find_or_make(store, await keep_photo(store, tmp_path, "b.jpg"), SMALL)
    assert worker_of(thumbs) == first


@pytest.mark.local_only("is about processes")
async def test_an_idle_process_ends(store, tmp_path):
    """When nothing is asked for a while no process is left, and the next thumb starts one."""
    async with making(tmp_path, ThumbPool(1, Patience(idle=1.0))) as thumbs:
        await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)
        await gone(worker_of(thumbs))

        assert await thumbs.find_or_make(store, await keep_photo(store, tmp_path, "b.jpg"), SMALL)


@pytest.mark.local_only("is about processes")
async def test_closing_ends_the_processes(store, tmp_path):
    """After the end no process is left."""
    async with making(tmp_path) as thumbs:
        await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)
        pid = worker_of(thumbs)

    assert not is_running(pid)


@pytest.mark.local_only("is about processes")
async def test_a_process_is_limited(store, tmp_path, thumbs, monkeypatch):
    """The process that reads images sees no secrets, and has limits of memory, CPU time and size of files."""
    monkeypatch.setenv("UNDERCROFT_SECRET", "wine")
    await thumbs.find_or_make(store, await keep_photo(store, tmp_path), SMALL)

    process = Path(f"/proc/{worker_of(thumbs)}")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (process / "limits").read_text().splitlines()}
    assert b"wine" not in (process / "environ").read_bytes()
    assert int(limits["Max address space"]) < 700 << 20
    assert int(limits["Max cpu time"]) < 20
    assert int(limits["Max file size"]) == 32 << 20
    assert limits["Max core file size"] == "0"


def test_a_process_does_not_outlive_its_server(tmp_path):
    """When the server is killed, the process that made thumbs for it ends."""
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    command = [sys.executable, "-c", LONELY, tmp_path]
    server = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, timeout=30)

    wait_for_end(int(server.stdout))


LONELY = """
import asyncio, os, signal, sys
from undercroft.files.thumb_jobs import Job
from undercroft.files.thumb_pool import ThumbPool
from undercroft.files.thumb_size import parse_size

pool = ThumbPool(1)
job = Job(sys.argv[1] + "/a.jpg", "image/jpeg", parse_size("40x20"), sys.argv[1] + "/out")
assert asyncio.run(pool.run(job)).refusal == ""
print(pool._idle[0]._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_server_has_no_decoder():
    """Nothing that serves requests loads Pillow."""
    program = "import sys, undercroft.app, undercroft.cli.serve; print([name for name in sys.modules if 'PIL' in name])"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert told.stdout == "[]\n"
