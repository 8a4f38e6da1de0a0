"""Keys as they stand in the database: wrapped, one a row.

Keys of people and tenants (purpose `subject`) have a table of their own: there can be
very many of them, and they are kept and forgotten apart from the others.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Row, Transaction, Value
from undercroft.database.positions import Read
from undercroft.dates import now
from undercroft.encryption.keyset import Key, KeySet, State
from undercroft.encryption.wrapping import KeyName, RootKey, WrappedKey, unwrap, wrap
from undercroft.ids import record_id

KEYS: Final = "_keys"
SUBJECT_KEYS: Final = "_subject_keys"
TABLES: Final = (KEYS, SUBJECT_KEYS)
_NAMES: Final = (
    *("id", "purpose", "scope", "key_id", "state", "algorithm", "wrapped", "root_version", "check_value"),
    *("uses", "is_primary", "destroy_after", "created", "updated"),
)
_COLUMNS: Final = ", ".join(f'"{name}"' for name in _NAMES)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row: what can be known of a key without opening it. `destroy_after` is in seconds since 1970, 0 for never."""

    id: str
    name: KeyName
    state: State
    wrapped: WrappedKey | None
    uses: int
    is_primary: bool
    destroy_after: float
    created: str
    updated: str

    def open(self, root: RootKey) -> Key:
        """The key. Raises `WrongRootKey` and `DecryptionFailed`."""
        material = unwrap(self.wrapped, self.name, root) if self.wrapped is not None else b""
        return Key(self.name.key_id, self.state, self.name.algorithm, self.created, material)


def table_of(purpose: str) -> str:
    """The table in which keys of a purpose stand."""
    return SUBJECT_KEYS if purpose == "subject" else KEYS


async def load_keys(read: Read, table: str = KEYS) -> list[StoredKey]:
    """All keys of a table, those of one set behind one another, the oldest first."""
    order = '"purpose", "scope", "created", "key_id"'
    return [_stored(row) for row in await read(f'SELECT {_COLUMNS} FROM "{table}" ORDER BY {order}', ())]


async def load_scopes(read: Read, dialect: Dialect, purpose: str, scopes: Sequence[str]) -> list[StoredKey]:
    """The keys of some sets."""
    found: list[StoredKey] = []
    for start in range(0, len(scopes), _AT_ONCE):
        some = scopes[start : start + _AT_ONCE]
        marks = ", ".join(dialect.placeholder(number) for number in range(2, len(some) + 2))
        sql = f"""SELECT {_COLUMNS} FROM "{table_of(purpose)}" WHERE "purpose" = {dialect.placeholder(1)}
            AND "scope" IN ({marks}) ORDER BY "scope", "created", "key_id\""""
        found += [_stored(row) for row in await read(sql, (purpose, *some))]
    return found


async def load_subjects(read: Read, dialect: Dialect, key_ids: Sequence[int]) -> list[StoredKey]:
    """Keys of people and tenants by their ids, which no two of them share."""
    found: list[StoredKey] = []
    for start in range(0, len(key_ids), _AT_ONCE):
        some = key_ids[start : start + _AT_ONCE]
        marks = ", ".join(dialect.placeholder(number) for number in range(1, len(some) + 1))
        sql = f'SELECT {_COLUMNS} FROM "{SUBJECT_KEYS}" WHERE "key_id" IN ({marks})'
        found += [_stored(row) for row in await read(sql, tuple(some))]
    return found


def open_sets(stored: Iterable[StoredKey], root: RootKey) -> Iterator[KeySet]:
    """The sets that these keys make, which stand as they were loaded. Raises `WrongRootKey` and `DecryptionFailed`."""
    for (purpose, scope), group in groupby(stored, key=lambda each: (each.name.purpose, each.name.scope)):
        members = list(group)
        primary = next((each.name.key_id for each in members if each.is_primary), 0)
        # A set whose every key was destroyed has no primary one, and nothing to open or to seal with.
        if primary:
            yield KeySet(purpose, scope, tuple(each.open(root) for each in members), primary)


async def insert_key(tx: Transaction, dialect: Dialect, keys: KeySet, key: Key, root: RootKey) -> None:
    """Write down a new key of a set."""
    wrapped = wrap(key.material, KeyName(keys.purpose, keys.scope, key.id, key.algorithm), root)
    values: Mapping[str, Value] = {
        "id": record_id(),
        "purpose": keys.purpose,
        "scope": keys.scope,
        "key_id": key.id,
        "state": key.state,
        "algorithm": key.algorithm,
        "wrapped": b64encode(wrapped.sealed).decode(),
        "root_version": wrapped.root_version,
        "check_value": wrapped.check,
        "is_primary": int(key.id == keys.primary_id),
        "created": key.created,
        "updated": key.created,
    }
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(values) + 1))
    await tx.run(f'INSERT INTO "{table_of(keys.purpose)}" ({names}) VALUES ({marks})', list(values.values()))


async def update_keys(tx: Transaction, dialect: Dialect, before: KeySet, after: KeySet) -> None:
    """Write down in which states the keys of a set are, and which is the primary one."""
    moment = now()
    mark = dialect.placeholder
    for old, new in zip(before.keys, after.keys, strict=True):
        was, is_now = old.id == before.primary_id, new.id == after.primary_id
        if old.state == new.state and was == is_now:
            continue
        blank = ", \"wrapped\" = ''" if new.state == "destroyed" else ""
        sql = f"""UPDATE "{table_of(after.purpose)}" SET "state" = {mark(1)}, "is_primary" = {mark(2)},
            "updated" = {mark(3)}{blank} WHERE "purpose" = {mark(4)} AND "scope" = {mark(5)} AND "key_id" = {mark(6)}"""
        await tx.run(sql, (new.state, int(is_now), moment, after.purpose, after.scope, new.id))


def _stored(row: Row) -> StoredKey:
    row_id, purpose, scope, key_id, state, algorithm, sealed, version, check, uses, primary, after, created, updated = (
        row
    )
    wrapped = WrappedKey(int(version or 0), str(check), b64decode(str(sealed))) if sealed else None
    return StoredKey(
        id=str(row_id),
        # The columns hold what `insert_key` wrote, whose types the driver cannot know.
        name=KeyName(purpose, str(scope), int(key_id or 0), algorithm),  # type: ignore[arg-type]
        state=state,  # type: ignore[arg-type]
        wrapped=wrapped,
        uses=int(uses or 0),
        is_primary=bool(primary),
        destroy_after=float(after or 0),
        created=str(created),
        updated=str(updated),
    )
