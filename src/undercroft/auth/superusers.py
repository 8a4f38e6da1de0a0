"""Superusers, as the command line makes and ends them, also beside a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from undercroft.auth.password import WithPasswords
from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.password import PasswordField
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction, UniqueViolation
from undercroft.dates import now
from undercroft.errors import FieldError, Invalid, NotFound
from undercroft.files.local import LocalStore
from undercroft.ids import record_id
from undercroft.query.plan import Plans
from undercroft.query.scope import GUEST
from undercroft.records.access import Access
from undercroft.records.accounts import new_token_key
from undercroft.records.record import find_record, to_row
from undercroft.records.write import Writer


class UnknownSuperuser(NotFound):
    """No superuser has that address."""

    code = "unknown_superuser"

    def __init__(self, email: str) -> None:
        super().__init__(f"No superuser has the e-mail address {email!r}.")


class WithRecords(WithPasswords, Protocol):
    """What records are written with."""

    @property
    def plans(self) -> Plans: ...

    @property
    def files(self) -> LocalStore: ...


TAKEN: Final = FieldError("validation_not_unique", "Value must be unique.")


async def create_superuser(backend: WithPasswords, email: str, password: str) -> str:
    """A new superuser's id. Raises `Invalid` for a bad or taken address or a bad password."""
    collection, dialect = backend.catalog.superusers, backend.engine.dialect
    _check(collection, email, password)
    record = _new_record(collection, email, await backend.passwords.hash(password))
    columns = ", ".join(dialect.quote(field.name) for field in collection.fields)
    places = ", ".join(dialect.placeholder(n) for n, _ in enumerate(collection.fields, 1))
    sql = f"INSERT INTO {dialect.quote(collection.name)} ({columns}) VALUES ({places})"

    async def insert(tx: Transaction) -> None:
        await tx.run(sql, to_row(collection, record))
        await append_change(tx, dialect, Change("record", collection.id, record["id"], "create"))

    try:
        await backend.engine.write(insert)
    except UniqueViolation:
        raise Invalid({"email": TAKEN}) from None
    return str(record["id"])


async def update_superuser(backend: WithPasswords, email: str, password: str) -> None:
    """Give a superuser a new password; every token they had is worthless from then on.

    Raises `UnknownSuperuser` and `Invalid`.
    """
    collection, dialect = backend.catalog.superusers, backend.engine.dialect
    _check(collection, email, password)
    changed = _moments(collection, is_new=False) | {
        "password": await backend.passwords.hash(password),
        "tokenKey": new_token_key(),
    }
    sql = _update_by_email(dialect, collection, changed)

    async def change(tx: Transaction) -> None:
        rows = await tx.run(sql, [*changed.values(), email])
        if not rows:
            raise UnknownSuperuser(email)
        await append_change(tx, dialect, Change("record", collection.id, str(rows[0][0]), "update"))

    await backend.engine.write(change)


async def upsert_superuser(backend: WithPasswords, email: str, password: str) -> None:
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

    async def delete(tx: Transaction) -> None:
        record = await find_record(tx.run, dialect, collection, {"email": email})
        if record is None:
            raise UnknownSuperuser(email)
        access = Access(tx.run, backend.plans, backend.catalog, GUEST)
        await Writer(access, tx, backend.files).remove(collection, record)

    await backend.engine.write(delete)


def _check(collection: Collection, email: str, password: str) -> None:
    field = collection.by_name["password"]
    found = {
        "email": collection.by_name["email"].check(email),
        "password": field.check_plain(password) if isinstance(field, PasswordField) else None,
    }
    errors = {name: error for name, error in found.items() if error}
    if errors:
        raise Invalid(errors)


def _new_record(collection: Collection, email: str, password_hash: str) -> Mapping[str, Any]:
    own = {"id": record_id(), "email": email, "password": password_hash, "tokenKey": new_token_key(), "verified": True}
    return {field.name: field.zero for field in collection.fields} | _moments(collection, is_new=True) | own


def _moments(collection: Collection, *, is_new: bool) -> dict[str, str]:
    """The autodate fields that a create or an update sets."""
    moment = now()
    dates = [field for field in collection.fields if isinstance(field, AutodateField)]
    return {field.name: moment for field in dates if (field.on_create if is_new else field.on_update)}


def _update_by_email(dialect: Dialect, collection: Collection, names: Mapping[str, Any]) -> str:
    assigned = ", ".join(f"{dialect.quote(name)} = {dialect.placeholder(n)}" for n, name in enumerate(names, 1))
    where = f"{dialect.quote('email')} = {dialect.placeholder(len(names) + 1)}"
    return f"UPDATE {dialect.quote(collection.name)} SET {assigned} WHERE {where} RETURNING {dialect.quote('id')}"
