"""Sessions: an unguessable value in a cookie that stands for an account, for a while.

The table keeps a hash of the value, so that who reads it cannot use it, and a
fingerprint of the account's key, so that whatever ends the account's tokens (a new
password, another auth rule) ends its sessions as well. A session is made when somebody signs in and
never before: nobody can be given one beforehand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from undercroft.auth.accounts import Accounts
from undercroft.auth.binding import LENGTH, Binding, find_account, fingerprint, hash_of, key_hash, new_value
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.database.statements import insert_row
from undercroft.query.scope import Identity

SECONDS: Final = 14 * 24 * 3600
LONGEST_NOTE: Final = 255
KIND: Final = "cookie"


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signed in: the address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


async def begin_session(engine: Engine, identity: Identity, device: Device) -> str:
    """A new session of an account: the value for its cookie, which is kept nowhere else."""
    value, moment = new_value(), time.time()
    row: dict[str, Value] = {
        "id": hash_of(value),
        "kind": KIND,
        "collection": identity.collection.id,
        "record": identity.id,
        "fingerprint": fingerprint(value, identity),
        "account_key": key_hash(identity),
        "address": device.address[:LONGEST_NOTE],
        "agent": device.agent[:LONGEST_NOTE],
        "created": moment,
        "expires": moment + SECONDS,
    }
    await engine.write(lambda tx: insert_row(tx, engine.dialect, "_sessions", row))
    return value


async def find_session(accounts: Accounts, value: str) -> Identity | None:
    """Whose session a cookie's value is, asked anew on every request; None when it is nobody's or has ended."""
    if len(value) != LENGTH:
        return None
    engine = accounts.engine
    sql = f"""SELECT "collection", "record", "fingerprint" FROM "_sessions"
        WHERE "id" = {engine.dialect.placeholder(1)} AND "expires" > {engine.dialect.placeholder(2)}"""
    rows = await engine.read(sql, [hash_of(value), time.time()])
    return await find_account(accounts, value, Binding(*map(str, rows[0]))) if rows else None


async def is_session_open(engine: Engine, key: str) -> bool:
    """Whether the session that is kept under a key has not ended."""
    mark = engine.dialect.placeholder
    sql = f'SELECT 1 FROM "_sessions" WHERE "id" = {mark(1)} AND "expires" > {mark(2)}'
    return bool(await engine.read(sql, [key, time.time()]))


async def session_began(engine: Engine, value: str) -> float:
    """When the session of a cookie's value began, in seconds since 1970; 0 when there is none."""
    rows = await engine.read(
        f'SELECT "created" FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)}', [hash_of(value)]
    )
    return float(rows[0][0] or 0) if rows else 0.0


def session_key(value: str) -> str:
    """What the session of a cookie's value is kept under."""
    return hash_of(value)


async def end_session(engine: Engine, value: str) -> None:
    """End a session; one that has ended is no error."""
    sql = f"""DELETE FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)} RETURNING "collection", "record\""""

    async def delete(tx: Transaction) -> None:
        for collection, record in await tx.run(sql, [hash_of(value)]):
            await append_change(tx, engine.dialect, Change("credentials", str(collection), str(record), "delete"))

    await engine.write(delete)


async def has_old_sessions(engine: Engine) -> bool:
    """Whether there are sessions whose time is over."""
    sql = f'SELECT 1 FROM "_sessions" WHERE "expires" <= {engine.dialect.placeholder(1)} LIMIT 1'
    return bool(await engine.read(sql, [time.time()]))


async def forget_old_sessions(tx: Transaction, dialect: Dialect) -> None:
    """Forget sessions whose time is over."""
    await tx.run(f'DELETE FROM "_sessions" WHERE "expires" <= {dialect.placeholder(1)}', [time.time()])
