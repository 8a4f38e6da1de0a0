"""From two definitions to the statements that turn one table into the other.

Data belongs to the id of a field: a field with the same id and another name is a
renamed column; a field whose id is gone is a dropped one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.indexes import Index, create_index, mentioned, parse_index, parse_indexes
from undercroft.database.dialect import Dialect

_BESIDE: Final = "beside "  # begins names on the way; with its space no field or collection can bear one


@dataclass(frozen=True, slots=True)
class NewIndex:
    """An index to build: its position in the definition, its parts, and the statement."""

    position: int
    index: Index
    sql: str


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What to run, in this order. With `moves_names`, views must be out of the way."""

    statements: tuple[str, ...] = ()
    indexes: tuple[NewIndex, ...] = ()
    moves_names: bool = False


def plan_table(old: Collection | None, new: Collection, dialect: Dialect) -> TablePlan:
    """How to make the table of a collection, or to change it."""
    if old is None:
        return TablePlan((_create_table(new, dialect),), tuple(_new_indexes(new, dialect)))
    return _Alteration(old, new, dialect).plan()


def drop_table(collection: Collection, dialect: Dialect) -> str:
    """The statement that ends a table and its data."""
    return dialect.drop_table(collection.name)


def create_view(collection: Collection, query: str, dialect: Dialect, *, casts_id: bool) -> str:
    """The statement that makes the view of a collection from its query in the engine's words."""
    return (
        f"CREATE VIEW {dialect.quote(collection.name)} AS {select_view(collection, query, dialect, casts_id=casts_id)}"
    )


def select_view(collection: Collection, query: str, dialect: Dialect, *, casts_id: bool) -> str:
    """The statement behind a view; ids that are no text become text."""
    columns = dialect.view_columns({field.name: field.column for field in collection.fields}, casts_id=casts_id)
    # The query may end in a comment, which the line break ends.
    return f'SELECT {", ".join(columns)} FROM (\n{query}\n) AS "query"'


def drop_view(name: str, dialect: Dialect) -> str:
    """The statement that ends a view."""
    return dialect.drop_view(name)


def _create_table(collection: Collection, dialect: Dialect) -> str:
    columns = ", ".join(_column(field.name, field, dialect) for field in collection.fields)
    return f"CREATE TABLE {dialect.quote(collection.name)} ({columns}{dialect.insertion_column()})"


def _column(name: str, field: Field, dialect: Dialect) -> str:
    return f"{dialect.quote(name)} {dialect.column_type(field.column)}"


def _new_indexes(collection: Collection, dialect: Dialect) -> Iterator[NewIndex]:
    for position, text in enumerate(collection.indexes):
        index = parse_index(text)
        if index is not None:
            yield NewIndex(position, index, _create_index(index, collection, dialect))


def _create_index(index: Index, collection: Collection, dialect: Dialect) -> str:
    kinds = {field.name: field.column for field in collection.fields}
    return create_index(index, collection.name, kinds, dialect)


@dataclass(frozen=True, slots=True)
class _Alteration:
    """A table on its way from one definition to another."""

    old: Collection
    new: Collection
    dialect: Dialect

    def plan(self) -> TablePlan:
        kept = self.kept_indexes()
        statements = [
            *self.drop_indexes(kept),
            *self.rename_table(),
            *(self.alter(f"DROP COLUMN {self.quote(field.name)}") for field in self.dropped()),
            *self.rename_columns(),
            *(statement for field in self.converted() for statement in self.convert(field)),
            *(self.alter(f"ADD COLUMN {_column(field.name, field, self.dialect)}") for field in self.added()),
        ]
        built = [new for new in _new_indexes(self.new, self.dialect) if new.index.name.lower() not in kept]
        return TablePlan(tuple(statements), tuple(built), self.moves_names())

    def moves_names(self) -> bool:
        """Whether a name goes, or means another column for a while."""
        return bool(self.old.name != self.new.name or self.dropped() or self.renamed() or self.converted())

    def added(self) -> list[Field]:
        return [field for field in self.new.fields if field.id not in self.old.by_id]

    def dropped(self) -> list[Field]:
        return [field for field in self.old.fields if field.id not in self.new.by_id]

    def converted(self) -> list[Field]:
        """Fields that now hold another kind of column: one value became a list or a list one value."""
        return [now for was, now in self.kept() if was.column != now.column]

    def renamed(self) -> list[tuple[str, str]]:
        return [(was.name, now.name) for was, now in self.kept() if was.name != now.name]

    def kept(self) -> list[tuple[Field, Field]]:
        """Fields that stay, as they were and as they are to be."""
        return [(self.old.by_id[now.id], now) for now in self.new.fields if now.id in self.old.by_id]

    def rename_table(self) -> Iterator[str]:
        was, now = self.old.name, self.new.name
        if was == now:
            return
        # A name that differs in letter case alone counts as taken.
        beside = _BESIDE + now
        for current, wanted in [(was, beside), (beside, now)] if was.lower() == now.lower() else [(was, now)]:
            yield f"ALTER TABLE {self.quote(current)} RENAME TO {self.quote(wanted)}"

    def rename_columns(self) -> Iterator[str]:
        """Renames, by way of names nobody has where one field takes the name of another."""
        renamed = self.renamed()
        leaving = {was.lower() for was, _ in renamed}
        direct = [(was, now) for was, now in renamed if now.lower() not in leaving]
        crossing = [(was, now) for was, now in renamed if now.lower() in leaving]
        moves = [(was, _BESIDE + now) for was, now in crossing]
        for was, now in [*moves, *direct, *((_BESIDE + now, now) for _, now in crossing)]:
            yield self.alter(f"RENAME COLUMN {self.quote(was)} TO {self.quote(now)}")

    def convert(self, field: Field) -> Sequence[str]:
        name, beside = self.quote(field.name), self.quote(_BESIDE + field.name)
        dialect = self.dialect
        value = dialect.list_from_one(name) if field.is_multiple else dialect.one_from_list(name)
        return [
            self.alter(f"ADD COLUMN {_column(_BESIDE + field.name, field, dialect)}"),
            f"UPDATE {self.quote(self.new.name)} SET {beside} = {value}",
            self.alter(f"DROP COLUMN {name}"),
            self.alter(f"RENAME COLUMN {beside} TO {name}"),
        ]

    def drop_indexes(self, kept: set[str]) -> list[str]:
        gone = [index for index in parse_indexes(self.old.indexes) if index.name.lower() not in kept]
        return [f"DROP INDEX IF EXISTS {self.quote(index.name)}" for index in gone]

    def kept_indexes(self) -> set[str]:
        """Names of the indexes that are the same before and after and speak of no column that changes."""
        changing = {was.lower() for was, _ in self.renamed()} | {field.name.lower() for field in self.dropped()}
        changing |= {self.old.by_id[field.id].name.lower() for field in self.converted()}
        wanted = {index.sql for index in _new_indexes(self.new, self.dialect)}
        same = [i for i in parse_indexes(self.old.indexes) if _create_index(i, self.new, self.dialect) in wanted]
        return {index.name.lower() for index in same if not mentioned(index) & changing}

    def alter(self, change: str) -> str:
        return f"ALTER TABLE {self.quote(self.new.name)} {change}"

    def quote(self, name: str) -> str:
        return self.dialect.quote(name)
