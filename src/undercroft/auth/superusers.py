"""Superusers, as the command line makes and ends them, also beside a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from undercroft.auth.password import WithPasswords
from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.database.engine import Transaction
from undercroft.errors import Invalid, NotFound
from undercroft.records.access import Access
from undercroft.records.draft import Draft
from undercroft.records.host import Host, Work
from undercroft.records.involvement import Action
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.record import find_record
from undercroft.records.saving import Operation, involved, transact
from undercroft.records.unit import Unit
from undercroft.records.write import Writer

T = TypeVar("T")


class UnknownSuperuser(NotFound):
    """No superuser has that address."""

    code = "unknown_superuser"

    def __init__(self, email: str) -> None:
        super().__init__(f"No superuser has the e-mail address {email!r}.")


class WithRecords(WithPasswords, Host, Protocol):
    """What records are written with."""


async def create_superuser(backend: WithRecords, email: str, password: str) -> str:
    """A new superuser's id. Raises `Invalid` for a bad or taken address or a bad password."""
    collection = backend.catalog.superusers
    _check(collection, email, password)
    prepared = await _prepare(backend, None, {"email": email, **_twice(password)})

    async def create(tx: Transaction, unit: Unit | None) -> Draft:
        return await _writer(backend, tx, unit).create(collection, prepared)

    draft = await _transact(backend, "create", create)
    return str(draft.values["id"])


async def update_superuser(backend: WithRecords, email: str, password: str) -> None:
    """Give a superuser a new password; every token they had is worthless from then on.

    Raises `UnknownSuperuser`, `Invalid` and `ChangedMeanwhile`.
    """
    collection = backend.catalog.superusers
    _check(collection, email, password)
    record = await find_record(backend.engine.read, backend.engine.dialect, collection, {"email": email})
    if record is None:
        raise UnknownSuperuser(email)
    prepared = await _prepare(backend, record["id"], _twice(password))

    async def update(tx: Transaction, unit: Unit | None) -> None:
        await _writer(backend, tx, unit).update(collection, record["id"], prepared)

    try:
        await _transact(backend, "update", update)
    except NotFound:
        raise UnknownSuperuser(email) from None


async def upsert_superuser(backend: WithRecords, email: str, password: str) -> None:
    """See that a superuser has that address and password, new or not. Raises `Invalid`."""
    try:
        await update_superuser(backend, email, password)
    except UnknownSuperuser:
        await create_superuser(backend, email, password)


async def delete_superuser(backend: WithRecords, email: str) -> None:
    """End a superuser and what hangs on them.

    Raises `UnknownSuperuser`, `LastSuperuser` for the only one, and `DeleteRefused`
    when a record must not be without them.
    """
    collection, dialect = backend.catalog.superusers, backend.engine.dialect

    async def delete(tx: Transaction, unit: Unit | None) -> None:
        record = await find_record(tx.run, dialect, collection, {"email": email})
        if record is None:
            raise UnknownSuperuser(email)
        await _writer(backend, tx, unit).remove(collection, record)

    await _transact(backend, "delete", delete)


def _check(collection: Collection, email: str, password: str) -> None:
    field = collection.by_name["password"]
    found = {
        "email": collection.by_name["email"].check(email),
        "password": field.check_plain(password) if isinstance(field, PasswordField) else None,
    }
    errors = {name: error for name, error in found.items() if error}
    if errors:
        raise Invalid(errors)


def _twice(password: str) -> dict[str, str]:
    return {"password": password, "passwordConfirm": password}


async def _prepare(backend: WithRecords, record_id: str | None, body: Mapping[str, Any]) -> Prepared:
    desk = Desk(Access.of_system(backend), backend.passwords)
    return await prepare_write(desk, backend.catalog.superusers, record_id, body, {})


async def _transact(backend: WithRecords, action: Action, operation: Operation[T]) -> T:
    work = Work(backend)
    return await transact(work, involved(work, (action, backend.catalog.superusers)), operation)


def _writer(backend: WithRecords, tx: Transaction, unit: Unit | None) -> Writer:
    return Writer(Access.of_system(backend).through(tx.run), tx, unit)
