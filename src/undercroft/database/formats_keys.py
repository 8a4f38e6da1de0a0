"""Steps of the data format for keys: what they are wrapped with, who has read them, what is done with them."""

from __future__ import annotations

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.formats_work import create_table
from undercroft.database.params import OVERWRITES, save_param

_NAME_TYPE = "TEXT PRIMARY KEY NOT NULL"
_COUNT_TYPE = "BIGINT NOT NULL DEFAULT 0"


async def keep_keys(tx: Transaction, dialect: Dialect) -> None:
    """Wrapped keys, what wraps them, and the processes that hold them."""
    text, number, date = (dialect.column_type(kind) for kind in ("text", "number", "date"))
    root = f'"id" {_NAME_TYPE}, "version" {_COUNT_TYPE}, "provider" {text}, "parameters" {text}, "check_value" {text}'
    await tx.run(f'CREATE TABLE "_roots" ({root}, "created" {date})')
    for table in ("_keys", "_subject_keys"):
        names = f'"id" {_NAME_TYPE}, "purpose" {text}, "scope" {text}, "key_id" {_COUNT_TYPE}, "state" {text}'
        wrapped = f'"algorithm" {text}, "wrapped" {text}, "root_version" {_COUNT_TYPE}, "check_value" {text}'
        counts = f'"uses" {_COUNT_TYPE}, "is_primary" {_COUNT_TYPE}, "destroy_after" {number}'
        await tx.run(f'CREATE TABLE "{table}" ({names}, {wrapped}, {counts}, "created" {date}, "updated" {date})')
        await tx.run(f'CREATE UNIQUE INDEX "{table}_of" ON "{table}" ("purpose", "scope", "key_id")')
    holder = f'"owner" {_NAME_TYPE}, "label" {text}, "revision" {_COUNT_TYPE}, "until" {number}'
    await tx.run(f'CREATE TABLE "_key_holders" ({holder})')
    texts = ", ".join(f'"{name}" {text}' for name in ("event", "purpose", "scope", "actor", "detail"))
    await tx.run(f'CREATE TABLE "_key_audit" ("id" {_NAME_TYPE}, {texts}, "key_id" {_COUNT_TYPE}, "at" {date})')
    await tx.run('CREATE INDEX "_key_audit_at" ON "_key_audit" ("at")')
    await tx.run("""INSERT INTO "_positions" ("kind", "position") VALUES ('keys', 0)""")


async def keep_erasures(tx: Transaction, dialect: Dialect) -> None:
    """Keys of people and tenants are found by their ids; who of them was erased."""
    await tx.run('CREATE UNIQUE INDEX "_subject_keys_id" ON "_subject_keys" ("key_id")')
    texts = dict.fromkeys(("scope", "receipt", "state"), dialect.column_type("text"))
    await create_table(tx, dialect, "_erasures", {"id": _NAME_TYPE, **texts, "at": dialect.column_type("date")})
    await tx.run('CREATE UNIQUE INDEX "_erasures_of" ON "_erasures" ("scope")')


async def keep_resealings(tx: Transaction, dialect: Dialect) -> None:
    """Work on encrypted fields; and whether there was anything before deleted things were overwritten."""
    text, number, date = (dialect.column_type(kind) for kind in ("text", "number", "date"))
    texts = dict.fromkeys(("kind", "collection", "field", "state", "step", "error"), text)
    counts = dict.fromkeys(("number", "total", "done", "place"), _COUNT_TYPE)
    numbers = dict.fromkeys(("rate", "most"), number)
    columns = {"id": _NAME_TYPE, **texts, **counts, **numbers, "started": date, "updated": date}
    await create_table(tx, dialect, "_resealings", columns)
    await tx.run('CREATE UNIQUE INDEX "_resealings_of" ON "_resealings" ("kind", "collection", "field", "number")')
    if all(str(name).startswith("_") for (name,) in await tx.run(dialect.list_tables())):
        await save_param(tx, dialect, OVERWRITES, "yes")
