"""Files that are no database, and what is said of them."""

import threading

import apsw
import pytest

from undercroft.database.faults import StorageCorrupt, StorageFault
from undercroft.database.sqlite import SqliteEngine

pytestmark = pytest.mark.anyio


async def test_a_directory_has_its_file(tmp_path):
    """Of a directory, the engine opens the file that bears the data's name."""
    engine = await SqliteEngine.open(tmp_path)
    await engine.close()

    assert (tmp_path / "data.db").exists()


async def test_what_is_no_database_is_refused(path):
    """Other bytes are named as damage and left as they are."""
    path.write_bytes(b"not a database at all" * 1000)

    with pytest.raises(StorageCorrupt):
        await SqliteEngine.open(path)

    assert path.read_bytes().startswith(b"not a database")


async def test_a_damaged_page_is_never_served(path, opened, add):
    """A page that was overwritten is a problem of its own, not an empty answer."""
    async with opened() as engine:
        for number in range(200):
            await engine.write(add(str(number), "x" * 500))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    engine = await SqliteEngine.open(path)
    with pytest.raises(StorageCorrupt):
        await engine.read("SELECT text FROM notes")
    await engine.close()


async def test_a_file_in_no_directory(tmp_path):
    """Where nothing can be made the storage is at fault."""
    with pytest.raises(StorageFault):
        await SqliteEngine.open(tmp_path / "missing" / "data.db")


async def test_a_file_that_another_holds(path):
    """Who holds the whole file for a moment, as at its end, is waited for."""
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE notes (text); BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()

    engine = await SqliteEngine.open(path)
    release.join()
    other.close()

    assert await engine.read("SELECT text FROM notes") == []
    await engine.close()
