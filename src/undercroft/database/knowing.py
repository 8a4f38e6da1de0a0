"""Running an operation once more, when what it knew by heart was too old."""

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
