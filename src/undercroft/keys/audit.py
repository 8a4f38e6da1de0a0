"""What was done with keys, and what they refused: written down and logged, never with a value in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction
from undercroft.dates import now
from undercroft.ids import record_id

AuditEvent = Literal[
    "root_made",
    "root_unlocked",
    "root_changed",
    "key_created",
    "key_promoted",
    "key_disabled",
    "key_enabled",
    "key_destroyed",
    "keys_exported",
    "rotation_started",
    "rotation_ended",
    "rotation_failed",
    "many_uses",
    "decryption_failed",
]
ALARMING: Final = frozenset({"key_destroyed", "keys_exported", "rotation_failed", "many_uses", "decryption_failed"})
_log = logging.getLogger("undercroft.keys")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done or refused; `actor` says by which program, and `detail` holds ids and reasons."""

    event: AuditEvent
    purpose: str = ""
    scope: str = ""
    key_id: int = 0
    actor: str = "server"
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""


async def append_entry(tx: Transaction, dialect: Dialect, entry: Entry) -> None:
    """Write an entry down; it is logged once it is durable."""
    names = ("id", "event", "purpose", "scope", "key_id", "actor", "detail", "at")
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(names) + 1))
    detail = msgspec.json.encode(entry.detail).decode()
    what = (entry.event, entry.purpose, entry.scope, entry.key_id, entry.actor, detail)
    spelled = ", ".join(f'"{name}"' for name in names)
    await tx.run(f'INSERT INTO "_key_audit" ({spelled}) VALUES ({marks})', (record_id(), *what, now()))
    tx.after_commit(lambda: log_entry(entry))


async def list_entries(engine: Engine, limit: int = 100) -> list[Entry]:
    """The newest entries, the newest first."""
    names = ", ".join(f'"{name}"' for name in ("event", "purpose", "scope", "key_id", "actor", "detail", "at"))
    sql = f'SELECT {names} FROM "_key_audit" ORDER BY "at" DESC, "id" LIMIT {engine.dialect.placeholder(1)}'
    return [_entry(row) for row in await engine.read(sql, (limit,))]


def log_entry(entry: Entry) -> None:
    """Say what an entry says."""
    level = logging.WARNING if entry.event in ALARMING else logging.INFO
    about = f" of {entry.purpose} {entry.scope}".rstrip() if entry.purpose else ""
    key = f" {entry.key_id}" if entry.key_id else ""
    told = ", ".join(f"{name} {value}" for name, value in entry.detail.items())
    _log.log(level, "Keys: %s%s%s by %s%s", entry.event, key, about, entry.actor, f": {told}" if told else "")


def _entry(row: Row) -> Entry:
    event, purpose, scope, key_id, actor, detail, at = row
    # The column holds one of them.
    name: AuditEvent = event  # type: ignore[assignment]
    told = msgspec.json.decode(str(detail), type=dict[str, Any])
    return Entry(name, str(purpose), str(scope), int(key_id or 0), str(actor), told, str(at))
