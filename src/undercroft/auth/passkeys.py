"""Passkeys as they are kept: whose they are, what checks their signatures, when they were last used.

A credential id belongs to one passkey on the whole server. The counter that some authenticators
keep is moved on by an update that asks for the old value, so that of two who come with one
signature at once one gets in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.statements import Run, delete_rows, equal, insert_row
from undercroft.errors import BadRequest, NotFound
from undercroft.query.scope import Identity

MOST: Final = 20
LONGEST_NAME: Final = 100
_COLUMNS: Final = (
    '"id", "collection", "record", "credential", "handle", "key", "name", "details", "counter", "created", "used"'
)


class TooManyPasskeys(BadRequest):
    """The account has as many passkeys as one may have."""

    code = "too_many_passkeys"
    default = f"An account has {MOST} passkeys at most. Remove one that you no longer use."


class PasskeyKnown(BadRequest):
    """The authenticator's credential is a passkey already."""

    code = "passkey_known"
    default = "This passkey is registered already."


class Details(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an authenticator tells of itself; nothing depends on it."""

    transports: tuple[str, ...] = ()
    aaguid: str = ""
    is_backed_up: bool = False


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey. `credential`, `handle` (whom the authenticator takes the account for) and `key` are base64url."""

    id: str
    collection: str
    record: str
    credential: str
    handle: str
    key: str
    name: str
    details: Details
    counter: int
    created: float
    used: float = 0.0


async def list_passkeys(run: Run, dialect: Dialect, account: Identity) -> list[Passkey]:
    """The passkeys of an account, oldest first."""
    where = {"collection": account.collection.id, "record": account.id}
    sql = f'SELECT {_COLUMNS} FROM "_passkeys" WHERE {equal(dialect, where)} ORDER BY "created", "id"'
    return [_from_row(row) for row in await run(sql, list(where.values()))]


async def find_passkey(engine: Engine, collection_id: str, credential: str) -> Passkey | None:
    """The passkey of a credential, if an account of that collection has it."""
    where = {"credential": credential, "collection": collection_id}
    sql = f'SELECT {_COLUMNS} FROM "_passkeys" WHERE {equal(engine.dialect, where)}'
    rows = await engine.read(sql, list(where.values()))
    return _from_row(rows[0]) if rows else None


async def add_passkey(tx: Transaction, dialect: Dialect, account: Identity, passkey: Passkey) -> None:
    """Keep a new passkey. Raises `TooManyPasskeys` and `PasskeyKnown`."""
    if len(await list_passkeys(tx.run, dialect, account)) >= MOST:
        raise TooManyPasskeys
    row: dict[str, Value] = {
        "id": passkey.id,
        "collection": passkey.collection,
        "record": passkey.record,
        "credential": passkey.credential,
        "handle": passkey.handle,
        "key": passkey.key,
        "name": passkey.name,
        "details": msgspec.json.encode(passkey.details).decode(),
        "counter": passkey.counter,
        "created": passkey.created,
        "used": passkey.used,
    }
    if not await insert_row(tx, dialect, "_passkeys", row):
        raise PasskeyKnown


async def note_use(tx: Transaction, dialect: Dialect, passkey: Passkey, counter: int) -> bool:
    """Note that a passkey was used; False when it is gone, or was used with this counter in the meantime."""
    mark = dialect.placeholder
    sql = f"""UPDATE "_passkeys" SET "counter" = {mark(1)}, "used" = {mark(2)}
        WHERE "id" = {mark(3)} AND "counter" = {mark(4)} RETURNING 1"""
    return bool(await tx.run(sql, (counter, time.time(), passkey.id, passkey.counter)))


async def rename_passkey(engine: Engine, account: Identity, passkey_id: str, name: str) -> Passkey:
    """Give a passkey of an account another name. Raises `NotFound`."""
    dialect = engine.dialect
    where = {"id": passkey_id, "collection": account.collection.id, "record": account.id}
    sql = f"""UPDATE "_passkeys" SET "name" = {dialect.placeholder(1)}
        WHERE {equal(dialect, where, 2)} RETURNING {_COLUMNS}"""
    rows = await engine.write(lambda tx: tx.run(sql, [name, *where.values()]))
    if not rows:
        raise NotFound
    return _from_row(rows[0])


async def remove_passkey(engine: Engine, account: Identity, passkey_id: str) -> None:
    """Remove a passkey of an account. Raises `NotFound`."""
    where = {"id": passkey_id, "collection": account.collection.id, "record": account.id}
    if not await engine.write(lambda tx: delete_rows(tx.run, engine.dialect, "_passkeys", where)):
        raise NotFound


def _from_row(row: Row) -> Passkey:
    passkey_id, collection, record, credential, handle, key, name, details = map(str, row[:8])
    counter, created, used = (value or 0 for value in row[8:])
    return Passkey(
        id=passkey_id,
        collection=collection,
        record=record,
        credential=credential,
        handle=handle,
        key=key,
        name=name,
        details=msgspec.json.decode(details, type=Details),
        counter=int(counter),
        created=float(created),
        used=float(used),
    )
