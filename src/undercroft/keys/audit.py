"""What was done with keys, and what they refused: written down and logged, never with a value in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic, time_ns
from typing import Any, Final, Literal

import msgspec

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Row, Transaction
from undercroft.database.positions import Read
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
    "subject_erased",
    "keys_exported",
    "rotation_started",
    "rotation_ended",
    "rotation_failed",
    "resealing_started",
    "resealing_paused",
    "resealing_resumed",
    "resealing_ended",
    "resealing_failed",
    "many_uses",
    "decryption_failed",
]
SERVER: Final = "server"
ALARMING: Final = frozenset(
    {"key_destroyed", "keys_exported", "rotation_failed", "resealing_failed", "many_uses", "decryption_failed"}
)
_HOUR: Final = 3600.0
_MOST_FAILURES: Final = 1000
_KEPT_FAILURES: Final = 10_000
_AT_ONCE: Final = 1000
_log = logging.getLogger("undercroft.keys")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done or refused; `actor` says by which program, and `detail` holds ids and reasons."""

    event: AuditEvent
    purpose: str = ""
    scope: str = ""
    key_id: int = 0
    actor: str = SERVER
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""


async def append_entry(tx: Transaction, dialect: Dialect, entry: Entry) -> None:
    """Write an entry down; it is logged once it is durable."""
    names = ("id", "event", "purpose", "scope", "key_id", "actor", "detail", "at")
    marks = ", ".join(dialect.placeholder(number) for number in range(1, len(names) + 1))
    detail = msgspec.json.encode(entry.detail).decode()
    what = (entry.event, entry.purpose, entry.scope, entry.key_id, entry.actor, detail)
    spelled = ", ".join(f'"{name}"' for name in names)
    await tx.run(f'INSERT INTO "_key_audit" ({spelled}) VALUES ({marks})', (_next_id(), *what, now()))
    tx.after_commit(lambda: log_entry(entry))


async def list_entries(engine: Engine, limit: int = 100) -> list[Entry]:
    """The newest entries, the newest first."""
    names = ", ".join(f'"{name}"' for name in ("event", "purpose", "scope", "key_id", "actor", "detail", "at"))
    sql = f'SELECT {names} FROM "_key_audit" ORDER BY "id" DESC LIMIT {engine.dialect.placeholder(1)}'
    return [_entry(row) for row in await engine.read(sql, (limit,))]


async def has_old_failures(engine: Engine) -> bool:
    """Whether more failures to decrypt are written down than are kept; of what was done with keys, all is."""
    return await _count_failures(engine.read) > _KEPT_FAILURES


async def forget_old_failures(tx: Transaction, dialect: Dialect) -> None:
    """Forget the oldest failures beyond those that are kept, not too many at once."""
    most = min(await _count_failures(tx.run) - _KEPT_FAILURES, _AT_ONCE)
    oldest = f"""SELECT "id" FROM "_key_audit" WHERE "event" = 'decryption_failed'
        ORDER BY "id" LIMIT {dialect.placeholder(1)}"""
    await tx.run(f'DELETE FROM "_key_audit" WHERE "id" IN ({oldest})', (most,))


async def _count_failures(read: Read) -> int:
    rows = await read("""SELECT count(*) FROM "_key_audit" WHERE "event" = 'decryption_failed'""", ())
    return int(rows[0][0] or 0)


def log_entry(entry: Entry) -> None:
    """Say what an entry says; what somebody did on purpose need not alarm them."""
    level = logging.WARNING if entry.event in ALARMING and entry.actor == SERVER else logging.INFO
    about = f" of {entry.purpose} {entry.scope}".rstrip() if entry.purpose else ""
    key = f" {entry.key_id}" if entry.key_id else ""
    told = ", ".join(f"{name} {value}" for name, value in entry.detail.items())
    _log.log(level, "Keys: %s%s%s by %s%s", entry.event, key, about, entry.actor, f": {told}" if told else "")


class Failures:
    """What did not open, to be written down: each value once an hour, and not more than some at once.

    Who may read can make it happen as often as they like, and must not fill the disk with it.
    """

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}
        self._waiting: list[Entry] = []

    def note(self, value: str) -> None:
        """Note a value by its place: ids, of collection, field and record."""
        moment = monotonic()
        if moment - self._noted.get(value, -_HOUR) < _HOUR:
            return
        if len(self._noted) >= _MOST_FAILURES:
            self._noted = {place: when for place, when in self._noted.items() if moment - when < _HOUR}
        if len(self._noted) < _MOST_FAILURES:
            self._noted[value] = moment
            self._waiting.append(Entry("decryption_failed", detail={"value": value}))

    def take(self) -> list[Entry]:
        """What was noted since the last time."""
        taken, self._waiting = self._waiting, []
        return taken


def _next_id() -> str:
    """An id that sorts as the entries were written."""
    return f"{time_ns():019d}{record_id()}"


def _entry(row: Row) -> Entry:
    event, purpose, scope, key_id, actor, detail, at = row
    # The column holds one of them.
    name: AuditEvent = event  # type: ignore[assignment]
    told = msgspec.json.decode(str(detail), type=dict[str, Any])
    return Entry(name, str(purpose), str(scope), int(key_id or 0), str(actor), told, str(at))
