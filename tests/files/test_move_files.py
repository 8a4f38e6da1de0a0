"""`undercroft files move`: everything arrives, nothing is lost on the way, and it goes on where it was interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

import pytest
from kept import facts_of, keep, keys, md5, read
from program import COMMAND, run
from s3_faults import Fault, faulty
from s3_server import KEYS
from shelf import make_shelf, put

from undercroft import testing
from undercroft.files.local import LocalFiles
from undercroft.files.s3 import S3Files
from undercroft.files.s3_bucket import parse_bucket
from undercroft.testing import File

pytestmark = pytest.mark.sqlite_only("about files on the way from one store to another")


@pytest.fixture(autouse=True)
def bucket_keys(monkeypatch):
    """The keys of the bucket are in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def url(s3):
    """A new place in the bucket."""
    return s3.url()


@pytest.fixture
async def bucket(url):
    """The store there."""
    opened = S3Files(parse_bucket(url, KEYS))
    yield opened
    await opened.close()


@pytest.fixture
async def site(tmp_path):
    """A data directory with three records and their files; its local store."""
    async with testing.client(tmp_path / "data") as client:
        await make_shelf(client)
        for n in range(3):
            await put(client, open=File(f"{n}.txt", b"%d" % n), many=[File("x.pdf", b"%PDF-1.4 " + bytes(n))])
    return LocalFiles(tmp_path / "data" / "storage")


async def same(source, target):
    """Whether two stores hold the same files, byte for byte, with the same facts."""
    names = await keys(source)
    for key in names:
        here, there = await source.find(key), await target.find(key)
        assert (await read(source, here), here.facts) == (await read(target, there), there.facts)
    return names == await keys(target)


async def test_into_a_bucket(site, bucket, url, tmp_path):
    """All files arrive, with what is known of them; the source stays, and the next steps are told."""
    done = run("files", "move", "--to", url, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "6 files" in done.stdout
    assert f"UNDERCROFT_FILES='{url}'" in done.stdout
    assert KEYS["UNDERCROFT_S3_SECRET"] not in done.stdout + done.stderr
    assert len(await keys(site)) == 6
    assert await same(site, bucket)


async def test_and_back(site, bucket, url, tmp_path):
    """What has gone into a bucket comes out of it as it was."""
    run("files", "move", "--to", url, folder=tmp_path)
    (tmp_path / "data" / "storage").rename(tmp_path / "before")
    done = run("files", "move", "--from", url, "--to", "local", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert await same(LocalFiles(tmp_path / "before"), site)
    assert list((tmp_path / "data" / "storage" / ".staging").glob("*")) == []


async def test_again_copies_what_is_new(site, bucket, url, tmp_path):
    """What is there is not sent again; what is new, or not as it should be there, is."""
    run("files", "move", "--to", url, folder=tmp_path)
    first, second, *_ = await keys(site)
    there = await bucket.find(second)
    await bucket.delete([first])
    await keep(bucket, tmp_path, second, bytes(there.size), facts_of(bytes(there.size)))
    done = run("files", "move", "--to", url, folder=tmp_path)

    assert done.stdout.startswith("2 files")
    assert await same(site, bucket)


async def test_files_without_a_checksum(site, bucket, url, tmp_path):
    """Files of which nothing is known but their bytes are copied once, and are known where they arrive."""
    for attrs in site.root.rglob("*.attrs"):
        attrs.unlink()
    first, again = (run("files", "move", "--to", url, folder=tmp_path) for _ in range(2))
    known = [await bucket.find(key) for key in await keys(site)]

    assert (first.stdout.split()[0], again.stdout.split()[0]) == ("6", "0")
    assert [file.facts.md5 for file in known] == [md5(await read(site, file)) for file in known]


async def test_deleting_what_is_in_use_is_refused(site, url, tmp_path):
    """As long as the server is told to use the old store, nothing is deleted there."""
    done = run("files", "move", "--to", url, "--delete-source", folder=tmp_path)

    assert done.returncode == 13
    assert "UNDERCROFT_FILES" in done.stderr
    assert len(await keys(site)) == 6


async def test_deleting_what_is_used_no_more(site, bucket, url, tmp_path):
    """When the server uses the new store, the old files go, and those only that the new one has."""
    run("files", "move", "--to", url, folder=tmp_path)
    done = run("files", "move", "--to", url, "--delete-source", folder=tmp_path, UNDERCROFT_FILES=url)

    assert (done.returncode, done.stderr) == (0, "")
    assert await keys(site) == []
    assert len(await keys(bucket)) == 6


async def test_a_file_that_is_not_what_it_was(site, bucket, url, tmp_path):
    """A file whose content no longer has its MD5 is named, and the others are copied."""
    spoilt = (await keys(site))[0]
    (site.root / spoilt).write_bytes(b"!")
    done = run("files", "move", "--to", url, folder=tmp_path)

    assert done.returncode == 1
    assert f"Not copied: {spoilt}" in done.stdout
    assert await keys(bucket) == (await keys(site))[1:]


async def test_a_bucket_that_is_down(site, s3, tmp_path):
    """When nothing arrives the command ends with the reasons, and can be given again."""
    with faulty(s3.port) as proxy:
        url = s3.url(proxy.endpoint)
        proxy.faults = (Fault("error", ("PUT",)),)
        failed = run("files", "move", "--to", url, folder=tmp_path)
        proxy.faults = ()
        done = run("files", "move", "--to", url, folder=tmp_path)

    assert (failed.returncode, done.returncode) == (1, 0)
    assert "answered with 500" in failed.stdout
    assert len(await keys(site)) == 6


@pytest.mark.parametrize("to", ["gs://x", "storage", "s3://x", "s3://files/../x", "s3://files?endpiont=x"])
async def test_what_is_no_store(tmp_path, to, site):
    """A place that cannot be is refused with what would be right."""
    done = run("files", "move", "--to", to, folder=tmp_path)

    assert done.returncode == 2
    assert "s3://" in done.stderr or "endpoint" in done.stderr or "name" in done.stderr or "prefix" in done.stderr


async def test_into_itself(tmp_path, site):
    """A store is not copied into itself."""
    assert run("files", "move", "--to", "local", folder=tmp_path).returncode == 2


@pytest.mark.slow
async def test_killed(tmp_path, s3, url, bucket, site):
    """A command that is killed again and again ends with everything there."""
    for n in range(120):
        content = b"%d" % n * 50_000
        await keep(site, tmp_path, f"shelf0000000000/r{n:03}/{n}.txt", content, facts_of(content, f"{n}.txt"))
    kills = 0
    for _ in range(6):
        count = len(await keys(bucket))
        process = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not waited for
            [COMMAND, "files", "move", "--to", url, "--jobs", "2"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until and len(await keys(bucket)) < count + 10:
            time.sleep(0.01)  # noqa: ASYNC251 - nothing else is to do
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    done = run("files", "move", "--to", url, folder=tmp_path)

    assert kills >= 3
    assert done.returncode == 0
    assert not done.stdout.startswith("126 files")
    assert await same(site, bucket)
