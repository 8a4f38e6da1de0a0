"""Work on encrypted fields, as tests wait for it, stop it and look at it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from undercroft.collections.encrypting import is_sealed_as, is_under_way
from undercroft.database.lease import Lease
from undercroft.records.resealing import Resealer
from undercroft.records.resealings import list_resealings


async def work_of(backend):
    """All rows of work, by kind, collection and field."""
    rows = await list_resealings(backend.engine.read)
    names = {each.id: each for each in backend.catalog}
    return {(row.piece.kind, names[row.piece.collection].name, field_name(names, row)): row for row in rows}


def field_name(names, row):
    field = names[row.piece.collection].by_id.get(row.piece.field)
    return field.name if field else row.piece.field


def is_settled(backend):
    """Whether every field is as it is to be, going by the definitions."""
    return all(
        not is_under_way(seal) and is_sealed_as(seal, wanted)
        for collection in backend.catalog
        for field in collection.fields
        if (seal := collection.seals.get(field.id)) and (wanted := collection.encryption(field)) is not None
    ) and not any(s.phase == "opening" for c in backend.catalog for s in c.seals.values())


async def settle(backend, seconds=30.0):
    """Wait until nothing is under way any more; the rows, those that failed among them."""
    async with asyncio.timeout(seconds):
        while True:
            rows = await list_resealings(backend.engine.read)
            if any(row.state in ("failed", "paused") for row in rows):
                return rows
            if is_settled(backend) and not any(row.is_open for row in rows):
                return rows
            await asyncio.sleep(0.02)


@asynccontextmanager
async def held(client):
    """Nobody works in the background; what is given does the work of one look when it is called."""
    backend = client.backend
    client.app._company._crew.resealer._has_to_break_in = False
    lease = Kept(backend.engine, "resealing", "the test")
    while not await lease.take():  # noqa: ASYNC110 - whoever has it tells nobody
        await asyncio.sleep(0.05)
    resealer = Resealer(backend, lease)
    try:
        yield resealer.look
    finally:
        await Lease.release(lease)


class Kept(Lease):
    """A lease that the test has for as long as it likes."""

    async def release(self):
        """Not yet."""
