"""Blocks: accounts that nobody comes in with, until they are let in again.

A block is a row of the house's own and no field: no rule, filter or form leads to it, and clients see no more
than that they may not log in. With the block the account gets another token key, in the same transaction, which
ends whatever was handed out to it before: tokens, sessions, links to files and live updates, in all processes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from undercroft.auth.changing import prepare_change
from undercroft.auth.superusers import UnknownSuperuser, WithRecords
from undercroft.collections.collection import Collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.database.statements import Run, delete_rows, insert_row
from undercroft.query.scope import Identity
from undercroft.records.accounts import new_token_key
from undercroft.records.record import find_identity
from undercroft.records.unit import Unit


@dataclass(frozen=True, slots=True)
class Block:
    """Who is blocked, why, since when, in seconds since 1970, and by whom: a collection's id and a record's."""

    record: str
    reason: str
    created: float
    by: str


async def block_account(backend: WithRecords, account: Identity, reason: str, by: Identity) -> None:
    """Let nobody in with an account any more. Raises what hooks of its change raise."""
    change = await prepare_change(backend, account, {"tokenKey": new_token_key()})
    dialect = backend.engine.dialect
    row: dict[str, Value] = {
        "id": _key(account),
        "collection": account.collection.id,
        "record": account.id,
        "reason": reason,
        "created": time.time(),
        "by": f"{by.collection.id}/{by.id}",
    }

    async def block(tx: Transaction, unit: Unit | None) -> None:
        await delete_rows(tx.run, dialect, "_blocks", {"id": _key(account)})
        await insert_row(tx, dialect, "_blocks", row)
        await change.apply(tx, unit)

    await change.write(block)


async def let_in_again(engine: Engine, account: Identity) -> None:
    """End the block of an account; one that has none is no error."""
    await engine.write(lambda tx: delete_rows(tx.run, engine.dialect, "_blocks", {"id": _key(account)}))


async def is_blocked(run: Run, dialect: Dialect, account: Identity) -> bool:
    """Whether nobody may come in with an account."""
    return bool(await run(f'SELECT 1 FROM "_blocks" WHERE "id" = {dialect.placeholder(1)}', [_key(account)]))


async def list_blocks(engine: Engine, collection: Collection) -> list[Block]:
    """Who of a collection is blocked, the newest first."""
    sql = f"""SELECT "record", "reason", "created", "by" FROM "_blocks"
        WHERE "collection" = {engine.dialect.placeholder(1)} ORDER BY "created" DESC, "id\""""
    rows = await engine.read(sql, [collection.id])
    return [Block(str(record), str(reason), float(created or 0), str(by)) for record, reason, created, by in rows]


async def unblock_superuser(backend: WithRecords, email: str) -> None:
    """Let a superuser in again, as whoever runs the program has decided. Raises `UnknownSuperuser`."""
    collection, engine = backend.catalog.superusers, backend.engine
    account = await find_identity(engine.read, engine.dialect, collection, {"email": email})
    if account is None:
        raise UnknownSuperuser(email)
    await let_in_again(engine, account)


def _key(account: Identity) -> str:
    return f"{account.collection.id}/{account.id}"
