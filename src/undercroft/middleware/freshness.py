"""What other processes change: collections and settings, followed in the change log.

Everybody sees such a change within a quarter of a second. Superusers, who make
them, see it at once: their next request may reach another process than the last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from undercroft.backend import Backend
from undercroft.collections.store import load_catalog
from undercroft.database.changes import last_change_id, newest_since
from undercroft.errors import Problem
from undercroft.settings.store import load_settings

POLL_SECONDS: Final = 0.25
_log = logging.getLogger("undercroft")


class Freshness:
    """Keeps a backend's catalog and settings as the database has them."""

    def __init__(self, backend: Backend, seen: int) -> None:
        self._backend = backend
        self._seen = seen

    async def follow(self) -> None:
        """Catch up again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.catch_up()
            except Problem as problem:
                _log.warning("The change log cannot be read: %s", problem)

    async def catch_up(self) -> None:
        """Read anew what other processes changed since the last time."""
        engine = self._backend.engine
        latest = await last_change_id(engine.read)
        if latest != self._seen and await self._reload(await newest_since(engine, self._seen)):
            self._seen = latest

    async def _reload(self, newest: Mapping[str, int]) -> bool:
        """False when this process changed something in the meantime, which is newer than what was read."""
        backend, catalog, settings = self._backend, self._backend.catalog, self._backend.settings
        is_behind = newest.get("collection", 0) > catalog.version
        new_catalog = await load_catalog(backend.engine) if is_behind else catalog
        new_settings = await load_settings(backend.engine) if "settings" in newest else settings
        if backend.catalog is not catalog or backend.settings is not settings:
            return False
        backend.catalogs.current = new_catalog
        backend.settings_holder.current = new_settings
        return True
