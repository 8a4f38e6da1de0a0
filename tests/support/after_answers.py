"""What is done after an answer: held until the test has looked at what there is without it, or waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from undercroft.backend import Backend
from undercroft.errands import Errands

_UNSENT = """SELECT 1 FROM "_outbox" WHERE "state" <> 'sent'"""


def hold(errands: Errands) -> asyncio.Event:
    """Have nothing that is to be done after an answer begin before the event is set."""
    begin, start = asyncio.Event(), errands.start

    async def late(work: Coroutine[Any, Any, None]) -> None:
        await begin.wait()
        await work

    errands.start = lambda work: start(late(work))  # type: ignore[method-assign]
    return begin


async def all_letters_sent(backend: Backend) -> None:
    """Return once nothing is left to be done or sent. Raises `AssertionError` when something stays."""
    await backend.errands.done()
    for _ in range(2000):
        if not await backend.engine.read(_UNSENT):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("A letter was not sent.")
