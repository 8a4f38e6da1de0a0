"""A move that stops at any of its steps, before or after the step is durable, ends well when it is run again."""

from __future__ import annotations

import contextlib

import pytest
from everything import add_records, make_collections
from postgres import in_thread

from undercroft import testing
from undercroft.collections.move_plan import plan_move
from undercroft.database import move_pages
from undercroft.database.formats import SYSTEM_MIGRATIONS
from undercroft.database.move import Move, MoveFinished, run_move
from undercroft.database.move_pages import Source
from undercroft.database.move_state import find_header
from undercroft.database.opening import open_engine

RECORDS = 30


class PowerCutError(Exception):
    """The process ends here."""


class Mortal:
    """An engine that dies at its n-th write: before it, or after it and before anybody hears of it."""

    def __init__(self, engine, steps, *, is_late):
        self.dialect = engine.dialect
        self.read = engine.read
        self._engine = engine
        self._steps = steps
        self._is_late = is_late

    async def write(self, operation, *, alone=False):
        self._steps -= 1
        if self._steps < 0 and not self._is_late:
            raise PowerCutError
        result = await self._engine.write(operation, alone=alone)
        if self._steps < 0:
            raise PowerCutError
        return result


class Silence:
    """Watches without a word."""

    def begin(self, stage, total):
        pass

    def advance(self, rows):
        pass


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_it_goes_on_from_any_step(tmp_path, target, seed, monkeypatch, is_late):
    """Two steps further a run, the target ends up the same."""
    monkeypatch.setattr(move_pages, "PAGE", 7)

    async def move_on_and_on():
        async with testing.client(tmp_path / "data") as client:
            await make_collections(client)
            await add_records(client, RECORDS, seed)
            there = await open_engine(tmp_path, "" if target.is_file else target.name)
            try:
                await run_until_finished(client.backend, there, is_late=is_late)
                return await find_header(there.read, there.dialect)
            finally:
                await there.close()

    header = in_thread(move_on_and_on())
    assert header.finished
    assert header.runs > 10


async def run_until_finished(backend, there, *, is_late):
    with contextlib.suppress(MoveFinished):
        while True:
            with contextlib.suppress(PowerCutError):
                report = await run_move(make_move(backend, Mortal(there, 4, is_late=is_late)))
                assert report.is_equal
                return


def make_move(backend, target):
    return Move(
        source=Source(backend.engine.read, backend.engine.dialect),
        source_name="source",
        target=target,
        target_name="target",
        limits=target.dialect.limits(),
        plan=plan_move(backend.catalog, [], target.dialect),
        formats=SYSTEM_MIGRATIONS,
        watcher=Silence(),
    )
