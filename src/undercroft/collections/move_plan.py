"""What is to be moved into another database, and the statements that make it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.indexes import mentioned
from undercroft.collections.tables import NewIndex, lookup_indexes, plan_table, spelled
from undercroft.collections.views import plain_query, read_view, view_statement
from undercroft.collections.watches import watches_of
from undercroft.database.dialect import Dialect
from undercroft.database.moved import HOUSE_TABLES, NOT_MOVED, MovedColumn, MovedIndex, MovedTable, MovedView, MovePlan

_HOUSE: Final = frozenset(table.name for table in HOUSE_TABLES) | NOT_MOVED


def plan_move(catalog: Catalog, tables: Iterable[str], target: Dialect) -> MovePlan:
    """The plan for all collections, in an order in which each comes behind those it refers to.

    `tables` are the names of all tables of the source.
    """
    ordered = [collection for collection in in_order(catalog) if not collection.is_view]
    known = _HOUSE | {collection.name for collection in catalog}
    return MovePlan(
        tables=(*HOUSE_TABLES, *(_table(collection, target) for collection in ordered)),
        views=tuple(MovedView(view.name, view_statement(view, catalog, target)) for view in _views(catalog)),
        left=tuple(sorted(name for name in tables if name not in known)),
    )


def in_order(catalog: Catalog) -> list[Collection]:
    """System collections first, and each behind those its relations point to, as far as they go in no circle."""
    ordered: dict[str, Collection] = {}
    pending: set[str] = set()

    def visit(collection: Collection) -> None:
        if collection.id in ordered or collection.id in pending:
            return
        pending.add(collection.id)
        for field in collection.fields:
            related = catalog.find(field.collection_id) if isinstance(field, RelationField) else None
            if related is not None:
                visit(related)
        ordered[collection.id] = collection

    for collection in sorted(catalog, key=lambda each: not each.system):
        visit(collection)
    return list(ordered.values())


def _table(collection: Collection, target: Dialect) -> MovedTable:
    plan = plan_table(None, collection, target)
    return MovedTable(
        name=collection.name,
        columns=tuple(MovedColumn(each.name, each.kind, each.kind == "bytes") for each in collection.columns),
        create=plan.statements[0],
        indexes=(
            *(_index(new, collection) for new in plan.indexes),
            *_lookups(collection, target),
            *(MovedIndex(watch.name, target.begin_watch(watch)) for watch in watches_of(collection)),
        ),
    )


def _lookups(collection: Collection, target: Dialect) -> Iterator[MovedIndex]:
    """The indexes of fingerprints, which no definition names."""
    for name, sql in lookup_indexes(collection, target).items():
        yield MovedIndex(name, sql, (name.removeprefix(f"{collection.id}~"),))


def _index(new: NewIndex, collection: Collection) -> MovedIndex:
    index, names = spelled(new.index, collection), {column.name.lower(): column.name for column in collection.columns}
    columns = tuple(names[name] for name in sorted(mentioned(index)) if name in names)
    is_plain = not index.where and not any(column.is_expression or column.collate for column in index.columns)
    return MovedIndex(index.name, new.sql, columns, tells_apart=index.is_unique and is_plain)


def _views(catalog: Catalog) -> Iterator[Collection]:
    """Views, each behind those it reads from."""
    waiting = {view.name.lower(): view for view in catalog if view.is_view}
    reads = {name: read_view(plain_query(view.view_query), catalog).tables for name, view in waiting.items()}
    while waiting:
        ready = [name for name in waiting if not (reads[name] & waiting.keys()) - {name}] or list(waiting)
        for name in ready:
            yield waiting.pop(name)
