"""The server's own secrets, sealed anew after the key of the system turned: one piece of work, up to its end.

They are few, beside the values of fields, and each column of them is gone through by the names of its rows. When no
text is left under an older key, and every process has the new one, that is disabled whenever somebody likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from undercroft.collections.pieces import pieces_of
from undercroft.collections.store import reseal_collections
from undercroft.database.engine import Transaction
from undercroft.database.leader import Claim
from undercroft.database.params import load_param, save_param
from undercroft.encryption.texts import is_sealed_text
from undercroft.errors import Unavailable
from undercroft.keys.holders import Holder
from undercroft.keys.rotation import wait_for_holders
from undercroft.keys.text_columns import (
    SECRET_PARAMS,
    TEXT_COLUMNS,
    StoredText,
    TextColumn,
    count_older_texts,
    find_older_texts,
    param_place,
    put_text,
)
from undercroft.records.reseal_labour import Halted, Host, Labour, RowsKeepChanging, ValuesShut
from undercroft.records.reseal_pace import Pace
from undercroft.records.reseal_rows import SHUT
from undercroft.records.resealings import Resealing
from undercroft.settings.store import reseal_settings

_MOST_PASSES: Final = 20
_WAIT_SECONDS: Final = 2.0  # at once; whoever works here asks again


class OthersLate(Unavailable):
    """Not every process said that it knows which key seals; one that does not may still seal with an older one."""

    code = "others_late"

    def __init__(self, late: Sequence[Holder]) -> None:
        names = ", ".join(holder.label for holder in late)
        super().__init__(f"The new key has not reached {names} yet. The work goes on as soon as it has.")


class TextCourse(Labour):
    """What one process does of it."""

    def __init__(self, host: Host, claim: Claim, row: Resealing, pace: Pace) -> None:
        super().__init__(host, claim, row, pace)
        self._key_id = row.piece.number

    async def run(self) -> None:
        """Go on to the end. Raises `Halted` where there is to be none for now, and what stands against it."""
        await self._begin(await self._count())
        for _ in range(_MOST_PASSES):
            self._refuse_given_up()
            await self._wait_for_all()
            shut = [each for column in TEXT_COLUMNS for each in await self._column(column)]
            await self._documents()
            if not await self._count() and await self._end():
                return
            if shut:
                raise ValuesShut(shut)
        raise RowsKeepChanging

    def _refuse_given_up(self) -> None:
        """Raise `Halted` when another key has taken the place of this one."""
        if self._row.piece not in set(pieces_of(self._host.catalogs.current)):
            raise Halted

    async def _wait_for_all(self) -> None:
        """Return once every process knows which key seals: none of them seals with an older one after that."""
        await self._host.keyring.refresh()
        late = await wait_for_holders(self._engine, self._host.keyring.revision, _WAIT_SECONDS)
        if late:
            raise OthersLate(late)

    async def _column(self, column: TextColumn) -> list[str]:
        """Seal the texts of a column anew; the names of the rows in which one does not open."""
        after, shut = "", list[str]()
        while found := await find_older_texts(
            self._engine.read, self._engine.dialect, column, self._key_id, after=after, limit=self._size
        ):
            began, after = perf_counter(), found[-1].key
            shut += await self._put(column, found)
            took = perf_counter() - began
            await asyncio.sleep(self._pace.rest_after(len(found), took, self._engine.waits.p99(), self._most))
        return shut

    async def _put(self, column: TextColumn, found: Sequence[StoredText]) -> list[str]:
        async def operation(tx: Transaction) -> list[str]:
            shut, done = list[str](), 0
            for text in found:
                place = column.place(text.key)
                try:
                    fresh = tx.texts.seal_text(place, tx.texts.open_text(place, text.text))
                except SHUT:
                    shut.append(f"{column.table} {text.key}")
                else:
                    done += await put_text(tx, self._engine.dialect, column, text, fresh)
            await self._advance(tx, done)
            return shut

        return await self._engine.write(operation, is_waited_for=False)

    async def _documents(self) -> None:
        """Seal anew what is secret within other values: few, and each in a transaction of its own."""
        dialect = self._engine.dialect

        async def settings(tx: Transaction) -> None:
            await reseal_settings(tx, dialect)
            await self._advance(tx, 0)

        async def collections(tx: Transaction) -> None:
            await reseal_collections(tx, dialect)
            await self._advance(tx, 0)

        async def params(tx: Transaction) -> None:
            for name in SECRET_PARAMS:
                kept, place = await load_param(tx.run, dialect, name), param_place(name)
                if kept is not None and is_sealed_text(str(kept)):
                    fresh = tx.texts.seal_text(place, tx.texts.open_text(place, str(kept)))
                    await save_param(tx, dialect, name, fresh)
            await self._advance(tx, 0)

        for operation in (settings, collections, params):
            await self._engine.write(operation, alone=True, is_waited_for=False)

    async def _count(self) -> int:
        return await count_older_texts(self._engine.read, self._engine.dialect, self._key_id)

    async def _end(self) -> bool:
        """Be done, if nothing is left; whether that is so."""

        async def operation(tx: Transaction) -> bool:
            await self._claim.check(tx)
            if await count_older_texts(tx.run, self._engine.dialect, self._key_id):
                return False
            await self._note(tx, {"state": "done", "done": self._total, "rate": 0})
            await self._tell(tx, "resealing_ended")
            return True

        return await self._engine.write(operation, is_waited_for=False)
