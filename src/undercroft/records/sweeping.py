"""What a process does now and then about files: clear away what is left over."""

from __future__ import annotations

import asyncio
from typing import Final

from undercroft.files.staging import Staging
from undercroft.records.filing import Filing

_EVERY: Final = 60.0  # seconds


async def keep_clearing(filing: Filing, staging: Staging) -> None:
    """Clear away what processes left that are no more, and what the store did not delete at once; until cancelled."""
    while True:
        await staging.sweep()
        filing.sweep_soon()
        await asyncio.sleep(_EVERY)
