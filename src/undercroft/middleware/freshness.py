"""What other processes change: collections, settings, keys and credentials, followed in the change log.

A process that changes them wakes the others at once; whoever misses the wake-up finds
out by looking, a quarter of a second later at the most. Superusers, who make the
changes, see them at their next request, whichever process it reaches.
"""

from __future__ import annotations

import logging
from typing import Final

from undercroft.backend import Backend
from undercroft.collections.store import load_catalog
from undercroft.database.positions import load_positions
from undercroft.database.wakeup import Wakeup
from undercroft.errors import Problem
from undercroft.settings.store import load_settings

POLL_SECONDS: Final = 0.25
_log = logging.getLogger("undercroft")


class Freshness:
    """Keeps a backend's catalog, settings and keys as the database has them."""

    def __init__(self, backend: Backend, wakeup: Wakeup, settings_at: int) -> None:
        self._backend = backend
        self._live = backend.live
        self._wakeup = wakeup
        self._settings_at = settings_at
        self._credentials_at = -1
        self._was_locked = backend.keyring.is_locked
        self._has_failed = False

    async def follow(self) -> None:
        """Catch up again and again, until cancelled."""
        while True:
            await self._wakeup.heard(POLL_SECONDS)
            self._live.heard()
            try:
                await self.catch_up()
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - who followed no more would obey old rules for ever
                self._tell(error)

    async def catch_up(self) -> None:
        """Read anew what other processes changed since the last time."""
        positions = await load_positions(self._backend.engine.read)
        keyring = self._backend.keyring
        # What was loaded without keys has secrets that are of no use.
        is_unlocked = self._was_locked and not keyring.is_locked
        self._was_locked = keyring.is_locked
        if is_unlocked or positions["collection"] > self._backend.catalog.version:
            self._backend.catalogs.swap(await load_catalog(self._backend.engine, keyring))
        if is_unlocked or positions["settings"] > self._settings_at:
            await self._reload_settings(positions["settings"])
        if positions["keys"] != keyring.revision and not keyring.is_locked:
            await keyring.refresh()
        if positions["credentials"] > self._credentials_at:
            await self._backend.ended.load(self._backend.engine)
            await self._live.end_closed()
            self._credentials_at = positions["credentials"]

    async def _reload_settings(self, position: int) -> None:
        holder = self._backend.settings_holder
        before = holder.current
        loaded = await load_settings(self._backend.engine)
        # When this process changed them in the meantime, what it has may be newer; the next look tells.
        if holder.current is before:
            holder.current = loaded
            self._settings_at = position

    def _tell(self, error: Exception) -> None:
        """Once, not four times a second while it lasts."""
        if not self._has_failed:
            self._has_failed = True
            fault = None if isinstance(error, Problem) else error
            _log.warning("What other processes change cannot be followed: %s", error, exc_info=fault)
