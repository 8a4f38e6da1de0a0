"""Loading and saving collections: the operations behind the endpoints.

Each runs in one transaction; when it is durable, its catalog becomes the current one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from undercroft.collections.catalog import Catalog, CatalogHolder
from undercroft.collections.change import RuleCheck
from undercroft.collections.cipher import Keys
from undercroft.collections.collection import Collection
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.prepare import prepare_change, prepare_new
from undercroft.collections.session import SchemaRefused, Session, check_ids, read_catalog
from undercroft.collections.stored import TABLE, reseal_options
from undercroft.collections.system import initial_collections
from undercroft.collections.transfer import ImportFailed, Pair, plan_import, refused
from undercroft.collections.view_shape import ViewShape
from undercroft.collections.views import plain_query, read_view, spell_view
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.positions import hold_position
from undercroft.dates import now
from undercroft.errors import BadRequest, Invalid, NotFound

T = TypeVar("T")
Judge = Callable[[Collection], Awaitable[Collection]]
Put = Callable[[Collection], Awaitable[None]]


SealChange = Callable[[Transaction, Collection], Awaitable[Collection | None]]


class DeleteRefused(BadRequest):
    """The collection is needed: by the system, or by relations of others."""

    code = "collection_delete_refused"
    default = "Failed to delete collection."


class Around(Protocol):
    """What is done around changes of collections: by hooks."""

    async def run(self, whole: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a change in a transaction."""
        ...

    async def save(self, old: Collection | None, new: Collection, judge: Judge, put: Put) -> Collection:
        """Judge and put a collection; the collection as it was put."""
        ...

    async def remove(self, old: Collection, remove: Put) -> None:
        """Remove a collection."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """Where collections are kept, how rules are judged, and what is done around changes, if anything is."""

    engine: Engine
    holder: CatalogHolder
    check_rule: RuleCheck
    around: Around | None = None

    async def save(self, old: Collection | None, new: Collection, judge: Judge, put: Put) -> Collection:
        """Judge and put a collection; the collection as it was put. Raises what these raise."""
        if self.around is not None:
            return await self.around.save(old, new, judge, put)
        judged = await judge(new)
        await put(judged)
        return judged

    async def remove(self, session: Session, old: Collection) -> None:
        """Remove a collection. Raises `SchemaRefused`."""
        await (session.remove(old) if self.around is None else self.around.remove(old, session.remove))


async def load_catalog(engine: Engine, keys: Keys | None = None) -> Catalog:
    """All collections as the database has them; `keys` open what is encrypted in their records."""
    return await read_catalog(engine.read, engine.dialect, keys)


async def ensure_system_collections(engine: Engine, keys: Keys | None = None) -> None:
    """Make the collections that every data directory begins with, where there are none yet.

    In those that an older program made the token keys of accounts begin to be encrypted.
    """

    async def operation(tx: Transaction) -> None:
        session = await Session.begin(tx, engine.dialect, lambda *_: None, keys)
        if any(session.catalog):
            await session.seal_all()
            return
        moment = now()
        for collection in initial_collections():
            new = await session.with_seals(None, replace(collection, created=moment, updated=moment))
            await session.put(None, new)

    await engine.write(operation, alone=True)


async def create_collection(store: Store, body: Mapping[str, Any]) -> Collection:
    """Make a collection. Raises `BadDefinition`, `Invalid` and `SchemaRefused`."""

    async def operation(session: Session) -> Collection:
        new = prepare_new(body, session.catalog)
        return await store.save(None, new, partial(session.judge, None), partial(session.put, None))

    return await _run(store, operation)


async def adopt_collection(store: Store, body: Mapping[str, Any]) -> Collection:
    """Make a collection over the table of its name, whose data stay as they are. Raises `Invalid` and `SqlError`."""

    async def operation(session: Session) -> Collection:
        session.tables -= {str(body["name"]).lower()}
        new = await session.judge(None, prepare_new(body, session.catalog))
        await session.adopt(new)
        return new

    return await _run(store, operation)


async def update_collection(store: Store, name: str, body: Mapping[str, Any]) -> Collection:
    """Change a collection. Raises `NotFound`, `BadDefinition`, `Invalid` and `SchemaRefused`."""

    async def operation(session: Session) -> Collection:
        old = _find(session, name)
        new = prepare_change(old, body)
        return await store.save(old, new, partial(session.judge, old), partial(session.put, old))

    return await _run(store, operation)


async def delete_collection(store: Store, name: str) -> Collection:
    """Delete a collection with its records. Raises `NotFound`, `DeleteRefused` and `SchemaRefused`."""

    async def operation(session: Session) -> Collection:
        old = _find(session, name)
        if old.system:
            raise DeleteRefused
        referring = _referring(session.catalog, old)
        if referring:
            names = ", ".join(referring)
            raise DeleteRefused(f"Failed to delete collection probably due to existing reference in {names}.")
        await store.remove(session, old)
        return old

    return await _run(store, operation)


async def import_collections(store: Store, items: Sequence[Mapping[str, Any]], *, delete_missing: bool) -> None:
    """Save many definitions at once. Raises `ImportFailed`."""

    async def operation(session: Session) -> None:
        plan = plan_import(items, session.catalog, delete_missing=delete_missing)
        for collection in plan.removed:
            await store.remove(session, collection)
        session.catalog = session.catalog.put(*[await session.with_seals(pair.old, pair.new) for pair in plan.tables])
        for pair in [*plan.tables, *plan.views]:
            await _import_one(store, session, pair)

    try:
        await _run(store, operation)
    except SchemaRefused as error:
        raise ImportFailed(f"Failed to import the collections configuration. Raw error:\n{error}") from error


async def change_seals(store: Store, collection_id: str, change: SealChange) -> bool:
    """Change how far fields of a collection are encrypted, within a transaction; whether anything was changed.

    `change` gives the collection as it is to be, or None to leave everything as it is.
    """

    async def operation(session: Session) -> bool:
        old = session.catalog.find(collection_id)
        new = await change(session.tx, old) if old is not None else None
        if old is not None and new is not None:
            await session.put(old, new)
        return new is not None

    return await _run(store, operation)


async def reseal_collections(tx: Transaction, dialect: Dialect) -> None:
    """Seal what is secret in definitions with the key that seals now; they stay what they are.

    Raises `DecryptionFailed` and its kin, and `KeysUnavailable`.
    """
    await hold_position(tx, dialect, "collection")
    mark = dialect.placeholder
    sql = f'UPDATE "{TABLE}" SET "options" = {mark(1)} WHERE "id" = {mark(2)}'
    for key, options in await tx.run(f"""SELECT "id", "options" FROM "{TABLE}" WHERE "type" = 'auth'"""):
        await tx.run(sql, (reseal_options(str(key), str(options), tx.texts), key))


async def dry_run_view(engine: Engine, catalog: Catalog, query: str) -> ViewShape:
    """What a view with that query would show; nothing is saved."""
    plain = plain_query(query)
    shape = read_view(plain, catalog)
    if shape.reason:
        return shape
    return await check_ids(engine.read, spell_view(plain, catalog, engine.dialect), shape)


async def _import_one(store: Store, session: Session, pair: Pair) -> None:
    async def judge(new: Collection) -> Collection:
        try:
            return await session.judge(pair.old, new)
        except Invalid as error:
            raise refused(new, error.data) from error

    async def put(new: Collection) -> None:
        try:
            await session.put(pair.old, new)
        except Invalid as error:
            raise Invalid(error.data, "Failed to import collections.") from error

    await store.save(pair.old, pair.new, judge, put)


async def _run(store: Store, operation: Callable[[Session], Awaitable[T]]) -> T:
    """Run an operation in a transaction of its own and make its catalog the current one."""

    async def whole(tx: Transaction) -> T:
        session = await Session.begin(tx, store.engine.dialect, store.check_rule, store.holder.current.keys)
        result = await operation(session)
        await session.refresh_views()
        catalog = await session.finish()
        tx.after_commit(partial(store.holder.swap, catalog))
        return result

    return await (store.engine.write(whole, alone=True) if store.around is None else store.around.run(whole))


def _find(session: Session, name: str) -> Collection:
    found = session.catalog.find(name)
    if found is None:
        raise NotFound
    return found


def _referring(catalog: Catalog, collection: Collection) -> list[str]:
    """Names of the other collections with a relation to one."""
    return [
        other.name
        for other in catalog
        if other.id != collection.id
        and any(isinstance(field, RelationField) and field.collection_id == collection.id for field in other.fields)
    ]
