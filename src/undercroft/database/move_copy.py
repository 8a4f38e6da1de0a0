"""Copying one table: made, filled page by page, then indexed; each step with the note that it was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction, Value
from undercroft.database.move_pages import Page, Source, read_pages
from undercroft.database.move_state import Place, add_place, change_place, find_place
from undercroft.database.move_values import bound
from undercroft.database.moved import MovedTable, MovedView

_VALUES_A_STATEMENT = 2000

Advance = Callable[[int], None]
"""Told how many rows more are there."""


async def copy_table(source: Source, target: Engine, table: MovedTable, advance: Advance) -> None:
    """Bring a table into the target, going on where an earlier run stopped."""
    place = await find_place(target.read, target.dialect, table.name) or await _make_table(target, table)
    advance(place.rows)
    if place.is_done:
        return
    async for page in read_pages(source, table, place.after):
        place = await _add_page(target, table, place, page)
        advance(len(page.rows))
    await _finish_table(target, table, place)


async def make_view(target: Engine, view: MovedView) -> None:
    """Make a view, unless an earlier run has."""
    dialect = target.dialect

    async def make(tx: Transaction) -> None:
        await tx.run(view.sql)
        await add_place(tx, dialect, view.name, Place(is_done=True))

    if await find_place(target.read, dialect, view.name) is None:
        await target.write(make)


async def _make_table(target: Engine, table: MovedTable) -> Place:
    async def make(tx: Transaction) -> Place:
        if table.create:
            await tx.run(table.create)
        await add_place(tx, target.dialect, table.name, Place())
        return Place()

    return await target.write(make)


async def _add_page(target: Engine, table: MovedTable, place: Place, page: Page) -> Place:
    if not isinstance(page.last, int | str):
        raise TypeError(page.last)
    new = Place(page.last, place.rows + len(page.rows))

    async def add(tx: Transaction) -> Place:
        for rows in _portions(page.rows, len(table.columns)):
            await tx.run(_insert(target.dialect, table, len(rows)), _values(table, rows))
        await change_place(tx, target.dialect, table.name, place, new)
        return new

    return await target.write(add)


async def _finish_table(target: Engine, table: MovedTable, place: Place) -> None:
    dialect = target.dialect

    async def finish(tx: Transaction) -> None:
        for index in table.indexes:
            await tx.run(index.sql)
        if table.counter:
            for statement in dialect.set_counter(table.name, table.counter):
                await tx.run(statement)
        await change_place(tx, dialect, table.name, place, Place(place.after, place.rows, is_done=True))

    await target.write(finish)


def _portions(rows: Sequence[Row], width: int) -> Iterator[Sequence[Row]]:
    size = max(1, _VALUES_A_STATEMENT // width)
    return (rows[at : at + size] for at in range(0, len(rows), size))


def _insert(dialect: Dialect, table: MovedTable, count: int) -> str:
    names = ", ".join(dialect.quote(column.name) for column in table.columns)
    width = len(table.columns)
    places = (", ".join(dialect.placeholder(row * width + at + 1) for at in range(width)) for row in range(count))
    return f"INSERT INTO {dialect.quote(table.name)} ({names}) VALUES ({'), ('.join(places)})"


def _values(table: MovedTable, rows: Sequence[Row]) -> list[Value]:
    return [bound(column, value) for row in rows for column, value in zip(table.columns, row, strict=True)]
