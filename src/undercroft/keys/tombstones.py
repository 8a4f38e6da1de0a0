"""Who was erased, told outside of the database as well: a file beside the data, one signed receipt a line.

A database that is put back as it was yesterday has the keys again that were destroyed today. So every start reads the
file, before anything is answered, and destroys them again; it takes no root key. The file and the table of erasures
complete each other, so each process that shares a database has both, whichever it started with.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param
from undercroft.database.refusals import StartRefused
from undercroft.encryption.receipts import BadReceipt, Receipt, parse_receipt, receipt_text, verify
from undercroft.errors import Problem
from undercroft.keys.erasures import destroy_subject, insert_erasure, list_erasures, tell_erased
from undercroft.keys.opening import APP_ID
from undercroft.keys.receipt_key import load_public_key
from undercroft.keys.ring import Keyring

FILE_NAME: Final = "erased.jsonl"
REPLAY: Final = "replay of a receipt"
_LOOK_SECONDS: Final = 1.0
_log = logging.getLogger("undercroft.keys")


class BadTombstones(StartRefused):
    """A line of the file is no receipt, or not as this server signed it: who was erased could come back unnoticed."""

    code = "bad_tombstones"

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"Line {line} of {path} tells of somebody who was erased, and cannot be used: {reason} "
            "Put a copy of the file in its place, or take the line out if you know that the rest is whole."
        )


class Tombstones:
    """The file of one data directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def load(self) -> list[Receipt]:
        """All receipts. Raises `BadTombstones`."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return parse_receipts(content, self.path)

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Have these receipts in the file, each once; it is on the disk then. Raises `BadTombstones` and `OSError`."""
        wanted = {receipt.scope: receipt for receipt in receipts}
        if not wanted:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            known = {receipt.scope for receipt in parse_receipts(content, self.path)}
            # What has no end was cut off when a machine went down, and is written anew.
            file.seek(content.rfind(b"\n") + 1)
            file.truncate()
            file.writelines(f"{receipt_text(wanted[scope])}\n".encode() for scope in wanted.keys() - known)
            file.flush()
            os.fsync(file.fileno())

    async def keep(self, engine: Engine) -> None:
        """Have everybody in the file whom the database knows to be erased. Raises `BadTombstones` and `OSError`."""
        receipts = [each.receipt for each in await list_erasures(engine.read)]
        await asyncio.to_thread(self.add, receipts)

    async def follow(self, engine: Engine, keyring: Keyring) -> None:
        """Keep up with what other processes erase, until cancelled."""
        seen = keyring.revision
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if keyring.revision == seen:
                continue
            try:
                revision = keyring.revision
                await self.keep(engine)
                seen = revision
            except (Problem, OSError) as problem:
                _log.warning("Who was erased is written to %s later: %s", self.path, problem)


def parse_receipts(content: bytes, path: Path) -> list[Receipt]:
    """The receipts of a file, but for a last one that has no end. Raises `BadTombstones`."""
    found: list[Receipt] = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            found.append(parse_receipt(line))
        except BadReceipt as bad:
            raise BadTombstones(path, number, bad.message()) from bad
    return found


async def replay_tombstones(engine: Engine, tombstones: Tombstones) -> int:
    """Destroy the keys again of those whom the file knows to be erased, and the database does not; how many they are.

    Raises `BadTombstones`.
    """
    receipts = await asyncio.to_thread(tombstones.load)
    if not receipts:
        return 0
    count = await replay_receipts(engine, receipts, tombstones.path)
    if count:
        _log.warning("Erased again, as %s says: %d, whom the database still had.", tombstones.path, count)
    return count


async def replay_receipts(engine: Engine, receipts: Sequence[Receipt], path: Path, actor: str = REPLAY) -> int:
    """Erase whom receipts of this app name and who is not known to be erased; how many they were.

    They are as this server signed them; where the data are older than its key for that, as anybody did.

    What is left of their values is emptied by `records.erasing.finish_erasures`. Raises `BadTombstones`.
    """
    app_id = await load_param(engine.read, engine.dialect, APP_ID)
    public_key = await load_public_key(engine.read, engine.dialect)
    known = {each.scope for each in await list_erasures(engine.read)}
    fresh: dict[str, Receipt] = {}
    for number, receipt in enumerate(receipts, 1):
        if receipt.app == app_id and receipt.scope not in known:
            try:
                verify(receipt, public_key)
            except BadReceipt as bad:
                raise BadTombstones(path, number, bad.message()) from bad
            fresh[receipt.scope] = receipt
    if fresh:
        await engine.write(partial(_replay, engine=engine, receipts=list(fresh.values()), actor=actor), alone=True)
    return len(fresh)


async def _replay(tx: Transaction, engine: Engine, receipts: Sequence[Receipt], actor: str) -> None:
    for receipt in receipts:
        await destroy_subject(tx, engine.dialect, receipt.scope)
        if await insert_erasure(tx, engine.dialect, receipt, is_done=False):
            await tell_erased(tx, engine.dialect, receipt, actor)
