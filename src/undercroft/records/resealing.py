"""Bringing values along while everybody reads and writes: encrypting a field, decrypting it, turning its keys.

What is under way is said by the definitions of collections and by the keys there are; a row for
each piece says how far it is, see `records.resealings`. One process does the work for all, a
batch of rows at a time: read, seal, and put in place together with the note how far that was. So
it may be killed at any moment, and whoever takes its place goes on from there.

When no row is left, which is verified in the transaction in which the field turns, it is read from
where its values went. Nothing is told to hooks or in the change log, for nothing has changed for
anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final

from undercroft.collections.cipher import value_scope
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import ALGORITHMS, is_sealed_as, sealed_as, with_seal
from undercroft.collections.pieces import Piece, pieces_of
from undercroft.collections.store import Store, change_seals, load_catalog
from undercroft.database.engine import Transaction
from undercroft.database.lease import Lease, LeaseLost
from undercroft.errors import Problem, Unavailable
from undercroft.keys.changing import SetOf
from undercroft.keys.ring import Promotion
from undercroft.keys.rotation import rotate_key
from undercroft.records.reseal_course import Course
from undercroft.records.reseal_labour import Halted, Host
from undercroft.records.reseal_pace import Pace
from undercroft.records.reseal_texts import TextCourse
from undercroft.records.resealings import (
    Resealing,
    Trouble,
    begin_resealing,
    change_resealing,
    error_text,
    forget_resealing,
    list_resealings,
)

LOOK_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 10.0
_log = logging.getLogger("undercroft.keys")


class Resealer:
    """Does the work on encrypted fields while the claim is this process's.

    `share` is how long it rests after each batch, as a part of the time that took: for others who wait for the
    same lock in other processes. One that `is_alone` knows that whoever has the lease was ended.
    """

    def __init__(self, host: Host, claim: Lease, *, share: float = 0.0, is_alone: bool = False) -> None:
        self._host = host
        self._claim = claim
        self._share = share
        self._has_to_break_in = is_alone
        self._look_at = 0.0
        self._told = ""

    async def run(self) -> None:
        """Look for work and do it, again and again, until cancelled."""
        while True:
            try:
                await self.look()
                self._told = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                self._tell(error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Do what there is to do now, unless another process does it."""
        wanted, is_outdated = self._pieces(), any(self._outdated())
        if not wanted and not is_outdated and monotonic() < self._look_at:
            return
        known = {each.piece: each for each in await list_resealings(self._host.engine.read)}
        self._look_at = 0.0 if wanted or any(row.state != "done" for row in known.values()) else _in_a_while()
        if not (is_outdated or _is_due(wanted, known)) or not await self._take():
            return
        try:
            await self._catch_up()
            await self._renew_keys()
            await self._keep_rows(self._pieces(), known)
            for each in await list_resealings(self._host.engine.read):
                if each.is_open:
                    await self._attend(each)
        finally:
            await self._claim.release()

    async def _take(self) -> bool:
        if self._has_to_break_in:
            self._has_to_break_in = False
            await self._claim.break_in()
        return await self._claim.take()

    async def _catch_up(self) -> None:
        """Know what other processes have changed."""
        host = self._host
        await host.keyring.refresh()
        host.catalogs.swap(await load_catalog(host.engine, host.keyring))

    def _pieces(self) -> frozenset[Piece]:
        return frozenset(pieces_of(self._host.catalogs.current))

    def _outdated(self) -> Iterator[tuple[Collection, str]]:
        """Fields, by their ids, whose values are sealed in another way than their options say by now."""
        for collection in self._host.catalogs.current:
            for field in collection.fields:
                seal, wanted = collection.seals.get(field.id), collection.encryption(field)
                if seal is not None and wanted is not None and not is_sealed_as(seal, wanted):
                    yield collection, field.id

    async def _renew_keys(self) -> None:
        """Have a new key for each of these fields, under which its values are sealed anew. Raises `RollOutTooSlow`."""
        for collection, field_id in list(self._outdated()):
            wanted = collection.encryption(collection.by_id[field_id])
            if wanted is not None:
                keys = SetOf(self._host.engine, self._host.keyring, "value", value_scope(collection.id, field_id))
                await rotate_key(keys, ALGORITHMS[wanted.algorithm])
                await self._note_options(collection.id, field_id)

    async def _note_options(self, collection_id: str, field_id: str) -> None:
        async def change(tx: Transaction, collection: Collection) -> Collection | None:
            await self._claim.check(tx)
            field, seal = collection.by_id.get(field_id), collection.seals.get(field_id)
            wanted = collection.encryption(field) if field is not None else None
            if seal is None or wanted is None:
                return None
            return with_seal(collection, field_id, sealed_as(seal, wanted))

        await change_seals(Store(self._host.engine, self._host.catalogs, lambda *_: None), collection_id, change)

    async def _keep_rows(self, wanted: frozenset[Piece], known: Mapping[Piece, Resealing]) -> None:
        """Have a row for each piece, and none for what was given up."""
        dialect = self._host.engine.dialect

        async def operation(tx: Transaction) -> None:
            await self._claim.check(tx)
            for piece in sorted(wanted, key=lambda each: (each.collection, each.field, each.kind)):
                if _lacks(piece, known):
                    await begin_resealing(tx, dialect, piece)
            for row in known.values():
                if _is_over(row, wanted):
                    await forget_resealing(tx, dialect, row.id)

        await self._host.engine.write(operation, is_waited_for=False)

    async def _attend(self, row: Resealing) -> None:
        """Go on with a piece until it is done, or cannot be gone on with."""
        try:
            course = TextCourse if row.piece.kind == "texts" else Course
            await course(self._host, self._claim, row, Pace(self._host.engine.waits.p99(), self._share)).run()
        except (Halted, LeaseLost):
            return
        except Unavailable as problem:
            await self._note(row, {"error": error_text(_trouble(problem))})
        except Problem as problem:
            _log.warning("Work on what is encrypted stands still: %s", problem)
            await self._note(row, {"state": "failed", "rate": 0, "error": error_text(_trouble(problem))})

    async def _note(self, row: Resealing, changes: Mapping[str, Any]) -> None:
        await self._host.engine.write(lambda tx: change_resealing(tx, self._host.engine.dialect, row.id, changes))

    def _tell(self, error: Exception) -> None:
        """Once, not again and again while it lasts."""
        told = f"{type(error).__name__}: {error}"
        if told != self._told:
            self._told = told
            fault = None if isinstance(error, Problem) else error
            _log.warning("Work on encrypted fields has to wait: %s", error, exc_info=fault)


