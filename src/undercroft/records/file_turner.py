"""Doing by itself what definitions and keys ask for: files turn, and their keys are wrapped with new ones.

One process does it for all. It looks when a definition or a key has changed, and after each start; nothing is asked
of the database otherwise. Where two do it at once nothing is lost, only done in vain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Final, Protocol

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.engine import Engine
from undercroft.database.leader import Claim
from undercroft.errors import Problem
from undercroft.files.rewrapping import needs_rewrap, rewrap_files
from undercroft.files.sealed import SealedFiles
from undercroft.files.staging import Staging
from undercroft.keys.ring import Keyring
from undercroft.records.file_turning import GRACE_SECONDS, Turned, Turner
from undercroft.records.file_turns import FileTurn, State, forget_turn, load_turns, save_turn, wanted_of

LOOK_SECONDS: Final = 1.0
_NOTE_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 600.0
_SHOWN: Final = 20  # files of which it is said why they could not turn
_log = logging.getLogger("undercroft")


class Host(Protocol):
    """What this works with: an open backend is one."""

    @property
    def engine(self) -> Engine: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def keyring(self) -> Keyring: ...

    @property
    def files(self) -> SealedFiles: ...

    @property
    def staging(self) -> Staging: ...


class FileTurner:
    """Turns files in the background, while the claim is this process's."""

    def __init__(self, host: Host, claim: Claim, grace: float = GRACE_SECONDS) -> None:
        self._host = host
        self._claim = claim
        self._grace = grace
        self._seen = (-1, -1)
        self._again_at = 0.0
        self._told = ""

    async def run(self) -> None:
        """Look for work and do it, again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except (OSError, Problem) as problem:
                self._tell(str(problem))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Do what there is to do now, unless another process does it. Raises `Problem`."""
        host = self._host
        seen = (host.catalog.version, host.keyring.version)
        is_due = self._again_at and monotonic() > self._again_at
        if (seen == self._seen and not is_due) or host.keyring.is_locked:
            return
        turns = await load_turns(host.engine.read)
        wanted = [each for each in host.catalog if _is_wanted(each, turns.get(each.id), is_again=bool(is_due))]
        outdated = [scope for scope in self._scopes() if await needs_rewrap(host.engine, host.keyring, scope)]
        lost = turns.keys() - {each.id for each in host.catalog}
        if wanted or outdated or lost:
            if not await self._claim.take():
                return
            self._again_at = 0.0
            await self._do(wanted, outdated)
            for collection_id in lost:
                await host.engine.write(lambda tx: forget_turn(tx, host.engine.dialect, collection_id))  # noqa: B023 - awaited here
        self._seen = seen

    def _scopes(self) -> list[str]:
        return [keys.scope for keys in self._host.keyring.sets() if keys.purpose == "file"]

    async def _do(self, wanted: list[Collection], outdated: list[str]) -> None:
        host = self._host
        for scope in outdated:
            count = await rewrap_files(host.engine, host.keyring, scope)
            _log.info("The keys of %d files were wrapped anew.", count)
        for collection in wanted:
            noting = _Noting(host.engine, self._claim, FileTurn(collection.id, wanted_of(collection)))
            turner = Turner(host.engine, host.files, host.staging, collection, collection.file_fields)
            async with noting.now_and_then():
                turned = await self._turn(turner, noting)
            await noting.end(turned)
            if not turned.is_complete:
                self._again_at = monotonic() + (self._grace if turned.later else _AGAIN_SECONDS)

    async def _turn(self, turner: Turner, noting: _Noting) -> Turned:
        turned = await turner.run(noting)
        if turned.files:
            # Whatever was on its way under the old definition has arrived by then.
            await asyncio.sleep(self._grace)
            turned = await turner.run(noting)
        return turned

    def _tell(self, text: str) -> None:
        """Once, not again and again while it lasts."""
        if text != self._told:
            self._told = text
            _log.warning("Files that are to be encrypted or decrypted have to wait: %s", text)


class _Noting:
    """A `Watcher` that has it written down how far a collection is, and keeps the claim meanwhile."""

    def __init__(self, engine: Engine, claim: Claim, turn: FileTurn) -> None:
        self._engine = engine
        self._claim = claim
        self._turn = turn

    def begin(self, files: int, size: int) -> None:
        """So many files more are to turn."""
        del size
        self._turn = replace(self._turn, total=self._turn.done + files)

    def advance(self, files: int, size: int) -> None:
        """So many are dealt with."""
        del size
        self._turn = replace(self._turn, done=self._turn.done + files)

    @asynccontextmanager
    async def now_and_then(self) -> AsyncIterator[None]:
        """Write it down as long as the block lasts."""
        task = asyncio.create_task(self._keep_noting())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # what could not be written down is written down at the end

    async def end(self, turned: Turned) -> None:
        """Write down how it ended."""
        note = "; ".join(f"{key}: {reason}" for key, reason in list(turned.failed.items())[:_SHOWN])
        if turned.failed:
            _log.warning("%d files could not be turned: %s", len(turned.failed), note)
        state: State = "failed" if turned.failed else "running" if turned.later else "done"
        await self._save(replace(self._turn, state=state, note=note))

    async def _keep_noting(self) -> None:
        while True:
            await self._save(self._turn)
            await asyncio.sleep(_NOTE_SECONDS)
            await self._claim.take()

    async def _save(self, turn: FileTurn) -> None:
        await self._engine.write(lambda tx: save_turn(tx, self._engine.dialect, turn))


def _is_wanted(collection: Collection, turn: FileTurn | None, *, is_again: bool) -> bool:
    """Whether files of a collection may not be stored as its fields want."""
    if collection.is_view or not collection.file_fields:
        return False
    wanted = wanted_of(collection)
    if turn is None:
        return bool(wanted)
    return turn.wanted != wanted or turn.state == "running" or (is_again and turn.state == "failed")
