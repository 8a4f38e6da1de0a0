"""Looks after connections that have been waiting for long: is the server still busy with them?

A network that swallows packets closes nothing, so a statement on it would wait until its
deadline. When one has waited for a second, the server is asked over a new connection.
If it does not answer it is down, and everybody is told so at once until it answers again. If
it answers that it is not working on the statement, the statement or its answer was lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from time import perf_counter
from typing import Final

from undercroft.database.postgresql_errors import FAULTS
from undercroft.database.postgresql_line import Connection, Line
from undercroft.errors import Problem

PATIENCE: Final = 1.0
_TICK: Final = 0.25
_LOOK: Final = 1.5  # seconds within which a server that is there says so
_STATES: Final = "SELECT pid, state FROM pg_stat_activity WHERE pid = ANY ($1::int[])"
# What a lost connection holds is held from others until the server notices.
_END: Final = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY ($1::int[])
    AND usename = current_user AND application_name = 'undercroft' AND state LIKE 'idle%'
    AND state_change < clock_timestamp() - interval '500 milliseconds'"""
_log = logging.getLogger("undercroft")


class Watch:
    """Watches the lines that are lent out.

    `connect` opens a new connection, and `on_return` is called when the server answers
    after it was down. `is_down` says that it did not answer when it was last asked.
    """

    def __init__(
        self, lent: Collection[Line], connect: Callable[[], Awaitable[Connection]], on_return: Callable[[], None]
    ) -> None:
        self.is_down = False
        self._lent = lent
        self._connect = connect
        self._on_return = on_return
        self._lost: set[int] = set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_TICK)
            late = perf_counter() - PATIENCE
            waiting = {line: line.since for line in self._lent if 0 < line.since < late}
            if waiting or self.is_down or self._lost:
                await self._look(waiting)

    async def _look(self, waiting: Mapping[Line, float]) -> None:
        """Cut the lines that wait for nothing."""
        try:
            async with asyncio.timeout(_LOOK):
                states = await self._ask([line.server_pid for line in waiting])
        except (Problem, TimeoutError, *FAULTS) as error:
            self._go_down(error)
            states = {}
        else:
            self._come_back()
        for line, since in waiting.items():
            # One that has moved on in the meantime was only slow.
            if line.since == since and (self.is_down or states.get(line.server_pid, "").startswith("idle")):
                self._lost.add(line.server_pid)
                line.connection.terminate()

    async def _ask(self, pids: list[int]) -> dict[int, str]:
        """What the server does in its processes; those that it no longer has are idle."""
        connection = await self._connect()
        try:
            own = connection.get_server_pid()
            rows = await connection.fetch(_STATES, [*pids, own])
            if self._lost:
                await connection.fetch(_END, list(self._lost))
                self._lost.clear()
        finally:
            connection.terminate()
        states = {int(pid): str(state) for pid, state in rows}
        # A proxy may have numbers of its own, of which the server knows nothing.
        return dict.fromkeys(pids, "idle") | states if own in states else states

    def _go_down(self, error: BaseException) -> None:
        if not self.is_down:
            self.is_down = True
            _log.warning("The database does not answer: %s", error)

    def _come_back(self) -> None:
        if self.is_down:
            self.is_down = False
            self._on_return()
            _log.warning("The database answers again.")
