"""Looking after the outbox: what is in it, what is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Texts, Transaction, Value
from undercroft.dates import now
from undercroft.errors import NotFound
from undercroft.mail.outbox import PATIENCE, open_part

_COLUMNS: Final = ("id", "kind", "sender", "recipient", "state", "note", "attempts", "created", "updated")


class NoSuchLetter(NotFound):
    """The outbox has no letter of that id."""

    code = "no_such_letter"

    def __init__(self, letter_id: str) -> None:
        super().__init__(f"There is no letter {letter_id!r} in the outbox. `undercroft mail list --all` shows all.")


class NotTriedAgain(NotFound):
    """The letter was sent, or is being sent, so there is nothing to try again."""

    code = "letter_not_retried"


@dataclass(frozen=True, slots=True)
class Entry:
    """A letter in the outbox, without what it says."""

    id: str
    kind: str
    sender: str
    recipient: str
    state: str
    note: str
    attempts: int
    created: str
    updated: str


async def list_entries(engine: Engine, states: Sequence[str], limit: int = 100) -> list[Entry]:
    """The newest letters in one of these states, newest first."""
    mark = engine.dialect.placeholder
    places = ", ".join(mark(number) for number in range(1, len(states) + 1))
    sql = f"""SELECT {_columns(engine.dialect)} FROM "_outbox" WHERE "state" IN ({places})
        ORDER BY "created" DESC, "id" LIMIT {mark(len(states) + 1)}"""
    return [_entry(row, engine.texts) for row in await engine.read(sql, (*states, limit))]


async def load_entry(engine: Engine, letter_id: str) -> tuple[Entry, str]:
    """A letter and its message, which is empty once it was sent. Raises `NoSuchLetter`."""
    dialect = engine.dialect
    sql = f"""SELECT {_columns(dialect)}, "content" FROM "_outbox" WHERE "id" = {dialect.placeholder(1)}"""
    rows = await engine.read(sql, (letter_id,))
    if not rows:
        raise NoSuchLetter(letter_id)
    *facts, content = rows[0]
    return _entry(tuple(facts), engine.texts), open_part(engine.texts, "content", letter_id, str(content))


async def retry(engine: Engine, letter_id: str = "") -> int:
    """Have a letter tried again at once, or all that are waiting or were given up; how many.

    Raises `NoSuchLetter` and `NotTriedAgain`.
    """
    dialect = engine.dialect
    if letter_id:
        entry, _ = await load_entry(engine, letter_id)
        if entry.state in {"sent", "sending"}:
            raise NotTriedAgain(f"Letter {letter_id} is {entry.state} already.")

    async def wake(tx: Transaction) -> int:
        return len(await tx.run(*_retry_statement(dialect, letter_id)))

    return await engine.write(wake)


def _retry_statement(dialect: Dialect, letter_id: str) -> tuple[str, list[Value]]:
    mark, clock = dialect.placeholder, dialect.clock()
    which = f""" AND "id" = {mark(3)}""" if letter_id else ""
    sql = f"""UPDATE "_outbox" SET "state" = 'waiting', "due" = {clock}, "attempts" = 0,
        "until" = {clock} + {mark(1, "number")}, "updated" = {mark(2, "date")}
        WHERE "state" IN ('waiting', 'dead'){which} RETURNING "id\""""
    return sql, [PATIENCE, now(), *([letter_id] if letter_id else [])]


def _columns(dialect: Dialect) -> str:
    return ", ".join(dialect.quote(name) for name in _COLUMNS)


def _entry(row: Row, texts: Texts) -> Entry:
    letter_id, kind, sender, kept, state, note, attempts, created, updated = (str(value) for value in row)
    recipient = open_part(texts, "recipient", letter_id, kept)
    return Entry(letter_id, kind, sender, recipient, state, note, int(attempts), created, updated)
