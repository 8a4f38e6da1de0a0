"""Sessions: an unguessable value in a cookie that stands for an account, for a while.

The table keeps a hash of the value, so that who reads it cannot use it, and a
fingerprint of the account's token key, so that whatever ends the account's tokens (a
new password) ends its sessions as well. A session is made when somebody signs in and
never before: nobody can be given one beforehand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from undercroft.auth.accounts import Accounts
from undercroft.auth.binding import LENGTH, Binding, find_account, fingerprint, hash_of, new_value
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.query.scope import Identity

SECONDS: Final = 14 * 24 * 3600
_LONGEST_NOTE: Final = 255


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signed in: the address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


async def begin_session(engine: Engine, identity: Identity, device: Device) -> str:
    """A new session of an account: the value for its cookie, which is kept nowhere else."""
    value, moment, dialect = new_value(), time.time(), engine.dialect
    places = ", ".join(dialect.placeholder(n) for n in range(1, 9))
    names = '"id", "collection", "record", "fingerprint", "address", "agent", "created", "expires"'
    sql = f'INSERT INTO "_sessions" ({names}) VALUES ({places})'
    notes = [device.address[:_LONGEST_NOTE], device.agent[:_LONGEST_NOTE]]
    row = [hash_of(value), identity.collection.id, identity.id, fingerprint(value, identity), *notes]

    async def insert(tx: Transaction) -> None:
        await tx.run(sql, [*row, moment, moment + SECONDS])

    await engine.write(insert)
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
    sql = f'DELETE FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)}'

    async def delete(tx: Transaction) -> None:
        await tx.run(sql, [hash_of(value)])

    await engine.write(delete)


async def has_old_sessions(engine: Engine) -> bool:
    """Whether there are sessions whose time is over."""
    sql = f'SELECT 1 FROM "_sessions" WHERE "expires" <= {engine.dialect.placeholder(1)} LIMIT 1'
    return bool(await engine.read(sql, [time.time()]))


async def forget_old_sessions(tx: Transaction, dialect: Dialect) -> None:
    """Forget sessions whose time is over."""
    await tx.run(f'DELETE FROM "_sessions" WHERE "expires" <= {dialect.placeholder(1)}', [time.time()])
