"""What is done after an answer, held until the test has looked at what there is without it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from undercroft.errands import Errands


def hold(errands: Errands) -> asyncio.Event:
    """Have nothing that is to be done after an answer begin before the event is set."""
    begin, start = asyncio.Event(), errands.start

    async def late(work: Coroutine[Any, Any, None]) -> None:
        await begin.wait()
        await work

    errands.start = lambda work: start(late(work))  # type: ignore[method-assign]
    return begin