def _in_a_while() -> float:
    return monotonic() + _IDLE_SECONDS


async def note_promotion(tx: Transaction, promotion: Promotion, host: Host) -> None:
    """Have a row for what follows from the promotion of a key, in the transaction of that."""
    collection, _, field = promotion.scope.partition("/")
    if promotion.purpose == "value":
        await begin_resealing(tx, host.engine.dialect, Piece("reseal", collection, field, promotion.new_id))
    if promotion.purpose == "system":
        await begin_resealing(tx, host.engine.dialect, Piece("texts", "", "", promotion.new_id))


def _is_due(wanted: frozenset[Piece], known: Mapping[Piece, Resealing]) -> bool:
    """Whether a row is missing, is one too many, or is to be worked on."""
    return any(_lacks(piece, known) for piece in wanted) or any(
        each.is_open or _is_over(each, wanted) for each in known.values()
    )


def _lacks(piece: Piece, known: Mapping[Piece, Resealing]) -> bool:
    row = known.get(piece)
    # The older keys stay where they are when everything was sealed anew, and so does what they say.
    return row is None or (row.state == "done" and piece.kind not in {"reseal", "texts"})


def _is_over(row: Resealing, wanted: frozenset[Piece]) -> bool:
    """Whether a row speaks of something that was given up."""
    return row.state != "done" and row.step == "fill" and row.piece not in wanted


def _trouble(problem: Problem) -> Trouble:
    records = getattr(problem, "records", ())
    return Trouble(problem.code, problem.message()[:1000], [list(each) for each in records])
