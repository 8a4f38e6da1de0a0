"""What a process knows by heart, brought up to date: before what runs once, or when what can run twice has failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from undercroft.database.engine import Knowledge, T
from undercroft.errors import Problem


async def run_knowing(knowledge: Mapping[type[Problem], Knowledge], run: Callable[[], Awaitable[T]]) -> T:
    """What a run gives; one that raised what newer knowledge may prevent is repeated with that, once."""
    before = {kind: known.version for kind, known in knowledge.items()}
    try:
        return await run()
    except tuple(knowledge) as problem:
        kind = next(kind for kind in knowledge if isinstance(problem, kind))
        await knowledge[kind].refresh()
        if knowledge[kind].version == before[kind]:
            raise
    return await run()


async def catch_up(knowledge: Mapping[type[Problem], Knowledge]) -> None:
    """Bring everything up to date, for what cannot be run again."""
    for known in {id(known): known for known in knowledge.values()}.values():
        await known.refresh()
