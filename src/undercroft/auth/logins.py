"""Log-ins that gave a token: what is known of them, and which were ended.

A token needs nothing to be stored. So that an account can see who is logged in, and end that, a log-in leaves a row,
and its tokens name it: by the microsecond it happened in, which is their `iat`, and stays when they are renewed. Of
what was ended each process has the ids in memory, which are few, so that no request asks the database for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from undercroft.auth.binding import hash_of, key_hash
from undercroft.auth.sessions import LONGEST_NOTE, Device
from undercroft.auth.tokens import Claims, token_options
from undercroft.database.engine import Engine, Value
from undercroft.query.scope import Identity

PREFIX: Final = "login:"
KIND: Final = "token"
_LONGEST_SLACK: Final = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Login:
    """When an account logged in, in seconds since 1970, to the microsecond."""

    collection: str
    record: str
    moment: float

    @property
    def id(self) -> str:
        """What its row is kept under; only the server has use for it."""
        return hash_of(f"{PREFIX}{self.collection}/{self.record}/{self.moment!r}")


class Ended:
    """The ids of log-ins that were ended while tokens of theirs may still run."""

    def __init__(self) -> None:
        self._ids: frozenset[str] = frozenset()

    def has(self, claims: Claims) -> bool:
        """Whether a token is of a log-in that was ended."""
        login = login_of(claims) if self._ids else None
        return login is not None and login.id in self._ids

    def add(self, ids: Iterable[str]) -> None:
        """Know of some at once."""
        self._ids |= frozenset(ids)

    async def load(self, engine: Engine) -> None:
        """Know all there are."""
        sql = f"""SELECT "id" FROM "_sessions" WHERE "ended" = 1 AND "expires" > {engine.dialect.placeholder(1)}"""
        self._ids = frozenset(str(key) for (key,) in await engine.read(sql, [time.time()]))


def login_of(claims: Claims) -> Login | None:
    """The log-in that a token came from; None where it has none, as one had for somebody else."""
    # A whole number of seconds is of a token from before log-ins were kept.
    if not isinstance(claims.iat, float):
        return None
    return Login(claims.collection_id, claims.id, claims.iat)


def new_login(account: Identity) -> Login:
    """A log-in that happens now."""
    return Login(account.collection.id, account.id, round(time.time(), 6))


async def keep_login(engine: Engine, account: Identity, login: Login, device: Device) -> None:
    """Keep a log-in for as long as a token lasts that is given now; one that is kept already was seen again."""
    row = _row(account, login, device)
    again = ", ".join(f'"{name}" = excluded."{name}"' for name in ("address", "agent", "expires", "seen"))
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(engine.dialect.placeholder(n) for n, _ in enumerate(row, 1))
    sql = f'INSERT INTO "_sessions" ({names}) VALUES ({marks}) ON CONFLICT ("id") DO UPDATE SET {again}'
    await engine.write(lambda tx: tx.run(sql, list(row.values())))


async def renew_login(engine: Engine, account: Identity, login: Login, device: Device) -> None:
    """Keep a log-in whose token is renewed; who renews often does not write often."""
    sql = f'SELECT "expires" FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)}'
    rows = await engine.read(sql, [login.id])
    if not rows or float(rows[0][0] or 0) < time.time() + _duration(account):
        await keep_login(engine, account, login, device)


async def is_ended(engine: Engine, login_id: str) -> bool:
    """Whether a log-in was ended."""
    sql = f'SELECT 1 FROM "_sessions" WHERE "id" = {engine.dialect.placeholder(1)} AND "ended" = 1'
    return bool(await engine.read(sql, [login_id]))


def last_moment(account: Identity) -> float:
    """When the last token will have expired that an account may have by now, but for those kept for longer."""
    return time.time() + _duration(account)


def _row(account: Identity, login: Login, device: Device) -> dict[str, Value]:
    moment, duration = time.time(), _duration(account)
    return {
        "id": login.id,
        "kind": KIND,
        "collection": login.collection,
        "record": login.record,
        "account_key": key_hash(account),
        "address": device.address[:LONGEST_NOTE],
        "agent": device.agent[:LONGEST_NOTE],
        "created": login.moment,
        "expires": moment + duration + min(_LONGEST_SLACK, duration / 10),
        "seen": moment,
    }


def _duration(account: Identity) -> int:
    return token_options(account.collection, "auth").duration
