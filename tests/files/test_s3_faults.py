"""When the bucket fails: nothing is taken for kept that is not, nothing wrong is given out, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import replace

import pytest
from kept import facts_of, keep, keys, read
from s3_faults import Fault, faulty

from undercroft.files.s3 import S3Files
from undercroft.files.store import NoSuchFile, StoreUnavailable

SMALL = b"hello"
LARGE = bytes(range(256)) * 4096 * 11  # three parts


@pytest.fixture
def proxy(s3):
    """A server before the real one, that can be told to fail."""
    with faulty(s3.port) as opened:
        yield opened


@pytest.fixture
def bucket(s3, proxy):
    """A place behind the proxy."""
    return s3.bucket(proxy.endpoint)


@pytest.fixture
async def store(bucket):
    """What is kept there."""
    opened = S3Files(bucket)
    yield opened
    await opened.close()


@pytest.fixture
async def hasty(bucket):
    """The same, for those who wait for no more than a second."""
    opened = S3Files(replace(bucket, timeout=1))
    yield opened
    await opened.close()


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", ("PUT",)),
        Fault("hang", ("PUT",)),
        Fault("reset", ("PUT", "POST")),
        Fault("flip", ("PUT",)),
        Fault("forget", ("PUT",)),
        Fault("skew"),
        Fault("missing", ("HEAD",)),
        Fault("error", ("HEAD",)),
        Fault("hang", ("HEAD",)),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.methods[0]}",
)
async def test_an_upload_that_fails_is_not_acknowledged(store, hasty, proxy, tmp_path, *, fault, content):
    """Whatever goes wrong while a file is sent or looked at, the caller is told, and nothing is left."""
    fault = Fault(fault.kind, fault.methods)
    proxy.faults = (fault,)

    with pytest.raises(StoreUnavailable) as raised:
        await keep(hasty, tmp_path, "c/r/a.bin", content)

    proxy.faults = ()
    assert raised.value.retry_after > 0
    assert await keys(store) == []


async def test_a_bucket_that_keeps_other_bytes(store, proxy, tmp_path):
    """A file that is named by another checksum is read again, and deleted when it is another one."""
    proxy.faults = (Fault("encrypted", ("PUT",)), Fault("wrong bytes", ("GET",)))

    with pytest.raises(StoreUnavailable):
        await keep(store, tmp_path, "c/r/a.bin", SMALL)

    proxy.faults = ()
    assert await keys(store) == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_a_bucket_that_encrypts(store, proxy, tmp_path, content):
    """A checksum that is none of ours is no failure when the file reads as it should."""
    proxy.faults = (Fault("encrypted", ("HEAD",)),)

    file = await keep(store, tmp_path, "c/r/a.bin", content)

    assert await read(store, file) == content


@pytest.mark.parametrize("size", [0, 5 << 20, 10 << 20, (10 << 20) + 1])
async def test_checksums_are_compared(store, proxy, tmp_path, size):
    """A bucket that names a file by its bytes is believed: the file is not read again."""
    await keep(store, tmp_path, "c/r/a.bin", bytes(size))

    assert proxy.count("GET") == 0


@pytest.mark.parametrize("kind", ["error", "reset"])
async def test_a_short_failure_is_not_noticed(store, proxy, tmp_path, kind):
    """What fails once is done again: a file goes there and comes back."""
    proxy.faults = (Fault(kind, ("PUT",), 1), Fault(kind, ("HEAD",), 1))
    file = await keep(store, tmp_path, "c/r/a.bin", LARGE)
    proxy.faults = (Fault(kind, ("GET",), 1),)

    assert await read(store, file) == LARGE


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("error", StoreUnavailable),
        ("hang", StoreUnavailable),
        ("reset", StoreUnavailable),
        ("slow", StoreUnavailable),
        ("short", StoreUnavailable),
        ("wrong bytes", StoreUnavailable),
        ("skew", StoreUnavailable),
        ("missing", NoSuchFile),
        ("elsewhere", StoreUnavailable),
    ],
)
async def test_a_download_that_fails(store, hasty, proxy, tmp_path, *, kind, problem):
    """A file that cannot be had whole and right ends in an error, before its last byte."""
    file = await keep(store, tmp_path, "c/r/a.bin", LARGE)
    proxy.faults = (Fault(kind, ("GET",)),)
    given: list[bytes] = []

    with pytest.raises(problem):
        await take(hasty.read(file), given)

    assert sum(map(len, given)) < len(LARGE)


async def test_wrong_bytes_are_not_given_out(store, proxy, tmp_path):
    """Of a small file that is not what it was nothing is given out at all."""
    file = await keep(store, tmp_path, "c/r/a.bin", SMALL)
    proxy.faults = (Fault("wrong bytes", ("GET",)),)

    given: list[bytes] = []

    with pytest.raises(StoreUnavailable):
        await take(store.read(file), given)

    assert given == []


async def take(pieces, given):
    """Take pieces as they come, also when an error ends them."""
    async for piece in pieces:
        given.append(piece)


@pytest.mark.parametrize("kind", ["error", "hang", "skew", "elsewhere"])
@pytest.mark.parametrize("work", ["find", "delete", "list"])
async def test_other_requests_fail_with_a_reason(store, hasty, proxy, tmp_path, *, kind, work):
    """Finding, deleting and listing say that the storage is not available; that a file is gone they do not say."""
    await keep(store, tmp_path, "c/r/a.bin")
    proxy.faults = (Fault(kind),)
    calls = {"find": lambda: hasty.find("c/r/a.bin"), "delete": lambda: hasty.delete(["c/r/a.bin"])}

    with pytest.raises(StoreUnavailable) as raised:
        await (calls[work]() if work in calls else keys(hasty))

    assert "not available" in raised.value.message()


@pytest.mark.parametrize("work", ["find", "read"])
async def test_what_takes_too_long_is_not_tried_again(store, hasty, proxy, tmp_path, work):
    """A request that was given its time and got no answer is given up: its caller has waited long enough."""
    file = await keep(store, tmp_path, "c/r/a.bin")
    proxy.faults = (Fault("hang"),)
    proxy.asked.clear()

    with pytest.raises(StoreUnavailable, match="in time"):
        await (hasty.find(file.key) if work == "find" else read(hasty, file))

    assert len(proxy.asked) == 1


async def test_nobody_is_sent_elsewhere(store, proxy, tmp_path):
    """A server that answers with another address is not followed there, with our keys or without them."""
    file = await keep(store, tmp_path, "c/r/a.bin")
    proxy.faults = (Fault("elsewhere"),)

    for work in (read(store, file), store.find("c/r/a.bin"), store.delete(["c/r/a.bin"]), keys(store)):
        with pytest.raises(StoreUnavailable):
            await work

    assert [path for _, path in proxy.asked if "elsewhere" in path] == []


async def test_retries_have_a_budget(store, proxy, tmp_path):
    """While the storage is down it is asked about as often as it is needed, not three times as often."""
    await keep(store, tmp_path, "c/r/a.bin")
    proxy.faults = (Fault("error"),)
    proxy.asked.clear()

    for _ in range(40):
        with pytest.raises(StoreUnavailable):
            await store.find("c/r/a.bin")

    assert 40 < proxy.count("HEAD") <= 40 + 11


async def test_nothing_of_the_keys_is_told(store, proxy, tmp_path):
    """Neither the sentence nor its detail has a word of what the server said of our keys."""
    proxy.faults = (Fault("skew"),)

    with pytest.raises(StoreUnavailable) as raised:
        await store.delete(["c/r/a.bin"])

    assert "clocks" in raised.value.message()
    assert "127.0.0.1" not in raised.value.message()
    assert "tester" not in raised.value.detail
    assert raised.value.__cause__ is None


async def test_listings_that_are_cancelled(s3, seed):
    """Listings whose callers go away, at whatever moment, end in peace."""
    moments = random.Random(seed)
    for _ in range(60):
        store = S3Files(s3.bucket())
        listings = [asyncio.create_task(keys(store)) for _ in range(3)]
        await asyncio.sleep(moments.random() * 0.005)
        for listing in listings:
            listing.cancel()
        await asyncio.gather(*listings, return_exceptions=True)
        await store.close()

    gc.collect()  # a panic in what is dropped would be a warning now, and warnings are errors


async def test_a_file_that_is_cancelled(store, proxy, tmp_path):
    """An upload whose client goes away leaves nothing in the bucket."""
    proxy.faults = (Fault("hang", ("PUT",), 1, after=1),)
    putting = asyncio.create_task(keep(store, tmp_path, "c/r/a.bin", LARGE, facts_of(LARGE)))
    await asyncio.to_thread(proxy.hanging.wait, 10)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    proxy.faults = ()
    assert await keys(store) == []
