"""What still stands under a key, and would be lost with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undercroft.collections.catalog import Catalog
from undercroft.collections.seals import cell_name, index_name
from undercroft.database.engine import Engine, Value
from undercroft.encryption.values import PREFIX_BYTES, key_prefix
from undercroft.encryption.wrapping import KeyName
from undercroft.errors import Conflict
from undercroft.files.sealed_rows import count_rows
from undercroft.keys.text_columns import count_texts


@dataclass(frozen=True, slots=True)
class Under:
    """So many things of a kind: `values of briefs/email`."""

    count: int
    what: str

    def __str__(self) -> str:
        return f"{self.count:,} of the {self.what}"


def name_all(under: Sequence[Under]) -> str:
    """All of it, in words."""
    return " and ".join(map(str, under))


class KeyStillNeeded(Conflict):
    """A key is to be destroyed under which something still stands."""

    code = "key_still_needed"

    def __init__(self, key_id: int, under: Sequence[Under]) -> None:
        super().__init__(
            f"Under key {key_id} there still are {name_all(under)}, which would be lost for ever. "
            "Enable it, and a server seals them anew, which `undercroft keys work` shows; or give them up with --force."
        )
        self.under = under


async def count_under(engine: Engine, catalog: Catalog, name: KeyName) -> list[Under]:
    """What still stands under a key in the database; exports and backups, which are elsewhere, do not count."""
    if name.purpose == "system":
        found = [Under(await count_texts(engine.read, engine.dialect, name.key_id), "secrets of the server")]
    elif name.purpose == "file":
        found = [await _count_files(engine, catalog, name)]
    elif name.purpose in {"value", "index"}:
        found = [await _count_cells(engine, catalog, name)]
    else:
        found = []
    return [each for each in found if each.count]


async def _count_files(engine: Engine, catalog: Catalog, name: KeyName) -> Under:
    collection = catalog.find(name.scope)
    count = await count_rows(engine.read, engine.dialect, name.scope, name.key_id)
    return Under(count, f"files of {collection.name if collection is not None else name.scope}")


async def _count_cells(engine: Engine, catalog: Catalog, name: KeyName) -> Under:
    """Values that begin with the key, or all fingerprints of an index, which has one key."""
    collection_id, field_id, *number = name.scope.split("/")
    collection = catalog.find(collection_id)
    field = collection.by_id.get(field_id) if collection is not None else None
    seal = collection.seals.get(field_id) if collection is not None else None
    if collection is None or field is None or seal is None:
        return Under(0, "")
    quote, values = engine.dialect.quote, list[Value]()
    if number:
        if int(number[0]) not in {index.number for index in seal.indexes}:
            return Under(0, "")
        test, what = f"{quote(index_name(field_id, int(number[0])))} IS NOT NULL", "fingerprints"
    else:
        cell, mark = quote(cell_name(field_id)), engine.dialect.placeholder(1, "bytes")
        test, what = f"substr({cell}, 1, {PREFIX_BYTES}) = {mark}", "values"
        values.append(key_prefix(name.key_id))
    rows = await engine.read(f"SELECT count(*) FROM {quote(collection.name)} WHERE {test}", values)
    return Under(int(rows[0][0] or 0), f"{what} of {collection.name}/{field.name}")
