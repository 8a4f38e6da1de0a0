"""The steps of the data format, oldest first."""

from __future__ import annotations

from collections.abc import Mapping

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.formats_files import keep_sealed_files
from undercroft.database.formats_keys import keep_erasures, keep_keys, keep_resealings
from undercroft.database.formats_logins import (
    keep_api_keys,
    keep_blocks,
    keep_invitations,
    keep_logins,
    keep_passkeys,
    keep_totp,
)
from undercroft.database.formats_work import keep_answers, keep_jobs
from undercroft.database.migrations import Migration

_NAME_TYPE = "TEXT PRIMARY KEY NOT NULL"
_COUNT_TYPE = "BIGINT NOT NULL DEFAULT 0"
_RULE_TYPE = "TEXT DEFAULT NULL"
_POSITIONS = """INSERT INTO "_positions" ("kind", "position")
    SELECT '{kind}', coalesce(max("id"), 0) FROM "_changes" WHERE "kind" = '{kind}'"""


async def _make_system_tables(tx: Transaction, dialect: Dialect) -> None:
    for table, columns in _system_tables(dialect).items():
        spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
        hidden = dialect.insertion_column()
        await tx.run(f"CREATE TABLE {dialect.quote(table)} ({spelled}{hidden})")
    # A collection's name is a table's, and those know no case.
    await tx.run('CREATE UNIQUE INDEX "_collections_name" ON "_collections" (lower("name"))')


def _system_tables(dialect: Dialect) -> Mapping[str, Mapping[str, str]]:
    text, json, date = (dialect.column_type(kind) for kind in ("text", "json", "date"))
    return {
        "_collections": {
            "id": _NAME_TYPE,
            "name": text,
            "type": text,
            "system": dialect.column_type("bool"),
            "fields": json,
            "indexes": json,
            "list_rule": _RULE_TYPE,
            "view_rule": _RULE_TYPE,
            "create_rule": _RULE_TYPE,
            "update_rule": _RULE_TYPE,
            "delete_rule": _RULE_TYPE,
            "options": json,
            "created": date,
            "updated": date,
        },
        "_params": {"id": _NAME_TYPE, "value": text, "created": date, "updated": date},
        "_changes": {
            "id": dialect.counter_type(),
            "at": date,
            "kind": text,
            "collection": text,
            "record": text,
            "action": text,
        },
    }


async def _share_among_processes(tx: Transaction, dialect: Dialect) -> None:
    await tx.run(f'CREATE TABLE "_positions" ("kind" {_NAME_TYPE}, "position" {_COUNT_TYPE})')
    for kind in ("collection", "settings"):
        await tx.run(_POSITIONS.format(kind=kind))
    text, number = dialect.column_type("text"), dialect.column_type("number")
    columns = f'"name" {_NAME_TYPE}, "owner" {text}, "until" {number}, "turn" {_COUNT_TYPE}'
    await tx.run(f'CREATE TABLE "_leases" ({columns})')


async def _keep_uploads(tx: Transaction, dialect: Dialect) -> None:
    text, number = dialect.column_type("text"), dialect.column_type("number")
    columns = {
        "id": _NAME_TYPE,
        "owner": text,
        "source": text,
        "place": text,
        "size": _COUNT_TYPE,
        "metadata": text,
        "created": number,
        "expires": number,
    }
    spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
    await tx.run(f'CREATE TABLE "_uploads" ({spelled})')
    await tx.run('CREATE INDEX "_uploads_source" ON "_uploads" ("source")')


async def _keep_sessions(tx: Transaction, dialect: Dialect) -> None:
    text, number = dialect.column_type("text"), dialect.column_type("number")
    kinds = dict.fromkeys(("collection", "record", "fingerprint", "address", "agent"), text)
    columns = {"id": _NAME_TYPE, **kinds, "created": number, "expires": number}
    spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
    await tx.run(f'CREATE TABLE "_sessions" ({spelled})')
    await tx.run('CREATE INDEX "_sessions_owner" ON "_sessions" ("collection", "record")')


async def _keep_letters(tx: Transaction, dialect: Dialect) -> None:
    text, number, date = (dialect.column_type(kind) for kind in ("text", "number", "date"))
    texts = dict.fromkeys(("kind", "sender", "recipient", "content", "state", "note"), text)
    numbers = {"due": number, "until": number, "attempts": _COUNT_TYPE}
    columns = {"id": _NAME_TYPE, **texts, **numbers, "created": date, "updated": date}
    spelled = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
    await tx.run(f'CREATE TABLE "_outbox" ({spelled})')
    await tx.run('CREATE INDEX "_outbox_due" ON "_outbox" ("state", "due")')
    await tx.run(f'CREATE TABLE "_rations" ("key" {_NAME_TYPE}, "count" {_COUNT_TYPE}, "until" {number})')


async def _keep_files_due(tx: Transaction, dialect: Dialect) -> None:
    number = dialect.column_type("number")
    await tx.run(f'CREATE TABLE "_files_due" ("key" {_NAME_TYPE}, "due" {number})')


async def _follow_records(tx: Transaction, dialect: Dialect) -> None:
    text = dialect.column_type("text")
    await tx.run(f'ALTER TABLE "_changes" ADD COLUMN "row" {text}')
    await tx.run("""CREATE INDEX "_changes_row" ON "_changes" ("id") WHERE "row" <> ''""")


async def _share_listeners(tx: Transaction, dialect: Dialect) -> None:
    text, number = dialect.column_type("text"), dialect.column_type("number")
    await tx.run(f'CREATE TABLE "_listeners" ("owner" {_NAME_TYPE}, "until" {number})')
    wish = f'"id" {_NAME_TYPE}, "owner" {text}, "client" {text}, "wish" {text}, "answer" {text}, "until" {number}'
    await tx.run(f'CREATE TABLE "_wishes" ({wish})')
    hearer = f'"id" {_NAME_TYPE}, "collection" {text}, "hearer" {text}, "until" {number}'
    await tx.run(f'CREATE TABLE "_hearers" ({hearer})')
    await tx.run('CREATE INDEX "_hearers_collection" ON "_hearers" ("collection")')


SYSTEM_MIGRATIONS = (
    Migration(1, "system tables", _make_system_tables),
    Migration(2, "several processes", _share_among_processes),
    Migration(3, "resumable uploads", _keep_uploads),
    Migration(4, "sessions", _keep_sessions),
    Migration(5, "letters", _keep_letters),
    Migration(6, "files that must go", _keep_files_due),
    Migration(7, "live updates", _follow_records),
    Migration(8, "listeners in several processes", _share_listeners),
    Migration(9, "answers to repeated writes", keep_answers),
    Migration(10, "jobs", keep_jobs),
    Migration(11, "passkeys", keep_passkeys),
    Migration(12, "keys", keep_keys),
    Migration(13, "codes of authenticator apps", keep_totp),
    Migration(14, "invitations", keep_invitations),
    Migration(15, "encrypted files", keep_sealed_files),
    Migration(16, "work on encrypted fields", keep_resealings),
    Migration(17, "erased people and tenants", keep_erasures),
    Migration(18, "blocked accounts", keep_blocks),
    Migration(19, "API keys", keep_api_keys),
    Migration(20, "log-ins", keep_logins),
)
