"""A server whose root key is away: it opens nothing, answers 503 to all, and tries again until it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from undercroft.api.health import HEALTH_PATH, unhealthy
from undercroft.api.router import escaped_path
from undercroft.encryption.failures import KeysUnavailable
from undercroft.http.request import Message, Send
from undercroft.middleware.errors import respond

_FIRST: Final = 1.0  # seconds
_LONGEST: Final = 30.0
_log = logging.getLogger("undercroft.keys")


class Waiting:
    """Opens something again and again until there are keys; `task` ends then, or when it can never be."""

    def __init__(self, open_it: Callable[[], Awaitable[object]], reason: KeysUnavailable) -> None:
        self._open = open_it
        self._reason = reason
        self.task = asyncio.create_task(self._run())

    async def answer(self, scope: Message, send: Send) -> None:
        """Answer any request, without a word of why."""
        problem = KeysUnavailable()
        is_health = escaped_path(scope) == HEALTH_PATH
        response = unhealthy(problem) if is_health else respond(problem)
        await response.send(send, (), without_body=scope["method"] == "HEAD")

    async def stop(self) -> None:
        """Try no more."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _run(self) -> None:
        pause, told = _FIRST, ""
        while True:
            if self._reason.message() != told:
                told = self._reason.message()
                _log.warning("All requests are answered 503 until the root key is there. %s", told)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST)
            try:
                await self._open()
            except KeysUnavailable as reason:
                self._reason = reason
            else:
                _log.warning("The root key is there: requests are answered now.")
                return
