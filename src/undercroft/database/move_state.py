"""How far a move has come: rows of the table `_move` in the target.

The header and every table's place are JSON texts. A place changes in the
transaction that writes the rows it speaks of, so after any interruption both are
there or neither. It changes only from what this program last saw: of two moves into one
database, one finds out and stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.positions import Read
from undercroft.database.refusals import StartRefused
from undercroft.errors import Problem

TABLE: Final = "_move"
_HEADER: Final = "move"


class Measure(msgspec.Struct, frozen=True):
    """What is compared of a table: how many rows, and the sum of their digests."""

    count: int = 0
    hash: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One move: from where, what was there, and when. `mark` changes when the source does."""

    source: str
    target: str
    mark: str
    measures: Mapping[str, Measure]
    views: Mapping[str, int]
    begun: str
    finished: str = ""
    runs: int = 1


class Place(msgspec.Struct, frozen=True):
    """How far a table is: the key of the last row, how many rows, and whether its indexes are built."""

    after: int | str | None = None
    rows: int = 0
    is_done: bool = False


class MoveUnfinished(StartRefused):
    """A move into the database was begun and has not ended."""

    code = "move_unfinished"

    def __init__(self, source: str) -> None:
        super().__init__(
            f"The database is the target of a move from {source} that was not finished: "
            "run the same `undercroft move` again, which goes on where it stopped."
        )


class MoveCrossed(Problem):
    """Another process is moving data into the same database."""

    code = "move_crossed"
    default = "Another process is moving data into this database at the same time. This one has stopped."


async def find_header(read: Read, dialect: Dialect) -> Header | None:
    """The move that was begun into a database, or None."""
    tables = {str(name) for (name,) in await read(dialect.list_tables(), ())}
    if TABLE not in tables:
        return None
    text = await _find(read, dialect, _HEADER)
    return msgspec.json.decode(text, type=Header) if text else None


async def refuse_unfinished(read: Read, dialect: Dialect) -> None:
    """Return unless a move into the database was begun and not finished. Raises `MoveUnfinished`."""
    header = await find_header(read, dialect)
    if header is not None and not header.finished:
        raise MoveUnfinished(header.source)


async def save_header(engine: Engine, header: Header) -> None:
    """Write down the move, or what has changed of it."""

    async def save(tx: Transaction) -> None:
        text = engine.dialect.column_type("text")
        await tx.run(f'CREATE TABLE IF NOT EXISTS "{TABLE}" ("name" {text}, "value" {text})')
        await tx.run(f'DELETE FROM "{TABLE}" WHERE "name" = {engine.dialect.placeholder(1)}', [_HEADER])
        await _insert(tx, engine.dialect, _HEADER, header)

    await engine.write(save)


async def find_place(read: Read, dialect: Dialect, name: str) -> Place | None:
    """How far a table or view is; None when it is not there."""
    text = await _find(read, dialect, _key(name))
    return msgspec.json.decode(text, type=Place) if text else None


async def add_place(tx: Transaction, dialect: Dialect, name: str, place: Place) -> None:
    """Note that a table or view was made. Raises `MoveCrossed` when it is there."""
    if await find_place(tx.run, dialect, name):
        raise MoveCrossed
    await _insert(tx, dialect, _key(name), place)


async def change_place(tx: Transaction, dialect: Dialect, name: str, old: Place, new: Place) -> None:
    """Note that a table has come from one place to another. Raises `MoveCrossed` when it is elsewhere."""
    marks = [dialect.placeholder(number) for number in (1, 2, 3)]
    sql = f'UPDATE "{TABLE}" SET "value" = {marks[0]} WHERE "name" = {marks[1]} AND "value" = {marks[2]} RETURNING 1'
    if not await tx.run(sql, [_text(new), _key(name), _text(old)]):
        raise MoveCrossed


async def _find(read: Read, dialect: Dialect, key: str) -> str:
    rows = await read(f'SELECT "value" FROM "{TABLE}" WHERE "name" = {dialect.placeholder(1)}', [key])
    return str(rows[0][0]) if rows else ""


async def _insert(tx: Transaction, dialect: Dialect, key: str, value: msgspec.Struct) -> None:
    marks = f"{dialect.placeholder(1)}, {dialect.placeholder(2)}"
    await tx.run(f'INSERT INTO "{TABLE}" ("name", "value") VALUES ({marks})', [key, _text(value)])


def _key(name: str) -> str:
    return f"table {name}"


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
