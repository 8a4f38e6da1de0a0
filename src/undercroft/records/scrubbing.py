"""Overwriting, at a quiet hour, what the disk still has of values that were encrypted since."""

from __future__ import annotations

from collections.abc import Callable

from undercroft.collections.collection import Collection
from undercroft.records.reseal_course import NOT_SCRUBBED
from undercroft.records.reseal_labour import Host
from undercroft.records.resealings import error_text, forget_error


async def scrub_values(host: Host, tell: Callable[[str], None]) -> list[str]:
    """Write anew the tables that have encrypted fields; those, by their names, of which others kept hold.

    All who write wait meanwhile. `tell` is given the name of each before its turn comes.
    """
    left: list[str] = []
    for collection in list(host.catalogs.current):
        if collection.seals:
            tell(collection.name)
            if not await _scrub(host, collection):
                left.append(collection.name)
    return left


async def _scrub(host: Host, collection: Collection) -> bool:
    engine = host.engine
    if not await engine.scrub(collection.name, is_thorough=True, is_patient=True):
        return False
    await engine.write(lambda tx: forget_error(tx, engine.dialect, collection.id, error_text(NOT_SCRUBBED)))
    return True
