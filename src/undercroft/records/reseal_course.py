"""One piece of work on an encrypted field, from where it is to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import turned, with_seal
from undercroft.collections.pieces import pieces_within
from undercroft.collections.store import Store, change_seals, load_catalog
from undercroft.database.changes import forget_rows_of
from undercroft.database.engine import SqlError, Transaction, Value
from undercroft.errors import Conflict, Invalid, Unreadable
from undercroft.records.reseal_clashes import find_clashes
from undercroft.records.reseal_labour import BATCH, SHOWN, Halted, Labour, RowsKeepChanging, ValuesShut
from undercroft.records.reseal_rows import SHUT, Batch, Follower, ReadRow, SampledRow
from undercroft.records.resealings import Trouble, error_text
from undercroft.records.subjects import NOBODY, Held

_MOST_PASSES: Final = 50
_SAMPLED: Final = 100  # one of so many rows is opened in the end
_FEW: Final = 10_000  # of fewer rows a hundred are
NOT_SCRUBBED: Final = Trouble(
    "not_scrubbed",
    "The disk may still hold earlier values, in places that nobody can read through the database, which is too large "
    "to be written anew while it is in use. At a quiet hour run `undercroft keys scrub`.",
)


class ValuesClash(Conflict):
    """Values that a unique index holds apart would be one in the new column."""

    code = "values_clash"

    def __init__(self, index: str, records: Sequence[Sequence[str]]) -> None:
        super().__init__(
            f"The unique index {index} cannot hold: records have values that are one once they are compared as the "
            "field says now. Change them and resume, or take the option back. Until then all is as it was."
        )
        self.records = records


class ValuesOfNobody(Conflict):
    """Values are to be sealed for somebody, and are nobody's, or are of somebody who was erased."""

    code = "values_of_nobody"

    def __init__(self, records: Sequence[str]) -> None:
        super().__init__(
            f"In {len(records)} of the rows that are left values are of nobody, or of somebody who was erased. "
            "Say whose they are, or empty them, and resume. Until then all is as it was."
        )
        self.records = [records[:SHOWN]]


class ValuesDiffer(Unreadable):
    """What was put in place does not follow from what stood there."""

    code = "values_differ"

    def __init__(self, records: Sequence[str]) -> None:
        super().__init__("Values that came along are not what they were. Nothing was switched over.")
        self.records = [records]


@dataclass(slots=True)
class _Pass:
    """What one pass through the rows came upon."""

    found: int = 0
    changed: int = 0
    shut: tuple[str, ...] = ()


