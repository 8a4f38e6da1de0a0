"""Another root key: all keys are wrapped anew in one transaction, and nothing that they sealed is touched.

The new root key is kept safely before the database names it, and the old one for as
long as it may be needed: an interruption leaves the old one in use, or the new one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.database.positions import hold_position
from undercroft.encryption.wrapping import RootKey, unwrap, wrap
from undercroft.errors import Conflict
from undercroft.keys.audit import SERVER, Entry, append_entry
from undercroft.keys.holders import Holder, list_holders
from undercroft.keys.making import KIND
from undercroft.keys.ring import Keyring
from undercroft.keys.root import SHOWN, BadRoot, MadeRoot, Root, load_root, save_root
from undercroft.keys.rows import TABLES, load_keys

_AT_ONCE: Final = 200
_SECONDS: Final = 3600.0


class StillServing(Conflict):
    """Servers run that could not find the root key at its new place."""

    code = "still_serving"

    def __init__(self, holders: Sequence[Holder], source: str) -> None:
        names = ", ".join(holder.label for holder in holders)
        super().__init__(
            f"Servers run that would not look for the root key {source}: {names}. "
            "Stop them, change the root key, and start them with the options that say where it is."
        )


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """The version and the check value of the new root key, how many keys are under it, and how long that took."""

    version: int
    check: str
    keys: int
    seconds: float


async def change_root(engine: Engine, keyring: Keyring, root: Root, actor: str = SERVER) -> Rewrapped:
    """Wrap all keys under a new root key, which `root` keeps. Raises `StillServing`, `BadRoot`, `KeysUnavailable`."""
    if root is not keyring.root and (holders := await list_holders(engine)):
        raise StillServing(holders, root.source)
    old = keyring.root_key
    made = await root.make(old.version + 1, is_fresh=root is keyring.root)
    if made.key.material == old.material:
        raise BadRoot(f"The root key {root.source} is the one in use: name another place, or none for a new one here.")
    began = perf_counter()
    try:
        async with engine.transaction(_SECONDS) as tx:
            count = await _rewrap(tx, engine.dialect, old, made.key)
            await _note(tx, engine.dialect, root, made, actor)
    except BaseException:
        await _undo_unless_done(engine, made)
        raise
    seconds = perf_counter() - began
    made.settle()
    keyring.root = root
    await keyring.refresh()
    return Rewrapped(made.key.version, made.key.check, count, seconds)


async def _undo_unless_done(engine: Engine, made: MadeRoot) -> None:
    """Take the new root key back, but never one that the database may name."""
    stored = await load_root(engine.read)
    if stored is not None and stored.check != made.key.check:
        made.undo()


async def _rewrap(tx: Transaction, dialect: Dialect, old: RootKey, new: RootKey) -> int:
    await hold_position(tx, dialect, KIND)
    count = 0
    for table in TABLES:
        rows = [each for each in await load_keys(tx.run, table) if each.wrapped is not None]
        for start in range(0, len(rows), _AT_ONCE):
            pairs: list[Value] = []
            for row in rows[start : start + _AT_ONCE]:
                if row.wrapped is not None:
                    fresh = wrap(unwrap(row.wrapped, row.name, old), row.name, new)
                    pairs += [row.id, b64encode(fresh.sealed).decode()]
            await tx.run(_update_sql(dialect, table, len(pairs) // 2), [new.version, new.check, *pairs])
        count += len(rows)
    return count


def _update_sql(dialect: Dialect, table: str, count: int) -> str:
    mark = dialect.placeholder
    pairs = ", ".join(f"({mark(2 * at + 3, 'text')}, {mark(2 * at + 4, 'text')})" for at in range(count))
    return f"""UPDATE "{table}" SET "wrapped" = v."column2", "root_version" = {mark(1)}, "check_value" = {mark(2)}
        FROM (SELECT * FROM (VALUES {pairs}) AS pairs) AS v WHERE "{table}"."id" = v."column1\""""


async def _note(tx: Transaction, dialect: Dialect, root: Root, made: MadeRoot, actor: str) -> None:
    await save_root(tx, dialect, root.provider, made)
    await append_change(tx, dialect, Change(KIND, "", "", "update"))
    detail = {"provider": root.provider, "version": made.key.version, "check": made.key.check[:SHOWN]}
    await append_entry(tx, dialect, Entry("root_changed", actor=actor, detail=detail))
