"""What all work on encrypted values has in common: how it begins, goes on and is written down, and why it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from undercroft.collections.catalog import CatalogHolder
from undercroft.database.engine import Engine, Transaction, Value
from undercroft.database.leader import Claim
from undercroft.dates import now
from undercroft.errors import Conflict, Unreadable
from undercroft.keys.audit import AuditEvent, Entry, append_entry
from undercroft.keys.ring import Keyring
from undercroft.records.reseal_pace import Pace
from undercroft.records.resealings import Advance, Resealing, advance_resealing, change_resealing

BATCH: Final = 250
"""Rows at a time: their statement takes two milliseconds, and the commit several, however many they are."""
SHOWN: Final = 10
"""Rows that an error names."""
_SMALLEST: Final = 10


class Halted(Exception):
    """A piece is not to be gone on with: it was paused or given up, or it is done."""


class ValuesShut(Unreadable):
    """Values of a field cannot be opened, and so cannot be sealed anew."""

    code = "values_shut"

    def __init__(self, records: Sequence[str]) -> None:
        super().__init__(f"Values cannot be opened in {len(records)} of the rows that are left.")
        self.records = [records[:SHOWN]]


class RowsKeepChanging(Conflict):
    """Rows were left after many passes: they change all the time, or do not take what is put there."""

    code = "rows_keep_changing"
    default = "Rows are left that change whenever they are to come along. Resume to try again."


class Host(Protocol):
    """The database and what this process knows of it: `backend.Backend` is one."""

    @property
    def engine(self) -> Engine: ...

    @property
    def catalogs(self) -> CatalogHolder: ...

    @property
    def keyring(self) -> Keyring: ...


class Labour:
    """What one process does of a piece, whatever that is."""

    def __init__(self, host: Host, claim: Claim, row: Resealing, pace: Pace) -> None:
        self._host = host
        self._engine = host.engine
        self._claim = claim
        self._row = row
        self._pace = pace
        self._most = row.most
        self._total = row.total

    async def _begin(self, left: int) -> None:
        """Write down that the work goes on, with so much left to do."""
        self._total = self._row.done + left
        changes: dict[str, Value] = {"state": "running", "total": self._total, "error": ""}

        async def operation(tx: Transaction) -> None:
            await self._claim.check(tx)
            if not self._row.started:
                changes["started"] = now()
                await self._tell(tx, "resealing_started")
            await self._note(tx, changes)

        await self._engine.write(operation, is_waited_for=False)

    async def _advance(self, tx: Transaction, done: int, place: int = 0) -> None:
        """Write down that so many more are done, up to that place. Raises `Halted` when the work is to stop."""
        await self._claim.check(tx)
        by = Advance(done, place, self._pace.rate)
        most = await advance_resealing(tx, self._engine.dialect, self._row.id, by)
        if most is None:
            raise Halted
        self._most = most

    @property
    def _size(self) -> int:
        """How many rows to take at a time; fewer where few are to be taken in a second."""
        return max(_SMALLEST, min(BATCH, int(self._most / 4))) if self._most else BATCH

    async def _note(self, tx: Transaction, changes: dict[str, Value]) -> None:
        if not await change_resealing(tx, self._engine.dialect, self._row.id, changes):
            raise Halted

    async def _tell(self, tx: Transaction, event: AuditEvent) -> None:
        piece = self._row.piece
        entry = Entry(event, piece.purpose, piece.scope, detail={"kind": piece.kind})
        await append_entry(tx, self._engine.dialect, entry)
