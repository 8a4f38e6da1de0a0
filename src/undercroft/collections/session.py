"""Changing collections inside one transaction.

A session reads the catalog as the transaction sees it, and from then on keeps it:
every step judges a change against it, alters tables, writes the definition and
ends in an entry of the change log. Whatever raises undoes the whole session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from undercroft.collections.catalog import Catalog
from undercroft.collections.change import Change, RuleCheck
from undercroft.collections.check_indexes import build_error
from undercroft.collections.cipher import Keys
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import changes_encryption, needed_keys, settled_catalog, with_seals
from undercroft.collections.fields.encrypted import encryption_of
from undercroft.collections.stored import COLUMNS, TABLE, from_row, has_clear_secrets, to_row
from undercroft.collections.system import OF_ACCOUNTS
from undercroft.collections.tables import TablePlan, drop_table, drop_view, plan_table
from undercroft.collections.validate import check_change
from undercroft.collections.view_shape import ViewShape, same_fields
from undercroft.collections.views import (
    plain_query,
    read_view,
    rename_in_view,
    speaks_of,
    spell_view,
    view_statement,
)
from undercroft.database.changes import Change as Entry
from undercroft.database.changes import append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import SqlError, Transaction, UniqueViolation
from undercroft.database.positions import Read, hold_position, load_positions
from undercroft.database.statements import delete_rows, forget_account
from undercroft.encryption.failures import KeysUnavailable
from undercroft.errors import BadRequest, Invalid
from undercroft.files.ledger import doom_files

Verb = Literal["create", "update", "delete"]
_SAMPLE = 10
_RESERVED = ("sqlite_", "pg_")  # each engine keeps one to itself; data shall be able to move to the other


class SchemaRefused(BadRequest):
    """The database, or a view that reads from the collection, stands against the change."""

    code = "schema_refused"


@dataclass(slots=True)
class Session:
    """One transaction that changes collections; make it with `begin`."""

    tx: Transaction
    dialect: Dialect
    check_rule: RuleCheck
    catalog: Catalog
    tables: frozenset[str]
    keys: Keys | None = None

    @classmethod
    async def begin(cls, tx: Transaction, dialect: Dialect, check_rule: RuleCheck, keys: Keys | None) -> Session:
        """A session in an open transaction; `keys` are for what is encrypted."""
        await hold_position(tx, dialect, "collection")
        catalog = await read_catalog(tx.run, dialect, keys)
        names = {str(name).lower() for (name,) in await tx.run(dialect.list_tables())}
        return cls(tx, dialect, check_rule, catalog, frozenset(names - {c.name.lower() for c in catalog}), keys)

    async def judge(self, old: Collection | None, new: Collection) -> Collection:
        """The collection as it will be saved; the fields of a view come from its query. Raises `Invalid`."""
        shape = ViewShape()
        if new.is_view and new.view_query:
            shape = await self.shape_of(new)
            new = replace(new, fields=shape.fields)
        new = await self.with_seals(old, new)
        catalog = settled_catalog(self.catalog.put(new))
        change = Change(new, old, catalog, self.check_rule, self.tables, shape.reason)
        errors = check_change(change)
        if errors:
            raise Invalid(errors, f"Failed to {_verb(old)} collection.")
        if old is not None and changes_encryption(old, new):
            self._require_sight(old, new)
        return new

    async def put(self, old: Collection | None, new: Collection) -> None:
        """Make or change the table or view of a judged collection, and write its definition."""
        if new.name.lower().startswith(_RESERVED):
            raise SchemaRefused(
                f"Failed to {_verb(old)} collection. Raw error: {new.name!r} is a name of the database."
            )
        await self._make_keys(new)
        try:
            await (self._put_view(old, new) if new.is_view else self._put_table(old, new))
        except SqlError as error:
            raise SchemaRefused(f"Failed to {_verb(old)} collection. Raw error: {error.detail}") from error
        if old is not None:
            await self._end_keys(old, new)
            await self._require_dependants(old, "update")
            if _loses_files(old, new):
                await doom_files(self.tx, self.dialect, [f"{old.id}/"])
        await self._write(old, new)
        self.catalog = self.catalog.put(new)
        await self._log(new, "create" if old is None else "update")

    async def seal_all(self) -> None:
        """Begin to encrypt what is to be encrypted and is not, as in what an older program left."""
        kept = {str(row[0]): row[1] for row in await self.tx.run(f'SELECT "id", "options" FROM "{TABLE}"')}
        for old in list(self.catalog) if self.keys is not None else ():
            new = old if old.is_view else with_seals(old, old, is_empty=not await self._has_records(old))
            if new.seals.keys() != old.seals.keys():
                await self.put(old, new)
            elif has_clear_secrets(old.id, kept[old.id]):
                await self._write(old, old)

    async def adopt(self, new: Collection) -> None:
        """Write the definition of a judged collection over a table that is there already."""
        hidden = self.dialect.insertion_column().removeprefix(", ")
        if hidden:
            await self.tx.run(f"ALTER TABLE {self.dialect.quote(new.name)} ADD COLUMN {hidden}")
        await self._write(None, new)
        self.catalog = self.catalog.put(new)
        await self._log(new, "create")

    async def remove(self, old: Collection) -> None:
        """End the table or view of a collection and its definition. Raises `SchemaRefused`."""
        await self.tx.run(drop_view(old.name, self.dialect) if old.is_view else drop_table(old, self.dialect))
        await self.tx.run(f'DELETE FROM "{TABLE}" WHERE "id" = {self.dialect.placeholder(1)}', [old.id])
        if old.is_auth:
            await self._forget_accounts(old)
        if not old.is_view:
            await doom_files(self.tx, self.dialect, [f"{old.id}/"])
        self.catalog = self.catalog.without(old.id)
        await self._require_dependants(old, "delete")
        await self._log(old, "delete")

    async def refresh_views(self) -> None:
        """Give views whose columns are something else now the fields that follow from them."""
        for view in [collection for collection in self.catalog if collection.is_view]:
            shape = read_view(plain_query(view.view_query), self.catalog)
            known = {collection.name.lower() for collection in self.catalog} | self.tables
            if not shape.reason and shape.tables <= known and not same_fields(shape.fields, view.fields):
                changed = replace(view, fields=shape.fields)
                await self._write(view, changed)
                self.catalog = self.catalog.put(changed)
                await self._log(changed, "update")

    async def finish(self) -> Catalog:
        """The catalog as it will be once the transaction is durable."""
        version = (await load_positions(self.tx.run))["collection"]
        return Catalog(self.catalog, version, self.catalog.keys)

    async def shape_of(self, view: Collection) -> ViewShape:
        """What the query of a view yields, or the reason why the database or its ids refuse it."""
        query = plain_query(view.view_query)
        shape = read_view(query, self.catalog)
        if shape.reason:
            return shape
        return await check_ids(self.tx.run, spell_view(query, self.catalog, self.dialect), shape)

    async def with_seals(self, old: Collection | None, new: Collection) -> Collection:
        """The new definition with how far its encrypted fields will be once it is put."""
        if new.is_view:
            return new
        if self.keys is None and not any(map(encryption_of, new.fields)):
            return replace(new, seals={} if old is None else old.seals)
        is_empty = changes_encryption(old, new) and old is not None and not await self._has_records(old)
        return with_seals(old, new, is_empty=is_empty)

    async def _has_records(self, collection: Collection) -> bool:
        return bool(await self.tx.run(f"SELECT 1 FROM {self.dialect.quote(collection.name)} LIMIT 1"))

    async def _make_keys(self, new: Collection) -> None:
        for needed in needed_keys(new):
            if self.keys is None:
                raise KeysUnavailable
            if not self.keys.has(needed.purpose, needed.scope):
                await self.keys.make(self.tx, self.dialect, needed.purpose, needed.scope, needed.algorithm)

    async def _put_table(self, old: Collection | None, new: Collection) -> None:
        plan = plan_table(old, new, self.dialect)
        if old is not None and plan.moves_names:
            await self._put_beside_views(old, new, plan)
        else:
            await self._run(plan.statements)
        await self._build_indexes(plan, _verb(old))

    async def _put_beside_views(self, old: Collection, new: Collection, plan: TablePlan) -> None:
        """Change a table while no view looks, and give the views its new names."""
        made = {str(name): str(sql) for name, sql in await self.tx.run(self.dialect.list_views())}
        await self._run(drop_view(name, self.dialect) for name in made)
        await self._run(plan.statements)
        for view in [collection for collection in self.catalog if collection.is_view]:
            followed = rename_in_view(view, old, new, self.catalog, self.dialect)
            if followed is not view:
                made[view.name] = view_statement(followed, self.catalog.put(new), self.dialect)
                await self._write(view, followed)
                self.catalog = self.catalog.put(followed)
        await self._run(made.values())

    async def _run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            await self.tx.run(statement)

    async def _build_indexes(self, plan: TablePlan, verb: Verb) -> None:
        for new in plan.indexes:
            try:
                await self.tx.run(new.sql)
            except (SqlError, UniqueViolation) as error:
                reason = error.detail if isinstance(error, SqlError) else error.message()
                errors = {str(new.position): build_error(new.index, reason)}
                raise Invalid({"indexes": errors}, f"Failed to {verb} collection.") from error

    async def _put_view(self, old: Collection | None, new: Collection) -> None:
        if old is not None:
            await self.tx.run(drop_view(old.name, self.dialect))
        await self.tx.run(view_statement(new, self.catalog, self.dialect))
        await self._probe(new)

    async def _require_dependants(self, old: Collection, verb: Verb) -> None:
        """Refuse a change that leaves a view without what it reads from."""
        await self._restore_views(old, verb)
        for view in self.catalog:
            if view.id == old.id or not speaks_of(view, old.name):
                continue
            try:
                await self._probe(view)
            except SqlError as error:
                text = f"Failed to {verb} collection: the view {view.name} reads from it. Raw error: {error.detail}"
                raise SchemaRefused(text) from error

    def _require_sight(self, old: Collection, new: Collection) -> None:
        """Refuse that a field is encrypted which a view shows."""
        after = self.catalog.put(replace(new, name=old.name))
        for view in [each for each in self.catalog if speaks_of(each, old.name)]:
            query = plain_query(view.view_query)
            reason = read_view(query, after).reason
            if reason and not read_view(query, self.catalog).reason:
                raise SchemaRefused(f"Failed to update collection: the view {view.name} reads from it, and {reason}.")

    async def _restore_views(self, old: Collection, verb: Verb) -> None:
        """Make the views anew that went with what they read from, each once those it reads from are there."""
        present = {str(name) for name, _ in await self.tx.run(self.dialect.list_views())}
        views = [view for view in self.catalog if view.is_view and view.id != old.id]
        missing = {view.name: view for view in views if view.name not in present}
        while missing:
            ready = [view for view in missing.values() if not any(speaks_of(view, name) for name in missing)]
            for view in ready or [next(iter(missing.values()))]:
                del missing[view.name]
                try:
                    await self.tx.run(view_statement(view, self.catalog, self.dialect))
                except SqlError as error:
                    text = f"Failed to {verb} collection: the view {view.name} reads from it. Raw error: {error.detail}"
                    raise SchemaRefused(text) from error

    async def _forget_accounts(self, old: Collection) -> None:
        """Remove what is kept beside accounts, lest it serve the accounts of a later collection with that id."""
        for beside in filter(None, map(self.catalog.by_name, OF_ACCOUNTS)):
            quote, mark = self.dialect.quote, self.dialect.placeholder(1)
            await self.tx.run(f"DELETE FROM {quote(beside.name)} WHERE {quote('collectionRef')} = {mark}", [old.id])
        await forget_account(self.tx.run, self.dialect, old.id)
        await delete_rows(self.tx.run, self.dialect, "_invitations", {"collection": old.id})

    async def _end_keys(self, old: Collection, new: Collection) -> None:
        """With another secret for tokens, sessions and API keys, which are bound to it as well, are worth nothing."""
        if old.auth is None or new.auth is None or old.auth.auth_token.secret == new.auth.auth_token.secret:
            return
        await delete_rows(self.tx.run, self.dialect, "_api_keys", {"collection": old.id})
        # Those that were ended are kept in mind: tokens for files that were had with them are signed by another secret.
        await delete_rows(self.tx.run, self.dialect, "_sessions", {"collection": old.id, "ended": 0})

    async def _probe(self, view: Collection) -> None:
        """Ask nothing of a view, which fails when it cannot be read."""
        await self.tx.run(f"SELECT 1 FROM {self.dialect.quote(view.name)} LIMIT 0")

    async def _write(self, old: Collection | None, new: Collection) -> None:
        marks = [self.dialect.placeholder(n) for n in range(1, len(COLUMNS) + 2)]
        names = [self.dialect.quote(name) for name in COLUMNS]
        if old is None:
            sql = f'INSERT INTO "{TABLE}" ({", ".join(names)}) VALUES ({", ".join(marks[:-1])})'
            await self.tx.run(sql, to_row(new, self.tx.texts))
            return
        sets = ", ".join(f"{name} = {mark}" for name, mark in zip(names, marks, strict=False))
        row = to_row(new, self.tx.texts)
        await self.tx.run(f'UPDATE "{TABLE}" SET {sets} WHERE "id" = {marks[-1]}', [*row, old.id])

    async def _log(self, collection: Collection, action: Verb) -> None:
        await append_change(self.tx, self.dialect, Entry("collection", collection.id, "", action))


async def read_catalog(read: Read, dialect: Dialect, keys: Keys | None = None) -> Catalog:
    """All collections as the database has them."""
    # Read before the rows, so that a catalog may be newer than it says, never older.
    version = (await load_positions(read))["collection"]
    columns = ", ".join(dialect.quote(name) for name in COLUMNS)
    rows = await read(f'SELECT {columns} FROM "{TABLE}" ORDER BY "created", "id"', ())
    return Catalog((from_row(row, keys) for row in rows), version, keys)


async def check_ids(read: Read, query: str, shape: ViewShape) -> ViewShape:
    """The shape, or one with the reason why the database or the first ids of the query refuse it.

    The query is in the words of the engine.
    """
    try:
        rows = await read(f'SELECT "id" FROM (\n{query}\n) AS "query" LIMIT {_SAMPLE}', ())
    except SqlError as error:
        return ViewShape(reason=error.detail)
    found = [value for (value,) in rows]
    if any(value is None or value == "" for value in found):
        return replace(shape, reason="the query could return records with empty or invalid ids")
    if len(set(map(str, found))) < len(found):
        return replace(shape, reason="the query could return records with non-unique ids")
    return shape


def _verb(old: Collection | None) -> Verb:
    return "create" if old is None else "update"


def _loses_files(old: Collection, new: Collection) -> bool:
    """Whether records may name fewer files after a change: a field is gone, or holds one where it held many."""
    left = {field.id: field for field in new.file_fields}
    return any(
        field.id not in left or (field.is_multiple and not left[field.id].is_multiple) for field in old.file_fields
    )
