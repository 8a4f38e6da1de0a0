"""From two definitions to the statements that turn one table into the other.

Data belongs to the id of a field: a field with the same id and another name is a
renamed column; a field whose id is gone is a dropped one. An encrypted field has
columns beside its own, see `collections.seals`; what indexes say of it they say of
its fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import index_of
from undercroft.collections.indexes import Index, create_index, mentioned, parse_index, parse_indexes, tokenize
from undercroft.collections.seals import Column
from undercroft.collections.watches import begin_watches, end_watches
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
        statements = (_create_table(new, dialect), *lookup_indexes(new, dialect).values(), *begin_watches(new, dialect))
        return TablePlan(statements, tuple(_new_indexes(new, dialect)))
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
    columns = ", ".join(_column(column.name, column, dialect) for column in collection.columns)
    return f"CREATE TABLE {dialect.quote(collection.name)} ({columns}{dialect.insertion_column()})"


def _column(name: str, column: Column, dialect: Dialect) -> str:
    return f"{dialect.quote(name)} {dialect.column_type(column.kind)}"


def _new_indexes(collection: Collection, dialect: Dialect) -> Iterator[NewIndex]:
    for position, text in enumerate(collection.indexes):
        index = parse_index(text)
        if index is not None:
            yield NewIndex(position, index, _create_index(index, collection, dialect))


def _create_index(index: Index, collection: Collection, dialect: Dialect) -> str:
    kinds = {column.name: column.kind for column in collection.columns}
    return create_index(spelled(index, collection), collection.name, kinds, dialect)


def spelled(index: Index, collection: Collection) -> Index:
    """An index as it is of the table: what it says of a sealed field it says of its fingerprints, or of its cells."""
    prints = {name.lower(): column.name for name, column in fingerprints(collection).items()}
    columns = tuple(replace(each, name=prints.get(each.name.lower(), each.name)) for each in index.columns)
    cells = {name.lower(): collection.read_columns[name] for name in collection.sealed_names}
    # All that may be asked of a sealed field there is whether it is empty, see `check_encrypted.check_index`.
    asked = [cells[token.name.lower()] for token in tokenize(index.where) or () if token.name.lower() in cells]
    where = f'"{asked[0]}" IS NOT NULL' if asked else index.where
    return replace(index, columns=columns, where=where)


def fingerprints(collection: Collection) -> dict[str, Column]:
    """The column that indexes have in place of an encrypted field, by the name of the field."""
    return {
        column.field.name: column
        for column in collection.columns
        if column.role == "index" and index_of(collection, column.field) == column.index
    }


def lookup_indexes(collection: Collection, dialect: Dialect) -> dict[str, str]:
    """The statements that index columns of fingerprints which no index of the definition serves, by name."""
    served = {i.columns[0].name.lower() for i in parse_indexes(collection.indexes) if not i.where}
    read = {column.key for name, column in fingerprints(collection).items() if name.lower() in served}
    columns = [column for column in collection.columns if column.role == "index" and column.key not in read]
    made = {f"{collection.id}~{column.name}": column.name for column in columns}
    on = f"ON {dialect.quote(collection.name)}"
    return {name: f"CREATE INDEX {dialect.quote(name)} {on} ({dialect.quote(of)})" for name, of in made.items()}


@dataclass(frozen=True, slots=True)
class _Alteration:
    """A table on its way from one definition to another."""

    old: Collection
    new: Collection
    dialect: Dialect

    def plan(self) -> TablePlan:
        kept = self.kept_indexes()
        statements = [
            *end_watches(self.old, self.dialect),
            *self.drop_indexes(kept),
            *self.drop_lookups(),
            *self.rename_table(),
            *(self.alter(f"DROP COLUMN {self.quote(column.name)}") for column in self.dropped()),
            *self.rename_columns(),
            *(statement for column in self.converted() for statement in self.convert(column)),
            *(self.alter(f"ADD COLUMN {_column(column.name, column, self.dialect)}") for column in self.added()),
            *self.new_lookups(),
            *begin_watches(self.new, self.dialect),
        ]
        built = [new for new in _new_indexes(self.new, self.dialect) if new.index.name.lower() not in kept]
        return TablePlan(tuple(statements), tuple(built), self.moves_names())

    def moves_names(self) -> bool:
        """Whether a name goes, or means another column for a while."""
        return bool(self.old.name != self.new.name or self.dropped() or self.renamed() or self.converted())

    def added(self) -> list[Column]:
        known = {column.key for column in self.old.columns}
        return [column for column in self.new.columns if column.key not in known]

    def dropped(self) -> list[Column]:
        known = {column.key for column in self.new.columns}
        return [column for column in self.old.columns if column.key not in known]

    def converted(self) -> list[Column]:
        """Columns that now hold another kind of value: one value became a list or a list one value."""
        return [now for was, now in self.kept() if was.kind != now.kind]

    def renamed(self) -> list[tuple[str, str]]:
        return [(was.name, now.name) for was, now in self.kept() if was.name != now.name]

    def kept(self) -> list[tuple[Column, Column]]:
        """Columns that stay, as they were and as they are to be."""
        known = {column.key: column for column in self.old.columns}
        return [(known[now.key], now) for now in self.new.columns if now.key in known]

    def drop_lookups(self) -> list[str]:
        gone = lookup_indexes(self.old, self.dialect).keys() - lookup_indexes(self.new, self.dialect).keys()
        return [f"DROP INDEX IF EXISTS {self.quote(name)}" for name in sorted(gone)]

    def new_lookups(self) -> list[str]:
        known = lookup_indexes(self.old, self.dialect)
        made = lookup_indexes(self.new, self.dialect)
        return [statement for name, statement in made.items() if name not in known]

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

    def convert(self, column: Column) -> Sequence[str]:
        name, beside = self.quote(column.name), self.quote(_BESIDE + column.name)
        dialect = self.dialect
        value = dialect.list_from_one(name) if column.field.is_multiple else dialect.one_from_list(name)
        return [
            self.alter(f"ADD COLUMN {_column(_BESIDE + column.name, column, dialect)}"),
            f"UPDATE {self.quote(self.new.name)} SET {beside} = {value}",
            self.alter(f"DROP COLUMN {name}"),
            self.alter(f"RENAME COLUMN {beside} TO {name}"),
        ]

    def drop_indexes(self, kept: set[str]) -> list[str]:
        gone = [index for index in parse_indexes(self.old.indexes) if index.name.lower() not in kept]
        return [f"DROP INDEX IF EXISTS {self.quote(index.name)}" for index in gone]

    def kept_indexes(self) -> set[str]:
        """Names of the indexes that are the same before and after and speak of no column that changes."""
        changing = {was.lower() for was, _ in self.renamed()} | {column.name.lower() for column in self.dropped()}
        changing |= {self.old.by_id[column.field.id].name.lower() for column in self.converted()}
        changing |= self.respelled()
        wanted = {index.sql for index in _new_indexes(self.new, self.dialect)}
        same = [i for i in parse_indexes(self.old.indexes) if _create_index(i, self.new, self.dialect) in wanted]
        return {index.name.lower() for index in same if not mentioned(index) & changing}

    def respelled(self) -> set[str]:
        """Names, in lower case, that mean another column to indexes than they did."""
        was = {column.field.id: column.key for column in fingerprints(self.old).values()}
        now = {column.field.id: column.key for column in fingerprints(self.new).values()}
        return {f.name.lower() for f in self.old.fields if was.get(f.id) != now.get(f.id)}

    def alter(self, change: str) -> str:
        return f"ALTER TABLE {self.quote(self.new.name)} {change}"

    def quote(self, name: str) -> str:
        return self.dialect.quote(name)
