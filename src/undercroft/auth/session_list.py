"""Who is logged in to an account: sessions in cookies, and log-ins that gave a token; and ending them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from undercroft.auth.binding import key_hash
from undercroft.auth.logins import KIND as TOKEN
from undercroft.auth.logins import last_moment
from undercroft.database.changes import Change, append_change
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.statements import Run, delete_rows
from undercroft.errors import NotFound
from undercroft.query.scope import Identity

MOST: Final = 500
_UNKNOWN: Final = ""
"""What sessions from before keys were kept with them have for one."""


@dataclass(frozen=True, slots=True)
class Session:
    """One of them; moments are in seconds since 1970, 0 where they are not known."""

    id: str
    kind: str
    address: str
    agent: str
    created: float
    expires: float
    seen: float


async def list_sessions(run: Run, engine: Engine, account: Identity) -> list[Session]:
    """Those of an account that have not ended, the newest first."""
    mark = engine.dialect.placeholder
    sql = f"""SELECT "id", "kind", "address", "agent", "created", "expires", "seen" FROM "_sessions"
        WHERE "collection" = {mark(1)} AND "record" = {mark(2)} AND "expires" > {mark(3)} AND "ended" = 0
        AND "account_key" IN ({mark(4)}, {mark(5)}) ORDER BY "created" DESC, "id" LIMIT {MOST}"""
    values: list[Value] = [account.collection.id, account.id, time.time(), key_hash(account), _UNKNOWN]
    return [_from_row(row) for row in await run(sql, values)]


async def end_one(engine: Engine, account: Identity, session_id: str) -> list[str]:
    """End one of an account; the ids of log-ins among it. Raises `NotFound`."""

    async def end(tx: Transaction) -> list[str]:
        found = [each for each in await list_sessions(tx.run, engine, account) if each.id == session_id]
        if not found:
            raise NotFound
        return await _end(tx, engine, account, found)

    return await engine.write(end)


async def end_others(engine: Engine, account: Identity, current: str) -> list[str]:
    """End all of an account but one; the ids of log-ins among them."""

    async def end(tx: Transaction) -> list[str]:
        ended: list[str] = []
        while found := [each for each in await list_sessions(tx.run, engine, account) if each.id != current]:
            ended += await _end(tx, engine, account, found)
        return ended

    return await engine.write(end)


async def _end(tx: Transaction, engine: Engine, account: Identity, sessions: Iterable[Session]) -> list[str]:
    mark, ended = engine.dialect.placeholder, list[str]()
    sql = f"""UPDATE "_sessions" SET "ended" = 1, "expires" = {mark(1)} WHERE "id" = {mark(2)}"""
    for each in sessions:
        if each.kind == TOKEN:
            await tx.run(sql, [max(each.expires, last_moment(account)), each.id])
            ended.append(each.id)
        else:
            await delete_rows(tx.run, engine.dialect, "_sessions", {"id": each.id})
    await append_change(tx, engine.dialect, Change("credentials", account.collection.id, account.id, "delete"))
    return ended


def _from_row(row: Row) -> Session:
    session_id, kind, address, agent = map(str, row[:4])
    created, expires, seen = (float(value or 0) for value in row[4:])
    return Session(session_id, kind, address, agent, created, expires, seen)
