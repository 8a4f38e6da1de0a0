"""A disk that fails to sync: nothing of it is ever acknowledged."""

import apsw
import pytest
from power import Disk, DiskFile

from undercroft.database.sqlite import SqliteEngine
from undercroft.database.sqlite_options import SqliteOptions
from undercroft.errors import Unavailable

pytestmark = pytest.mark.anyio


class FailingDisk(Disk):
    """A disk whose next syncs of the write-ahead log fail once `failures` is set."""

    failures = 0

    def xOpen(self, name, flags):  # noqa: N802 - SQLite's name
        return FailingFile(self, name, flags)


class FailingFile(DiskFile):
    def xSync(self, flags):  # noqa: N802 - likewise
        if self.disk.failures > 0:
            self.disk.failures -= 1
            raise apsw.IOError
        super().xSync(flags)


@pytest.fixture
def disk(tmp_path):
    made = FailingDisk(f"failing disk of {tmp_path}")
    yield made
    made.unregister()


@pytest.fixture
async def engine(opened, disk):
    async with opened(vfs=disk.name) as engine:
        yield engine


async def names(engine):
    return [row[0] for row in await engine.read("SELECT id FROM notes ORDER BY id")]


@pytest.mark.parametrize("failures", [1, 1000])
async def test_a_failed_sync_is_not_acknowledged(engine, disk, add, failures):
    """The write is answered as not durable, and what was written before stands."""
    await engine.write(add("a"))
    disk.failures = failures

    with pytest.raises(Unavailable) as caught:
        await engine.write(add("b"))

    assert caught.value.code == "storage_fault"
    assert await names(engine) == ["a"]


async def test_after_a_failed_sync_nothing_is_written(engine, disk, add):
    """Nothing is known about such a disk, so the writer refuses until the next start; reads go on."""
    await engine.write(add("a"))
    disk.failures = 1
    for name in "bcd":
        with pytest.raises(Unavailable):
            await engine.write(add(name))
    with pytest.raises(Unavailable):
        async with engine.transaction():
            pass

    assert await names(engine) == ["a"]


async def test_a_block_is_not_acknowledged_either(engine, disk):
    """An interactive transaction whose commit cannot be made durable raises."""
    with pytest.raises(Unavailable):  # noqa: PT012 - the end of the block is what raises
        async with engine.transaction() as tx:
            await tx.run("INSERT INTO notes (id) VALUES ('a')")
            disk.failures = 1

    assert await names(engine) == []


async def test_what_was_not_acknowledged_does_not_come_back(tmp_path, engine, disk, add):
    """A start after the process died finds only what was acknowledged."""
    await engine.write(add("a"))
    disk.failures = 1
    with pytest.raises(Unavailable):
        await engine.write(add("b"))

    later = tmp_path / "later.db"
    for end in ("", "-wal"):
        later.with_name(later.name + end).write_bytes((tmp_path / f"data.db{end}").read_bytes())
    restarted = await SqliteEngine.open(later, SqliteOptions())

    assert await names(restarted) == ["a"]
    assert await restarted.write(add("b")) == "b"
    await restarted.close()