class Course(Labour):
    """What one process does of a piece of a field."""

    async def run(self) -> None:
        """Go on to the end. Raises `Halted` where there is to be none for now, and what stands against it."""
        if self._row.step == "fill":
            await self._begin(await (await self._follower()).count(self._engine.read))
            await self._fill()
        await self._scrub()

    async def _fill(self) -> None:
        """Bring values along until none is left, and have the field turn."""
        place = self._row.place
        for _ in range(_MOST_PASSES):
            seen = await self._pass(place)
            if not seen.found and place == 0 and await self._turn():
                return
            if seen.shut and not seen.changed and place == 0:
                raise (ValuesOfNobody if self._row.piece.kind == "seal" else ValuesShut)(seen.shut)
            place = 0
        raise RowsKeepChanging

    async def _pass(self, place: int) -> _Pass:
        """Go through all rows behind a place once."""
        await self._host.keyring.refresh()
        seen = _Pass()
        while rows := await self._batch(place, seen):
            place = rows[-1].place
        return seen

    async def _batch(self, place: int, seen: _Pass) -> list[ReadRow]:
        """Bring the next rows along; which they were."""
        began, follower = perf_counter(), await self._follower()
        try:
            rows = await follower.read(self._engine.read, place, self._size)
            batch = follower.prepare(rows, await self._hold(follower, rows))
            if rows:
                seen.changed += await self._put(follower, batch, rows)
        except SqlError:
            if not await self._catch_up():
                raise
            return [ReadRow(place, "", None)]
        seen.found += len(rows)
        seen.shut += tuple(batch.shut)
        if rows:
            rest = self._pace.rest_after(len(rows), perf_counter() - began, self._engine.waits.p99(), self._most)
            await asyncio.sleep(rest)
        return rows

    async def _hold(self, follower: Follower, rows: Sequence[ReadRow]) -> Held:
        """The keys for whoever rows are of, if values are sealed for people or tenants."""
        if follower.owner is None or not rows:
            return NOBODY
        return await self._engine.write(lambda tx: follower.hold(tx, rows), is_waited_for=False)

    async def _put(self, follower: Follower, batch: Batch, rows: Sequence[ReadRow]) -> int:
        async def operation(tx: Transaction) -> int:
            await self._advance(tx, len(rows) - len(batch.shut), rows[-1].place)
            return await follower.put(tx, batch)

        return await self._engine.write(operation, is_waited_for=False)

    async def _turn(self) -> bool:
        """See that all is right, and have the field read from where its values are now; whether that was done."""
        follower = await self._follower()
        await self._sample(follower)
        if self._row.piece.kind == "reseal":
            return await self._engine.write(self._end_reseal, is_waited_for=False)
        await self._refuse_clashes(follower.collection)
        try:
            return await change_seals(self._store(), self._row.piece.collection, self._turned)
        except Invalid as refusal:
            await self._refuse_clashes(follower.collection)
            raise ValuesClash(str(refusal.data), ()) from refusal

    async def _turned(self, tx: Transaction, collection: Collection) -> Collection | None:
        """The collection with the field turned, if every value has come along."""
        if self._row.piece not in pieces_within(collection, self._host.keyring):
            raise Halted
        if not await self._is_whole(tx, Follower.of(collection, self._row.piece, self._engine.dialect)):
            return None
        await self._finish_filling(tx)
        if self._row.piece.kind == "seal":
            await forget_rows_of(tx, self._engine.dialect, collection.id)
        field_id = self._row.piece.field
        return with_seal(collection, field_id, turned(collection.seals[field_id]))

    async def _end_reseal(self, tx: Transaction) -> bool:
        if not await self._is_whole(tx, await self._follower()):
            return False
        await self._finish_filling(tx)
        return True

    async def _is_whole(self, tx: Transaction, follower: Follower) -> bool:
        """Whether no row is left; a few are dealt with here and now."""
        await self._claim.check(tx)
        left = await follower.read(tx.run, 0, BATCH)
        if left and len(left) < BATCH:
            await follower.put(tx, follower.prepare(left, await follower.hold(tx, left)))
            left = await follower.read(tx.run, 0, 1)
        return not left

    async def _finish_filling(self, tx: Transaction) -> None:
        await self._note(tx, {"step": "scrub", "place": 0, "rate": 0, "done": self._total})
        await self._tell(tx, "resealing_ended")

    async def _sample(self, follower: Follower) -> None:
        """Open some of the values that came along."""
        every, place = (_SAMPLED if self._total > _FEW else max(self._total // _SAMPLED, 1)), 0
        while rows := await follower.sample(self._engine.read, place, BATCH, every):
            place = rows[-1].row.place
            wrong = [sampled.row.id for sampled in rows if not _is_right(follower, sampled)]
            if wrong:
                raise ValuesDiffer(wrong[:SHOWN])
            await asyncio.sleep(0)

    async def _refuse_clashes(self, collection: Collection) -> None:
        field_id = self._row.piece.field
        after = with_seal(collection, field_id, turned(collection.seals[field_id]))
        clashes = await find_clashes(self._engine.read, self._engine.dialect, after, self._row.piece)
        if clashes:
            raise ValuesClash(", ".join(sorted({clash.index for clash in clashes})), [c.records for c in clashes])

    async def _scrub(self) -> None:
        """See that nothing is left of what stood where values came from, and be done."""
        collection = self._host.catalogs.current.find(self._row.piece.collection)
        is_clean = True
        if collection is not None:
            is_clean = await self._engine.scrub(collection.name, is_thorough=self._row.piece.kind == "seal")
        changes: dict[str, Value] = {"state": "done", "error": "" if is_clean else error_text(NOT_SCRUBBED)}
        await self._engine.write(lambda tx: self._note(tx, changes), is_waited_for=False)

    async def _follower(self) -> Follower:
        """How values come along by the newest definition that is known here. Raises `Halted`."""
        catalog, piece = self._host.catalogs.current, self._row.piece
        collection = catalog.find(piece.collection)
        if collection is None or piece not in pieces_within(collection, catalog.keys):
            raise Halted
        return Follower.of(collection, piece, self._engine.dialect)

    async def _catch_up(self) -> bool:
        """Know the collections as they are; whether they are others than was known."""
        holder, before = self._host.catalogs, self._host.catalogs.current.version
        fresh = await load_catalog(self._engine, self._host.keyring)
        holder.swap(fresh)
        return fresh.version > before

    def _store(self) -> Store:
        return Store(self._engine, self._host.catalogs, lambda *_: None)


def _is_right(follower: Follower, sampled: SampledRow) -> bool:
    try:
        return follower.is_right(sampled)
    except SHUT:
        return False
