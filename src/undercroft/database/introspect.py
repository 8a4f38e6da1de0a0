"""What a table looks like that somebody else has made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from undercroft.database.dialect import ColumnKind, Dialect
from undercroft.database.engine import Row, Value
from undercroft.database.found import ForeignKey, FoundColumn, FoundIndex, FoundTable
from undercroft.database.move_values import Unfit, normal
from undercroft.database.moved import MovedColumn
from undercroft.database.positions import Read

_PAGE: Final = 1000


async def find_table(read: Read, dialect: Dialect, name: str) -> FoundTable | None:
    """The table of that name, or None."""
    questions = dialect.schema_questions()
    columns = await read(questions.columns, [name])
    if not columns:
        return None
    return FoundTable(
        name=name,
        columns=tuple(_column(row, questions.kind(str(row[1]))) for row in columns),
        foreign_keys=_foreign_keys(await read(questions.foreign_keys, [name])),
        indexes=_indexes(await read(questions.indexes, [name])),
    )


async def find_strays(read: Read, dialect: Dialect, table: FoundTable) -> Mapping[str, str]:
    """Why columns are not of the kind that their type says, by name; empty where the engine sees to it.

    Reads the whole table, whose primary key must be the one column `id`.
    """
    columns = [MovedColumn(each.name, each.kind, is_nullable=True) for each in table.columns if each.kind]
    if dialect.limits().is_typed:
        return {}
    found: Counter[tuple[str, str]] = Counter()
    after: Value = None
    while rows := await _read_page(read, dialect, table.name, columns, after):
        after = rows[-1][0]
        pairs = ((column, value) for row in rows for column, value in zip(columns, row[1:], strict=True))
        found.update((column.name, reason) for column, value in pairs if (reason := _misfit(column, value)))
    return {name: f"{reason} (in {count:,} of its rows)" for (name, reason), count in reversed(found.most_common())}


async def _read_page(
    read: Read, dialect: Dialect, table: str, columns: Sequence[MovedColumn], after: Value
) -> list[Row]:
    names = ", ".join(dialect.quote(column.name) for column in columns)
    where = "" if after is None else f'WHERE "id" > {dialect.placeholder(1)}'
    sql = f'SELECT "id", {names} FROM {dialect.quote(table)} {where} ORDER BY "id" LIMIT {_PAGE}'
    return await read(sql, [] if after is None else [after])


def _misfit(column: MovedColumn, value: Value) -> str:
    try:
        normal(column, value)
    except Unfit as reason:
        return str(reason)
    return ""


def _column(row: Row, kind: ColumnKind | None) -> FoundColumn:
    name, declared, is_required, has_default, key = row
    return FoundColumn(str(name), str(declared), kind, bool(is_required), bool(has_default), int(key or 0))


def _foreign_keys(rows: Sequence[Row]) -> tuple[ForeignKey, ...]:
    """The keys of one column; those of several are no relations."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
    return tuple(
        ForeignKey(str(column), str(table), str(target), action == "CASCADE")
        for group in groups
        if len(group) == 1
        for _, column, table, target, action in group
    )


def _indexes(rows: Sequence[Row]) -> tuple[FoundIndex, ...]:
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
    return tuple(
        FoundIndex(str(group[0][0]), bool(group[0][1]), tuple(str(row[3]) for row in group))
        for group in groups
        if not any(row[2] for row in group)
    )
