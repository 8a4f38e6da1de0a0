"""Every server removes from its own disk what arrived of uploads that are forgotten."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from undercroft.errors import Problem
from undercroft.files.tus import Uploads

EVERY_SECONDS: Final = 300.0
_log = logging.getLogger("undercroft")


async def keep_sweeping(uploads: Uploads, every: float = EVERY_SECONDS) -> None:
    """Sweep now and then, beginning at once, until cancelled."""
    while True:
        try:
            await uploads.sweep()
        except (OSError, Problem) as error:
            _log.warning("What is left of old uploads cannot be removed now: %s", error)
        await asyncio.sleep(every)
