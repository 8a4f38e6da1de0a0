"""Putting a demo's collections and first records into an empty data directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from undercroft.backend import Backend
from undercroft.collections.store import Store, import_collections
from undercroft.database.engine import Transaction
from undercroft.records.access import Access
from undercroft.records.prepare import Desk, prepare_write
from undercroft.records.rules import check_rule
from undercroft.records.write import Writer

Row = Mapping[str, Any]


async def plant_collections(backend: Backend, definitions: bytes) -> None:
    """Make the collections that JSON defines, or bring them to what it says."""
    items = msgspec.json.decode(definitions)
    store = Store(backend.engine, backend.catalogs, partial(check_rule, dialect=backend.engine.dialect))
    await import_collections(store, items, delete_missing=False)


async def plant(backend: Backend, collection_name: str, rows: Iterable[Row]) -> None:
    """Store records in one transaction, each checked as any other."""
    collection = backend.catalog.collection(collection_name)
    desk = Desk(Access.of_system(backend), backend.passwords)
    prepared = [await prepare_write(desk, collection, None, row, {}) for row in rows]

    async def operation(tx: Transaction) -> None:
        writer = Writer(Access.of_system(backend).through(tx.run), tx)
        for each in prepared:
            await writer.create(collection, each)

    await backend.engine.write(operation)


async def change(backend: Backend, collection_name: str, changes: Mapping[str, Row]) -> None:
    """Change records, by their ids, in one transaction."""
    collection = backend.catalog.collection(collection_name)
    desk = Desk(Access.of_system(backend), backend.passwords)
    prepared = {key: await prepare_write(desk, collection, key, row, {}) for key, row in changes.items()}

    async def operation(tx: Transaction) -> None:
        writer = Writer(Access.of_system(backend).through(tx.run), tx)
        for key, each in prepared.items():
            await writer.update(collection, key, each)

    await backend.engine.write(operation)
