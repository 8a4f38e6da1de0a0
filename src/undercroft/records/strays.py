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
from undercroft.collections.fields.file import FileField
from undercroft.collections.store import load_catalog
from undercroft.database.engine import Engine
from undercroft.files.ledger import find_written
from undercroft.files.local_facts import SUFFIX
from undercroft.files.sealed_rows import SealedRow, find_rows
from undercroft.files.store import FileStore
from undercroft.files.versions import Version, owner_of, split_version

PAGE: Final = 200


async def clear_strays(engine: Engine, store: FileStore, prefix: str) -> None:
    """Delete the files below a prefix that no record names. Raises `StoreUnavailable`."""
    page: set[str] = set()
    async for file in store.list(prefix):
        owner = owner_of(file.key)
        if owner is not None:
            page.add(owner)
        if len(page) >= PAGE:
            await store.delete((await find_strays(engine, page)).values())
            page.clear()
    await store.delete((await find_strays(engine, page)).values())


async def find_strays(engine: Engine, keys: Iterable[str]) -> dict[str, str]:
    """Which of the files of a listing nobody needs and nobody will, each with what is to be deleted for it."""
    asked = {key: split_version(key) for key in sorted(keys)}
    spoken_of = sorted({each for key, version in asked.items() for each in (key, version.file, version.exact_key)})
    known = await find_written(engine.read, engine.dialect, spoken_of)
    left = {key: each for key, each in asked.items() if known.isdisjoint((key, each.file, each.exact_key))}
    if not left:
        return {}
    files = {each.file for each in left.values()}
    named = await named_files(engine, sorted({*files, *map(_told_of, files)}))
    sealed = await find_rows(engine.read, engine.dialect, sorted(files))
    strays = {key: _stray(each, named, sealed.get(each.file)) for key, each in left.items()}
    return {key: stray for key, stray in strays.items() if stray is not None}


def _stray(found: Version, named: set[str], sealed: SealedRow | None) -> str | None:
    """What is to be deleted because of a file in the store; None when it is needed."""
    is_current = found.version == (sealed.version if sealed is not None else None)
    if found.file in named or _told_of(found.file) in named:
        return None if is_current else found.exact_key
    return found.file if is_current or found.version is None else found.exact_key


def _told_of(key: str) -> str:
    """The file that a side file tells of, which may be missing for now; of all others the file itself."""
    return key.removesuffix(SUFFIX)


async def named_files(engine: Engine, keys: Sequence[str]) -> set[str]:
    """Which of the files records name; `keys` are in order."""
    by_id = {each.id: each for each in await load_catalog(engine) if each.file_fields and not each.is_view}
    named: set[str] = set()
    for collection_id, own in groupby(keys, key=lambda key: key.split("/")[0]):
        if collection_id in by_id:
            ids = sorted({key.split("/")[1] for key in own})
            named |= (await fields_of_files(engine, by_id[collection_id], ids)).keys()
    return named


async def fields_of_files(engine: Engine, collection: Collection, ids: Sequence[str]) -> dict[str, FileField]:
    """All files that some records of a collection name, by their keys, each with its field."""
    dialect = engine.dialect
    names = ["id", *(field.name for field in collection.file_fields)]
    columns = ", ".join(dialect.quote(name) for name in names)
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(ids) + 1))
    table = dialect.quote(collection.name)
    rows = await engine.read(f"SELECT {columns} FROM {table} WHERE {dialect.quote('id')} IN ({marks})", ids)
    return {
        f"{collection.id}/{row[0]!s}/{name}": field
        for row in rows
        for field, value in zip(collection.file_fields, row[1:], strict=True)
        for name in field.to_list(field.from_column(value))
    }
