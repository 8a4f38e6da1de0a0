"""The outbox: letters that are to be sent, in the same database as what they tell of.

A letter is put in inside the transaction that it belongs to, so it is sent if that commits
and never otherwise. Each recipient has a row of their own, so that one who is refused holds
up nobody. Whoever sends a row claims it first, for a while: a row whose claim has ended was
left by a process that died, and is sent again. So a letter may come twice, once for each
such death, and its Message-ID is the same both times.

What is sent keeps its row for some days without the message, which may hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction
from undercroft.dates import now
from undercroft.ids import record_id
from undercroft.mail.carrier import Posted
from undercroft.mail.message import Letter

State = Literal["waiting", "sending", "sent", "dead"]
KIND: Final = "outbox"
"""What a transaction announces that put a letter in."""

PATIENCE: Final = 3 * 86_400.0  # seconds in which a letter must get through, if it does not expire sooner

_COLUMNS: Final = ("id", "kind", "sender", "recipient", "content")
_IS_OPEN: Final = """"state" IN ('waiting', 'sending')"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A letter ready to be put into the outbox; sent within `seconds` or not at all."""

    posts: tuple[Posted, ...]
    seconds: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that this process sends now, for the n-th time; `note` is what came of the last one."""

    posted: Posted
    attempts: int
    note: str
    is_late: bool


def seal(letter: Letter, kind: str = "", seconds: float = PATIENCE) -> Sealed:
    """Write a letter out, once and for all. Raises `BadLetter`.

    `kind` says what it is about, to those who look after the outbox. Do this before the
    transaction begins: it takes a millisecond.
    """
    # The parser of addresses takes a while to load, and few processes write letters.
    from undercroft.mail.mime import ascii_address, write_out  # noqa: PLC0415

    sender = ascii_address(letter.sender.address)
    content = write_out(letter, f"<{record_id()}@{sender.rpartition('@')[2]}>")
    recipients = dict.fromkeys(ascii_address(box.address) for box in letter.to)
    posts = tuple(Posted(record_id(), kind, sender, recipient, content) for recipient in recipients)
    return Sealed(posts, seconds)


async def enqueue(tx: Transaction, dialect: Dialect, letter: Sealed) -> None:
    """Have a letter sent once the transaction is durable; undone with it otherwise."""
    mark, clock, moment = dialect.placeholder, dialect.clock(), now()
    names = ", ".join(dialect.quote(name) for name in (*_COLUMNS, "state", "due", "until", "created", "updated"))
    places = ", ".join(mark(number) for number in range(1, 6))
    ending = f"{clock}, {clock} + {mark(6, 'number')}, {mark(7, 'date')}, {mark(8, 'date')}"
    sql = f"""INSERT INTO "_outbox" ({names}) VALUES ({places}, 'waiting', {ending})"""
    for post in letter.posts:
        values = (post.id, post.kind, post.sender, post.recipient, post.content)
        await tx.run(sql, (*values, letter.seconds, moment, moment))
    tx.announce(KIND)


async def seconds_until_due(engine: Engine) -> float | None:
    """How long until a letter can be sent; 0 or less when one can be now, None when none waits."""
    sql = f'SELECT min("due") - {engine.dialect.clock()} FROM "_outbox" WHERE {_IS_OPEN}'
    rows = await engine.read(sql)
    return None if rows[0][0] is None else float(rows[0][0])


async def claim(tx: Transaction, dialect: Dialect, most: int, seconds: float, at_once: int) -> list[Claimed]:
    """At most so many letters that are due, for this process to send within some seconds.

    All processes together have no more than `at_once` claims.
    """
    clock, mark = dialect.clock(), dialect.placeholder
    busy = await tx.run(f"""SELECT count(*) FROM "_outbox" WHERE "state" = 'sending' AND "due" > {clock}""")
    free = min(most, at_once - int(busy[0][0] or 0))
    if free < 1:
        return []
    columns = ", ".join(dialect.quote(name) for name in _COLUMNS)
    sql = f"""UPDATE "_outbox" SET "state" = 'sending', "due" = {clock} + {mark(1, "number")},
        "attempts" = "attempts" + 1
        WHERE "id" IN (SELECT "id" FROM "_outbox" WHERE {_IS_OPEN} AND "due" <= {clock} ORDER BY "due" LIMIT {mark(2)})
        RETURNING {columns}, "attempts", "note", "until" <= {clock}"""
    return [_claimed(row) for row in await tx.run(sql, (seconds, free))]


async def settle(tx: Transaction, dialect: Dialect, letter: Claimed, note: str) -> None:
    """A claimed letter was sent; what was answered is kept, and the message is not."""
    await _end(tx, dialect, letter, ("sent", note), keeps_content=False)


async def bury(tx: Transaction, dialect: Dialect, letter: Claimed, note: str) -> None:
    """A claimed letter is given up, for the reason in the note."""
    await _end(tx, dialect, letter, ("dead", note), keeps_content=True)


async def put_back(tx: Transaction, dialect: Dialect, letter: Claimed, note: str, seconds: float) -> None:
    """A claimed letter is tried again after some seconds, or looked at once more when it expires."""
    mark, clock = dialect.placeholder, dialect.clock()
    due = f"""CASE WHEN {clock} + {mark(1, "number")} < "until" THEN {clock} + {mark(2, "number")} ELSE "until" END"""
    sql = f"""UPDATE "_outbox" SET "state" = 'waiting', "due" = {due}, "note" = {mark(3)},
        "updated" = {mark(4, "date")} {_its_claim(dialect, 5)}"""
    await tx.run(sql, (seconds, seconds, note, now(), letter.posted.id, letter.attempts))


async def release_claims(engine: Engine) -> None:
    """Let go of every claim, where nobody else can be at work."""
    if not await engine.read("""SELECT 1 FROM "_outbox" WHERE "state" = 'sending' LIMIT 1"""):
        return

    async def release(tx: Transaction) -> None:
        await tx.run("""UPDATE "_outbox" SET "state" = 'waiting', "due" = 0 WHERE "state" = 'sending'""")

    await engine.write(release)


async def _end(
    tx: Transaction, dialect: Dialect, letter: Claimed, outcome: tuple[State, str], *, keeps_content: bool
) -> None:
    mark = dialect.placeholder
    content = "" if keeps_content else """, "content" = ''"""
    sql = f"""UPDATE "_outbox" SET "state" = {mark(1)}, "note" = {mark(2)}, "updated" = {mark(3, "date")}, "due" = 0
        {content} {_its_claim(dialect, 4)}"""
    await tx.run(sql, (*outcome, now(), letter.posted.id, letter.attempts))


def _its_claim(dialect: Dialect, first: int) -> str:
    """The condition that the row is still claimed by whoever claimed it for that attempt."""
    places = dialect.placeholder(first), dialect.placeholder(first + 1)
    return f"""WHERE "id" = {places[0]} AND "state" = 'sending' AND "attempts" = {places[1]}"""


def _claimed(row: Row) -> Claimed:
    *texts, attempts, note, is_late = row
    return Claimed(Posted(*(str(text) for text in texts)), int(attempts or 0), str(note), bool(is_late))
