"""An interactive transaction: its block runs on the event loop, its statements on the writer thread.

The writer serves one session until the block ends or its time is over. The two
sides talk through a queue one way and futures the other way; once the time is
over every statement that waits or comes is answered with `QueryTimeout`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Literal

from undercroft.database.answers import announce, run_actions, settle
from undercroft.database.engine import Listeners, QueryTimeout, Row, Texts, Value
from undercroft.database.sqlite_errors import problem_of
from undercroft.database.sqlite_statements import Statements

_Answer = asyncio.Future[list[Row]]


class _Step:
    """One thing the block asks of the writer."""

    __slots__ = ("answer", "kind", "sql", "values")

    def __init__(
        self, kind: Literal["run", "commit", "undo"], answer: _Answer, sql: str = "", values: Sequence[Value] = ()
    ) -> None:
        self.kind = kind
        self.answer = answer
        self.sql = sql
        self.values = values


class Session:
    """An interactive transaction, as its block sees it and as the writer does (`serve`)."""

    def __init__(
        self,
        seconds: float,
        loop: asyncio.AbstractEventLoop,
        leave: Callable[[], None],
        listeners: Listeners,
        texts: Texts,
    ) -> None:
        self.texts = texts
        self._seconds = seconds
        self._loop = loop
        self._leave = leave
        self._listeners = listeners
        self._steps: SimpleQueue[_Step] = SimpleQueue()
        self._waiting: set[_Answer] = set()
        self._actions: list[Callable[[], None]] = []
        self._is_over = False
        self._begun: _Answer = loop.create_future()

    async def begin(self) -> None:
        """Wait until the writer serves this session."""
        try:
            await self._begun
        except BaseException:
            self.undo()
            raise

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement; its rows."""
        return await self._ask("run", sql, values)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` on the event loop once the transaction is durable."""
        self._actions.append(action)

    def announce(self, kind: str) -> None:
        """Call, once the transaction is durable, whoever listens to this kind of change."""
        announce(kind, self._listeners, self._actions)

    def is_heard(self, kind: str) -> bool:
        """Whether anybody listens to this kind of change."""
        return kind in self._listeners

    async def commit(self) -> None:
        """Make everything durable and let the writer go on."""
        await self._ask("commit")
        run_actions(self._actions, self._loop)

    def undo(self) -> None:
        """Undo everything and let the writer go on."""
        self._is_over = True
        self._steps.put(_Step("undo", self._loop.create_future()))

    async def _ask(self, kind: Literal["run", "commit"], sql: str = "", values: Sequence[Value] = ()) -> list[Row]:
        if self._is_over:
            raise QueryTimeout
        answer: _Answer = self._loop.create_future()
        self._waiting.add(answer)
        self._steps.put(_Step(kind, answer, sql, values))
        try:
            return await answer
        finally:
            self._waiting.discard(answer)

    def serve(self, statements: Statements) -> None:
        """Do what the block asks until it ends; on the writer thread."""
        try:
            statements.begin()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the block, which waits for it
            self._post(settle, self._begun, None, problem_of(error))
        else:
            self._post(settle, self._begun, None, None)
            self._follow(statements, perf_counter() + self._seconds)
        self._post(self._finish)

    def _follow(self, statements: Statements, until: float) -> None:
        while statements.in_transaction and (step := self._next_step(until)):
            try:
                self._post(settle, step.answer, _perform(step, statements, until), None)
            except Exception as error:  # noqa: BLE001 - likewise
                self._post(settle, step.answer, None, problem_of(error))
        statements.undo()

    def _next_step(self, until: float) -> _Step | None:
        try:
            step = self._steps.get(timeout=max(0.0, until - perf_counter()))
        except Empty:
            return None
        return None if step.kind == "undo" else step

    def _finish(self) -> None:
        self._is_over = True
        self._leave()
        for answer in self._waiting:
            settle(answer, None, QueryTimeout())

    def _post(self, action: Callable[..., None], *values: Any) -> None:
        # The loop may be gone, and with it everyone who waited.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action, *values)


def _perform(step: _Step, statements: Statements, until: float) -> list[Row]:
    if perf_counter() > until:
        statements.undo()
        raise QueryTimeout
    if step.kind == "run":
        return statements.run(step.sql, step.values, until)
    statements.commit()
    return []
