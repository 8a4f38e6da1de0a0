"""Opening the key ring of a database, and giving a new one its root key.

A wrong root key is found before anything is written, the data format included; the
root key of a new database is kept safely before the database says that it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.wrapping import RootKey
from undercroft.ids import record_id
from undercroft.keys.audit import Entry, append_entry
from undercroft.keys.making import make_key_set
from undercroft.keys.receipt_key import ensure_receipt_key
from undercroft.keys.ring import STALE, Keyring
from undercroft.keys.root import SHOWN, MadeRoot, Root, StoredRoot, load_root, save_root

APP_ID: Final = "appId"
HOUR: Final = 3600.0
WARNED: Final = "rootKeyWarned"


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What the database said of its root key before anything was written, and the key; or why it cannot be had."""

    stored: StoredRoot | None = None
    key: RootKey | None = None
    reason: KeysUnavailable | None = None


async def unlock_root(engine: Engine, root: Root) -> Unlocked:
    """The root key of a database, if it has one yet; only reads.

    Raises `WrongRoot`, `RootMissing` and `BadRoot`.
    """
    tables = {str(name) for (name,) in await engine.read(engine.dialect.list_tables())}
    stored = await load_root(engine.read) if "_roots" in tables else None
    if stored is None:
        return Unlocked()
    try:
        return Unlocked(stored, await root.unlock(stored))
    except KeysUnavailable as reason:
        return Unlocked(stored, reason=reason)


async def open_keyring(engine: Engine, root: Root, unlocked: Unlocked, cache_seconds: float = HOUR) -> Keyring:
    """The key ring of a database in the newest format, locked when the root key cannot be had.

    Raises `WrongRoot`, `RootMissing` and `BadRoot`.
    """
    keyring = Keyring(engine, root, await _load_app_id(engine), cache_seconds)
    engine.knowledge, engine.texts = dict.fromkeys(STALE, keyring), keyring
    if unlocked.reason is not None:
        keyring.lock(unlocked.reason)
        return keyring
    try:
        await open_locked(engine, keyring, unlocked)
    except KeysUnavailable as reason:
        keyring.lock(reason)
    return keyring


async def open_locked(engine: Engine, keyring: Keyring, unlocked: Unlocked | None = None) -> None:
    """Unlock a key ring, and give the database a root key and the system its keys, if they have none.

    Raises `WrongRoot`, `RootMissing`, `BadRoot` and `KeysUnavailable`.
    """
    known = unlocked or Unlocked(await load_root(engine.read))
    if known.stored is None:
        known = await _establish(engine, keyring.root)
    await keyring.unlock(known.stored, known.key)
    if not keyring.has("system", ""):
        await engine.write(lambda tx: make_key_set(tx, engine.dialect, keyring, "system", ""), alone=True)
        await keyring.refresh()
    await ensure_receipt_key(engine)


async def load_warning(engine: Engine, root: Root) -> str:
    """What whoever runs the server must know of the root key; empty once it was told."""
    if not root.warning or await load_param(engine.read, engine.dialect, WARNED):
        return ""
    await engine.write(lambda tx: save_param(tx, engine.dialect, WARNED, True))
    return root.warning


async def _establish(engine: Engine, root: Root) -> Unlocked:
    """Give the database its first root key, unless another process was faster."""
    made = await root.make(1)
    there = await engine.write(partial(_keep, dialect=engine.dialect, root=root, made=made), alone=True)
    if there is None or there.check == made.key.check:
        return Unlocked(there or await load_root(engine.read), made.key)
    made.undo()
    return Unlocked(there, await root.unlock(there))


async def _keep(tx: Transaction, dialect: Dialect, root: Root, made: MadeRoot) -> StoredRoot | None:
    """Write down the root key, or what is there already."""
    there = await load_root(tx.run)
    if there is None:
        await save_root(tx, dialect, root.provider, made)
        detail = {"provider": root.provider, "check": made.key.check[:SHOWN]}
        await append_entry(tx, dialect, Entry("root_made", detail=detail))
    return there


async def _load_app_id(engine: Engine) -> str:
    """What tells this app from others, in all that it seals; made when first asked for."""
    found = await load_param(engine.read, engine.dialect, APP_ID)
    if found is not None:
        return str(found)
    fresh = record_id()

    async def keep(tx: Transaction) -> str:
        there = await load_param(tx.run, engine.dialect, APP_ID)
        if there is None:
            await save_param(tx, engine.dialect, APP_ID, fresh)
        return str(there or fresh)

    return await engine.write(keep, alone=True)
