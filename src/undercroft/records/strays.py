"""Files in the store that no record names and no write is about to name.

The order of the questions matters: first the store is listed, then the ledger is asked,
then the records. A file in the listing was written into the ledger before it was put;
when it stands there no more, its record is committed and seen, or never will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.store import load_catalog
from undercroft.database.engine import Engine
from undercroft.files.keys import THUMBS
from undercroft.files.ledger import find_written
from undercroft.files.local_facts import SUFFIX
from undercroft.files.store import FileStore

PAGE: Final = 200


def owner_of(key: str) -> str | None:
    """The key of the file that a key is, or was made from; None when it is no place for files of records."""
    parts = key.split("/")
    if len(parts) == 3:
        return key
    if len(parts) == 4 and parts[2].startswith(THUMBS):
        return "/".join((*parts[:2], parts[2].removeprefix(THUMBS)))
    return None


async def clear_strays(engine: Engine, store: FileStore, prefix: str) -> None:
    """Delete the files below a prefix that no record names. Raises `StoreUnavailable`."""
    page: set[str] = set()
    async for file in store.list(prefix):
        owner = owner_of(file.key)
        if owner is not None:
            page.add(owner)
        if len(page) >= PAGE:
            await store.delete(await find_strays(engine, page))
            page.clear()
    await store.delete(await find_strays(engine, page))


async def find_strays(engine: Engine, keys: Iterable[str]) -> list[str]:
    """Which of the files, of which a listing told, nobody needs and nobody will."""
    asked = sorted(keys)
    known = await find_written(engine.read, engine.dialect, asked)
    left = [key for key in asked if key not in known]
    if not left:
        return []
    named = await named_files(engine, sorted({*left, *map(_told_of, left)}))
    return [key for key in left if key not in named and _told_of(key) not in named]


def _told_of(key: str) -> str:
    """The file that a side file tells of, which may be missing for now; of all others the file itself."""
    return key.removesuffix(SUFFIX)


async def named_files(engine: Engine, keys: Sequence[str]) -> set[str]:
    """Which of the files records name; `keys` are in order."""
    by_id = {each.id: each for each in await load_catalog(engine) if each.file_fields and not each.is_view}
    named: set[str] = set()
    for collection_id, own in groupby(keys, key=lambda key: key.split("/")[0]):
        if collection_id in by_id:
            named |= await _named_in(engine, by_id[collection_id], sorted({key.split("/")[1] for key in own}))
    return named


async def _named_in(engine: Engine, collection: Collection, ids: Sequence[str]) -> set[str]:
    dialect = engine.dialect
    names = ["id", *(field.name for field in collection.file_fields)]
    columns = ", ".join(dialect.quote(name) for name in names)
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(ids) + 1))
    table = dialect.quote(collection.name)
    rows = await engine.read(f"SELECT {columns} FROM {table} WHERE {dialect.quote('id')} IN ({marks})", ids)
    return {
        f"{collection.id}/{row[0]!s}/{name}"
        for row in rows
        for field, value in zip(collection.file_fields, row[1:], strict=True)
        for name in field.to_list(field.from_column(value))
    }
