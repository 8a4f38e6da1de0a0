"""Sessions: an unguessable value in a cookie that stands for an account, for a while.

The table keeps a hash of the value, so that who reads it cannot use it, and a
fingerprint of the account's token key, so that whatever ends the account's tokens (a
new password) ends its sessions as well. A session is made when somebody signs in and
never before: nobody can be given one beforehand.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from undercroft.auth.identify import Accounts, find_auth_collection
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.ids import random_text
from undercroft.query.scope import Identity
from undercroft.records.record import find_record

SECONDS: Final = 14 * 24 * 3600
_LENGTH: Final = 43  # characters of 62 kinds: 256 bits
_LONGEST_NOTE: Final = 255


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signed in: the address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


async def begin_session(engine: Engine, identity: Identity, device: Device) -> str:
    """A new session of an account: the value for its cookie, which is kept nowhere else."""
    value, moment, dialect = random_text(_LENGTH), time.time(), engine.dialect
    places = ", ".join(dialect.placeholder(n) for n in range(1, 9))
    names = '"id", "collection", "record", "fingerprint", "address", "agent", "created", "expires"'
    sql = f'INSERT INTO "_sessions" ({names}) VALUES ({places})'
    notes = [device.address[:_LONGEST_NOTE], device.agent[:_LONGEST_NOTE]]
    row = [_hash(value), identity.collection.id, identity.id, _fingerprint(value, identity), *notes]

    async def insert(tx: Transaction) -> None:
        await tx.run(sql, [*row, moment, moment + SECONDS])

    await engine.write(insert)
    return value


async def find_session(accounts: Accounts, value: str) -> Identity | None:
    """Whose session a cookie's value is, asked anew on every request; None when it is nobody's or has ended."""
    if len(value) != _LENGTH:
        return None
    engine = accounts.engine
    sql = f"""SELECT "collection", "record", "fingerprint" FROM "_sessions"
        WHERE "id" = {engine.dialect.placeholder(1)} AND "expires" > {engine.dialect.placeholder(2)}"""
    rows = await engine.read(sql, [_hash(value), time.time()])
    collection = find_auth_collection(accounts.catalog, str(rows[0][0])) if rows else None
    if collection is None:
        return None
    record = await find_record(engine.read, engine.dialect, collection, {"id": rows[0][1]})
    identity = Identity(collection, record) if record is not None else None
    is_good = identity is not None and hmac.compare_digest(str(rows[0][2]), _fingerprint(value, identity))
    return identity if is_good else None


async def is_session_open(engine: Engine, key: str) -> bool:
    """Whether the session that is kept under a key has not ended."""
    mark = engine.dialect.placeholder
    sql = f'SELECT 1 FROM "_sessions" WHERE "id" = {mark(1)} AND "expires" > {mark(2)}'
    return bool(await engine.read(sql, [key, time.time()]))


async def session_began(engine: Engine, value: str) -> float:
    """When the session of a cookie's value began, in seconds since 1970; 0 when there is none."""
    rows = await engine.read(
        f'SELECT "created" FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)}', [_hash(value)]
    )
    return float(rows[0][0] or 0) if rows else 0.0


def session_key(value: str) -> str:
    """What the session of a cookie's value is kept under."""
    return _hash(value)


async def end_session(engine: Engine, value: str) -> None:
    """End a session; one that has ended is no error."""
    sql = f'DELETE FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)}'

    async def delete(tx: Transaction) -> None:
        await tx.run(sql, [_hash(value)])

    await engine.write(delete)


async def has_old_sessions(engine: Engine) -> bool:
    """Whether there are sessions whose time is over."""
    sql = f'SELECT 1 FROM "_sessions" WHERE "expires" <= {engine.dialect.placeholder(1)} LIMIT 1'
    return bool(await engine.read(sql, [time.time()]))


async def forget_old_sessions(tx: Transaction, dialect: Dialect) -> None:
    """Forget sessions whose time is over."""
    await tx.run(f'DELETE FROM "_sessions" WHERE "expires" <= {dialect.placeholder(1)}', [time.time()])


def _hash(value: str) -> str:
    return sha256(value.encode(errors="surrogatepass")).hexdigest()


def _fingerprint(value: str, identity: Identity) -> str:
    return hmac.new(value.encode(), identity.record["tokenKey"].encode(), sha256).hexdigest()
