"""Answers to writes that their callers marked with a key, kept in order to be given again.

Who hears nothing of a write does not know whether it was done, and asks again under the
same key. The answer is kept in the transaction of the write: so either both are there, or
neither is, whatever happened in between; and of two that are on their way at once, the
one that ends later finds the answer of the other, and is undone. Bodies are sealed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Texts, Transaction
from undercroft.errors import Unprocessable
from undercroft.records.record import Run

SECONDS: Final = 86_400.0
"""How long an answer is kept."""
_AT_ONCE: Final = 1000


class KeyReused(Unprocessable):
    """The Idempotency-Key was used for another request; a new request needs a new key."""

    code = "idempotency_key_reused"
    default = "The Idempotency-Key was used for another request. Send a new key with a new request."


@dataclass(frozen=True, slots=True)
class Mark:
    """What a write is known by: `key` stands for the caller and their key, `fingerprint` for all that was asked."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: its number, and its body."""

    number: int
    body: str


class AnsweredBefore(Exception):
    """The same write was done meanwhile; `answer` is what was answered. Nobody is told of this one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def find_answer(run: Run, dialect: Dialect, mark: Mark, texts: Texts) -> Answer | None:
    """The answer that was given before, None when there is none. Raises `KeyReused`."""
    sql = f"""SELECT "fingerprint", "number", "body" FROM "_answers"
        WHERE "key" = {dialect.placeholder(1)} AND "until" > {dialect.clock()}"""
    rows = await run(sql, (mark.key,))
    if not rows:
        return None
    fingerprint, number, body = rows[0]
    if fingerprint != mark.fingerprint:
        raise KeyReused
    return Answer(int(number or 0), texts.open_text(_place(mark), str(body)) if body else "")


async def keep_answer(tx: Transaction, dialect: Dialect, mark: Mark, answer: Answer) -> None:
    """Keep the answer to the write of this transaction. Raises `AnsweredBefore` and `KeyReused`."""
    place, clock = dialect.placeholder, dialect.clock()
    renewed = ", ".join(f'"{name}" = excluded."{name}"' for name in ("fingerprint", "number", "body", "until"))
    sql = f"""INSERT INTO "_answers" ("key", "fingerprint", "number", "body", "until")
        VALUES ({place(1)}, {place(2)}, {place(3)}, {place(4)}, {clock} + {place(5, "number")})
        ON CONFLICT ("key") DO UPDATE SET {renewed} WHERE "_answers"."until" <= {clock} RETURNING "key\""""
    body = tx.texts.seal_text(_place(mark), answer.body) if answer.body else ""
    if await tx.run(sql, (mark.key, mark.fingerprint, answer.number, body, SECONDS)):
        return
    before = await find_answer(tx.run, dialect, mark, tx.texts)
    raise AnsweredBefore(before or answer)


def _place(mark: Mark) -> str:
    return f"_answers|body|{mark.key}"


async def has_old_answers(engine: Engine) -> bool:
    """Whether answers are kept for longer than they are to."""
    return bool(await engine.read(f'SELECT 1 FROM "_answers" WHERE "until" <= {engine.dialect.clock()} LIMIT 1'))


async def forget_old_answers(tx: Transaction, dialect: Dialect) -> None:
    """Forget answers that nobody asks for any more, not too many at once."""
    old = f'SELECT "key" FROM "_answers" WHERE "until" <= {dialect.clock()} LIMIT {_AT_ONCE}'
    await tx.run(f'DELETE FROM "_answers" WHERE "key" IN ({old})')
