"""What must go from the store of files: a table that changes together with the records.

A store knows no transactions, so what is about to be put into it is written down first,
with the moment when it shall go again. The transaction that makes a record name the file
strikes that out; without it the file goes, whatever happened in between. Files that a
transaction takes from records are written down by it, to go at once.

A row is *held* (`due` is a moment by the database's clock) or *doomed* (`due` is the moment
when that was decided, with a minus). What is doomed is never taken back: whoever finds a
file of theirs doomed has come too late. A key that ends in `/` speaks of all files below
it that no record names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.positions import Read
from undercroft.errors import Unavailable
from undercroft.files.keys import is_key

DOOMED: Final = "files"
"""The kind of change that is announced when files must go."""
HELD_SECONDS: Final = 3600.0
_AHEAD: Final = 2 * HELD_SECONDS  # whoever wrote that a row is due later than this had a wrong clock


class UploadTooLate(Unavailable):
    """The files of a write took so long that they were given up."""

    code = "upload_too_late"
    default = "The files took too long to store, and were given up. Try again."


@dataclass(frozen=True, slots=True)
class Doomed:
    """A row of what must go."""

    key: str
    due: float


async def hold_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> None:
    """Write down files that are about to be put into the store for a record that may never be."""
    mark = dialect.placeholder
    sql = f'INSERT INTO "_files_due" ("key", "due") VALUES ({mark(1)}, {dialect.clock()} + {mark(2)})'
    for key in keys:
        await tx.run(sql, (key, HELD_SECONDS))


async def hold_version(tx: Transaction, dialect: Dialect, key: str) -> bool:
    """Write down a version of a file that is about to be put; False when one of that key is just being deleted."""
    mark, clock = dialect.placeholder, dialect.clock()
    sql = f"""INSERT INTO "_files_due" ("key", "due") VALUES ({mark(1)}, {clock} + {mark(2)})
        ON CONFLICT ("key") DO UPDATE SET "due" = excluded."due" WHERE "_files_due"."due" > 0 RETURNING 1"""
    return bool(await tx.run(sql, (key, HELD_SECONDS)))


async def prolong_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> None:
    """Hold files that are still held for as long again."""
    mark = dialect.placeholder
    sql = f'UPDATE "_files_due" SET "due" = {dialect.clock()} + {mark(1)} WHERE "key" = {mark(2)} AND "due" > 0'
    for key in keys:
        await tx.run(sql, (HELD_SECONDS, key))


async def keep_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> None:
    """Let held files stay, because a record names them now. Raises `UploadTooLate`."""
    sql = f'DELETE FROM "_files_due" WHERE "key" = {dialect.placeholder(1)} AND "due" > 0 RETURNING "key"'
    for key in keys:
        if not await tx.run(sql, (key,)):
            raise UploadTooLate


async def doom_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> None:
    """Write down files that must go, because no record names them any more; what no store can hold is left out."""
    sql = f"""INSERT INTO "_files_due" ("key", "due") VALUES ({dialect.placeholder(1)}, -{dialect.clock()})
        ON CONFLICT ("key") DO UPDATE SET "due" = -{dialect.clock()}"""
    for key in keys:
        if is_key(key.removesuffix("/")):
            await tx.run(sql, (key,))
            tx.announce(DOOMED)


async def retire_files(tx: Transaction, dialect: Dialect, keys: Iterable[str], seconds: float) -> None:
    """Write down files that must go after a while, when nobody reads them any more."""
    mark, clock = dialect.placeholder, dialect.clock()
    sql = f"""INSERT INTO "_files_due" ("key", "due") VALUES ({mark(1)}, {clock} + {mark(2)})
        ON CONFLICT ("key") DO NOTHING"""
    for key in keys:
        await tx.run(sql, (key, seconds))


async def abandon_files(tx: Transaction, dialect: Dialect, keys: Iterable[str]) -> list[str]:
    """Doom those of the files that are still held, and say which; the others belong to a record, or go already."""
    sql = f"""UPDATE "_files_due" SET "due" = -{dialect.clock()}
        WHERE "key" = {dialect.placeholder(1)} AND "due" > 0 RETURNING "key\""""
    doomed = [key for key in keys if await tx.run(sql, (key,))]
    if doomed:
        tx.announce(DOOMED)
    return doomed


async def abandon_all(tx: Transaction, dialect: Dialect) -> None:
    """Doom every held file: nobody is there who could still write a record for it."""
    await tx.run(f'UPDATE "_files_due" SET "due" = -{dialect.clock()} WHERE "due" > 0')
    tx.announce(DOOMED)


async def abandon_due(tx: Transaction, dialect: Dialect) -> None:
    """Doom the held files whose moment has come."""
    clock = dialect.clock()
    late = f'"due" <= {clock} OR "due" > {clock} + {dialect.placeholder(1)}'
    await tx.run(f'UPDATE "_files_due" SET "due" = -{clock} WHERE "due" > 0 AND ({late})', (_AHEAD,))
    tx.announce(DOOMED)


async def strike_files(tx: Transaction, dialect: Dialect, doomed: Iterable[Doomed]) -> None:
    """Forget doomed files that are gone from the store, but not what was doomed once more since."""
    mark = dialect.placeholder
    sql = f'DELETE FROM "_files_due" WHERE "key" = {mark(1)} AND "due" = {mark(2)}'
    for each in doomed:
        await tx.run(sql, (each.key, each.due))


async def find_doomed(read: Read, dialect: Dialect, after: str, limit: int) -> list[Doomed]:
    """Files that must go, in the order of their keys, the first behind `after`."""
    sql = f"""SELECT "key", "due" FROM "_files_due" WHERE "due" < 0 AND "key" > {dialect.placeholder(1)}
        ORDER BY "key" LIMIT {dialect.placeholder(2)}"""
    return [Doomed(str(key), float(due or 0)) for key, due in await read(sql, (after, limit))]


async def find_written(read: Read, dialect: Dialect, keys: Sequence[str]) -> set[str]:
    """Which of the files the ledger speaks of: a write on its way needs them, or they go already."""
    if not keys:
        return set()
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(keys) + 1))
    return {str(key) for (key,) in await read(f'SELECT "key" FROM "_files_due" WHERE "key" IN ({marks})', keys)}


async def has_due_files(engine: Engine) -> bool:
    """Whether the moment of any held file has come."""
    clock = engine.dialect.clock()
    late = f'"due" <= {clock} OR "due" > {clock} + {engine.dialect.placeholder(1)}'
    return bool(await engine.read(f'SELECT 1 FROM "_files_due" WHERE "due" > 0 AND ({late}) LIMIT 1', (_AHEAD,)))
