"""Tickets: leave to do one thing once, within a while, held by whoever has an unguessable text.

Only a hash of the text is kept, in a table that all processes share. Using a ticket deletes
it, and the row that the delete gives back is the proof: of many who come at once one gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction

TicketKind = Literal["passkey", "passkey login", "magic link"]
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket is for: the account that may use it (no `record`: whoever comes), and what else it is bound to."""

    kind: TicketKind
    collection: str
    record: str = ""
    data: tuple[str, ...] = ()


async def issue_ticket(tx: Transaction, dialect: Dialect, ticket: Ticket, text: str, seconds: float) -> None:
    """Let a ticket count for so many seconds, for whoever comes with the text."""
    mark = dialect.placeholder
    marks = ", ".join(mark(n) for n in range(1, 6))
    sql = f"""INSERT INTO "_tickets" ("id", "kind", "collection", "record", "data", "until")
        VALUES ({marks}, {dialect.clock()} + {mark(6, "number")})"""
    data = msgspec.json.encode(ticket.data).decode()
    row = (_hash(ticket.kind, text), ticket.kind, ticket.collection, ticket.record, data)
    await tx.run(sql, (*row, seconds))


async def find_ticket(engine: Engine, kind: TicketKind, text: str) -> Ticket | None:
    """The ticket, which counts on; None when it never was one, was used, or has expired."""
    dialect = engine.dialect
    sql = f"""SELECT "collection", "record", "data" FROM "_tickets"
        WHERE "id" = {dialect.placeholder(1)} AND "until" > {dialect.clock()}"""
    rows = await engine.read(sql, (_hash(kind, text),))
    return _read(kind, rows[0]) if rows else None


async def use_ticket(tx: Transaction, dialect: Dialect, kind: TicketKind, text: str) -> Ticket | None:
    """The ticket, which counts no more; None when it never was one, was used, or has expired."""
    sql = f"""DELETE FROM "_tickets" WHERE "id" = {dialect.placeholder(1)}
        RETURNING "collection", "record", "data", "until" > {dialect.clock()}"""
    rows = await tx.run(sql, (_hash(kind, text),))
    return _read(kind, rows[0][:3]) if rows and rows[0][3] else None


async def has_old_tickets(engine: Engine) -> bool:
    """Whether there are tickets that have expired."""
    return bool(await engine.read(f'SELECT 1 FROM "_tickets" WHERE "until" <= {engine.dialect.clock()} LIMIT 1'))


async def forget_old_tickets(tx: Transaction, dialect: Dialect) -> None:
    """Forget tickets that have expired, not too many at once."""
    old = f'SELECT "id" FROM "_tickets" WHERE "until" <= {dialect.clock()} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_tickets" WHERE "id" IN ({old})')


def _read(kind: TicketKind, row: Row) -> Ticket:
    collection, record, data = map(str, row)
    return Ticket(kind, collection, record, msgspec.json.decode(data, type=tuple[str, ...]))


def _hash(kind: str, text: str) -> str:
    return sha256(f"{kind}\0{text}".encode(errors="surrogatepass")).hexdigest()
