"""What the server keeps about accounts, as records of its own collections: codes, second factors, origins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from undercroft.auth.superusers import WithRecords
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.dates import render_date
from undercroft.query.scope import Identity
from undercroft.records.access import Access
from undercroft.records.prepare import Desk, Hasher, Prepared, prepare_write
from undercroft.records.record import Run, from_row, select_columns
from undercroft.records.write import Writer

_AT_ONCE = 500
_OWNER = '"collectionRef" = {0} AND "recordRef" = {1}'


async def prepare_kept(
    backend: WithRecords, name: str, account: Identity, values: Mapping[str, Any], hasher: Hasher | None = None
) -> Prepared:
    """Get a record about an account ready to be kept: its secrets are hashed now."""
    desk = Desk(Access.of_system(backend), hasher or backend.passwords)
    owner = {"collectionRef": account.collection.id, "recordRef": account.id}
    return await prepare_write(desk, backend.catalog.collection(name), None, owner | dict(values), {})


async def keep(backend: WithRecords, tx: Transaction, name: str, prepared: Prepared) -> None:
    """Keep it."""
    await Writer(Access.of_system(backend).through(tx.run), tx).create(backend.catalog.collection(name), prepared)


async def drop(backend: WithRecords, tx: Transaction, name: str, record: Mapping[str, Any]) -> None:
    """Keep it no longer."""
    await Writer(Access.of_system(backend).through(tx.run), tx).remove(backend.catalog.collection(name), record)


async def load_kept(run: Run, backend: WithRecords, name: str, account: Identity) -> list[dict[str, Any]]:
    """The records of that collection about an account, newest first."""
    return await load_kept_of(run, backend, name, (account.collection.id, account.id))


async def load_kept_of(run: Run, backend: WithRecords, name: str, owner: tuple[str, str]) -> list[dict[str, Any]]:
    """The same, by the ids of a collection and of an account that may be there or not."""
    collection, dialect = backend.catalog.collection(name), backend.engine.dialect
    is_owner = _OWNER.format(dialect.placeholder(1), dialect.placeholder(2))
    columns = select_columns(collection, dialect)
    sql = f'SELECT {columns} FROM {dialect.quote(name)} WHERE {is_owner} ORDER BY "created" DESC, "id" DESC'
    return [await from_row(run, collection, row) for row in await run(sql, owner)]


def is_younger(record: Mapping[str, Any], seconds: float) -> bool:
    """Whether a record was made less than so many seconds ago."""
    return bool(record["created"] > _moment(seconds))


async def has_expired(engine: Engine, catalog: Catalog) -> bool:
    """Whether a code or a half-done log-in is kept that has expired."""
    for sql, values in _expired(engine.dialect, catalog, 1):
        if await engine.read(sql, values):
            return True
    return False


async def forget_expired(tx: Transaction, dialect: Dialect, catalog: Catalog) -> None:
    """Forget codes and half-done log-ins that have expired, not too many at once."""
    for sql, values in _expired(dialect, catalog, _AT_ONCE):
        for name, record_id in await tx.run(sql, values):
            collection = catalog.collection(str(name))
            await tx.run(
                f'DELETE FROM {dialect.quote(collection.name)} WHERE "id" = {dialect.placeholder(1)}', (record_id,)
            )
            await append_change(tx, dialect, Change("record", collection.id, str(record_id), "delete"))


def _expired(dialect: Dialect, catalog: Catalog, limit: int) -> Sequence[tuple[str, tuple[str, str]]]:
    """A statement for each collection and kind that gives names and ids of what has expired."""
    mark = dialect.placeholder
    return [
        (
            f"""SELECT '{name}', "id" FROM {dialect.quote(name)}
                WHERE "collectionRef" = {mark(1)} AND "created" < {mark(2, "date")} LIMIT {limit}""",
            (collection.id, _moment(seconds)),
        )
        for collection in catalog
        for name, seconds in _lifetimes(collection)
    ]


def _lifetimes(collection: Collection) -> Sequence[tuple[str, int]]:
    auth = collection.auth
    return (("_otps", auth.otp.duration), ("_mfas", auth.mfa.duration)) if auth is not None else ()


def _moment(seconds: float) -> str:
    return render_date(datetime.now(UTC) - timedelta(seconds=seconds))
