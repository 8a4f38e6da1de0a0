"""Logging in with a password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sqlalchemy import ColumnClause, and_, bindparam, column, literal_column, select, table
from sqlalchemy.sql import ClauseElement

from undercroft.auth.accounts import Accounts
from undercroft.auth.password_guesses import Guess, Guesser, look_at
from undercroft.auth.passwords import PasswordPool
from undercroft.collections.collection import Collection
from undercroft.collections.fields.email import is_email
from undercroft.collections.indexes import parse_indexes, unique_column
from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect, Expression, Kind
from undercroft.database.engine import Transaction
from undercroft.encryption.normalise import normalise
from undercroft.errors import BadRequest
from undercroft.records.cipher import looked_up
from undercroft.records.record import find_record, from_row


class LoginFailed(BadRequest):
    """No such account, or not its password; which of them is nobody's business."""

    code = "login_failed"
    default = "Failed to authenticate."


class WithPasswords(Accounts, Protocol):
    """Accounts and what checks their passwords."""

    @property
    def passwords(self) -> PasswordPool: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who someone says to be, and the proof. `field` names the one field to look in."""

    identity: str
    password: str
    field: str = ""


async def log_in(
    backend: WithPasswords, collection: Collection, given: Credentials, guesser: Guesser
) -> dict[str, Any]:
    """The record behind the credentials. Raises `LoginFailed`, in the same time whatever was wrong.

    Raises `LoginsBusy`, and `TooManyGuesses` without looking at the password. A hash of an older make is replaced by
    one of ours.
    """
    with backend.passwords.entering():
        return await _log_in(backend, collection, given, guesser)


async def _log_in(
    backend: WithPasswords, collection: Collection, given: Credentials, guesser: Guesser
) -> dict[str, Any]:
    record = await find_account(backend, collection, given)
    stored = record["password"] if record else ""
    typed = normalise("casefold", given.identity.strip())
    guess = Guess(collection.id, record["id"] if record else f"nobody {typed}", typed, guesser)
    verify = partial(backend.passwords.verify, given.password, stored)
    verdict = await look_at(backend.engine, backend.passwords, guess, verify)
    if record is None or not verdict.ok:
        raise LoginFailed
    if verdict.needs_upgrade:
        await _upgrade_hash(backend, collection, record, given.password)
    return record


async def find_account(backend: Accounts, collection: Collection, given: Credentials) -> dict[str, Any] | None:
    """The record that one of the identity fields names, whoever asks."""
    for name in fields_to_try(collection, given):
        if name in collection.sealed_names:
            asked = {name: given.identity}
            found = await find_record(backend.engine.read, backend.engine.dialect, collection, asked)
            if found is not None and given.identity:
                return found
            continue
        sql = _login_sql(backend.engine.dialect, collection, name)
        if rows := await backend.engine.read(sql, [given.identity]):
            return await from_row(backend.engine.read, collection, rows[0])
    return None


async def find_account_id(backend: Accounts, collection: Collection, email: str) -> str | None:
    """The id of the account of an address, as logging in finds it, in the same time when there is none.

    Where nobody has the address, some other account is read instead: the same pages of the same indexes and table.
    """
    ((name, value),) = looked_up(collection, {"email": email}).items()
    rows = await backend.engine.read(_id_sql(backend.engine.dialect, collection, name), [value])
    return next((str(found) for found, is_it, _ in rows if is_it), None)


def fields_to_try(collection: Collection, given: Credentials) -> list[str]:
    """Where to look for an identity: `email` first, and only for what may be one."""
    if given.field:
        return [given.field]
    names = collection.auth.password_auth.identity_fields if collection.auth else ()
    others = [name for name in names if name != "email"]
    may_be_email = "email" in names and is_email(given.identity)
    return ["email", *others] if may_be_email else others


def _login_sql(dialect: Dialect, collection: Collection, name: str) -> str:
    """The statement that finds an account by a field; made once for a collection."""
    made: dict[Any, str] = collection.__dict__.setdefault("_login_sql", {})
    if (dialect, name) not in made:
        made[dialect, name], _ = dialect.render(_select_by(dialect, collection, name))
    return made[dialect, name]


def _id_sql(dialect: Dialect, collection: Collection, name: str) -> str:
    """The statement of `find_account_id` for a column; made once for a collection."""
    made: dict[Any, str] = collection.__dict__.setdefault("_id_sql", {})
    if (dialect, name) not in made:
        test, _ = dialect.render(and_(*_names(dialect, collection, _column(collection, name))))
        accounts, held = dialect.quote(collection.name), dialect.quote(name)
        made[dialect, name] = f"""
            WITH "named" AS (SELECT "id" FROM {accounts} WHERE {test} LIMIT 1)
            SELECT "id", "id" = (SELECT "id" FROM "named"), {held} FROM {accounts}
            WHERE "id" = COALESCE((SELECT "id" FROM "named"), (SELECT max("id") FROM {accounts}))
        """
    return made[dialect, name]


def _select_by(dialect: Dialect, collection: Collection, name: str) -> ClauseElement:
    rows = table(collection.name, *(_column(collection, each) for each in collection.read_columns.values()))
    return select(*rows.c).where(*_names(dialect, collection, rows.c[name])).limit(literal_column("1"))


def _column(collection: Collection, name: str) -> ColumnClause[Any]:
    """A field's column, or one of an encrypted field; it knows its type, without which no index serves."""
    field = collection.by_name.get(name)
    return column(name, Kind(field.column if field else "bytes"))


def _names(dialect: Dialect, collection: Collection, wanted: Expression) -> Sequence[Expression]:
    """What is true of the account that an identity field names, or the index of an encrypted one."""
    if wanted.name not in collection.by_name:
        return [wanted == bindparam("identity", type_=Kind("bytes"))]
    asked: Expression = bindparam("identity")
    if ignores_case(collection, wanted.name):
        test = dialect.ignoring_case(wanted) == dialect.ignoring_case(asked)
    else:
        test = wanted == asked
    # Identity fields have partial unique indexes, which serve only those who repeat their condition.
    return [test, wanted != literal_column("''")]


def ignores_case(collection: Collection, name: str) -> bool:
    """Whether the unique index on that field alone is NOCASE."""
    own = [index for index in parse_indexes(collection.indexes) if unique_column(index) == name.lower()]
    return any(index.columns[0].collate.upper() == "NOCASE" for index in own)


async def _upgrade_hash(
    backend: WithPasswords, collection: Collection, record: Mapping[str, Any], password: str
) -> None:
    """Put a new hash in place of the one just verified, unless somebody else was there first."""
    dialect, new = backend.engine.dialect, await backend.passwords.hash(password)
    quoted, old, record_id = dialect.quote("password"), record["password"], record["id"]
    where = f"{dialect.quote('id')} = {dialect.placeholder(2)} AND {quoted} = {dialect.placeholder(3)}"
    sql = f"UPDATE {dialect.quote(collection.name)} SET {quoted} = {dialect.placeholder(1)} WHERE {where} RETURNING 1"

    async def replace(tx: Transaction) -> None:
        if await tx.run(sql, [new, record_id, old]):
            await append_change(tx, dialect, Change("record", collection.id, record_id, "update"))

    await backend.engine.write(replace)
